"""The one record of a partition of monitoring-state that is no account's: which windows all the others have."""

from collections.abc import Callable
from itertools import count

import msgspec

_PREFIX = b"windows-"
"""An account's key is a JSON object."""


class Fill(msgspec.Struct, frozen=True, array_like=True):
    """How windows are filled that records may lack: from past lines up to the offset `upto`.

    `ids` are the windows' identities, ascending, `lateness` that of the rule set in microseconds, `begins_ms` the
    Kafka time (epoch ms) of the first line that counts. Whoever reads these lines gets the same windows.
    """

    ids: tuple[int, ...]
    lateness: int
    begins_ms: int
    upto: int


class Marker(msgspec.Struct, frozen=True, array_like=True):
    """`covers`: identities, ascending, of the windows that every record has; `fill`: of those that some still lack."""

    covers: tuple[int, ...]
    fill: Fill | None = None

    def encode(self) -> bytes:
        """The record's value."""
        return msgspec.msgpack.encode(self)


def key_of(number: int, place: Callable[[bytes], int]) -> bytes:
    """The marker's key on this partition, where `place` puts it."""
    return next(key for n in count() if place(key := _PREFIX + str(n).encode()) == number)


def is_marker(key: bytes) -> bool:
    """Whether a key is a marker's."""
    return key.startswith(_PREFIX)


def read(value: bytes | None) -> Marker | None:
    """The marker in a record; None when it says nothing that this version understands."""
    try:
        return None if value is None else msgspec.msgpack.decode(value, type=Marker)
    except msgspec.DecodeError:
        return None
