"""Records in the order of their event time, however many: runs that fit into memory, merged from disk."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from heapq import merge
from typing import IO

import msgspec

from fraud_platform.commands.send_lines import Message
from fraud_platform.errors import ConfigurationError
from fraud_platform.topology import MIB

RUN_BYTES = 64 * MIB
"""Values that are sorted in memory at once, some 200 MB with all that belongs to them; the rest waits on disk."""

_LENGTH = 4
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - its zone is told apart below
_MICROSECOND = timedelta(microseconds=1)
_Placed = tuple[int, int, Message]
"""Event time, place in the file, record."""

_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(_Placed)


def in_order(messages: Iterable[Message], *, run_bytes: int = RUN_BYTES) -> Iterator[Message]:
    """All of them by time; those of one time as they came.

    Raises:
        ConfigurationError: the folder for temporary files cannot hold them.
    """
    with ExitStack() as files:
        runs: list[Iterable[_Placed]] = []
        run: list[_Placed] = []
        size = 0
        for place, message in enumerate(messages):
            run.append((epoch_us(message.at), place, message))
            size += len(message.value)
            if size >= run_bytes:
                runs.append(_read(_spilled(sorted(run), files)))
                run, size = [], 0
        for _, _, message in merge(*runs, sorted(run)):
            yield message


def epoch_us(text: str) -> int:
    """An ISO 8601 time in microseconds since 1970, UTC where it has no zone; any time of any zone has them."""
    at = datetime.fromisoformat(text)
    offset = at.utcoffset() or timedelta(0)
    return (at.replace(tzinfo=None) - _EPOCH) // _MICROSECOND - offset // _MICROSECOND


def _spilled(run: Iterable[_Placed], files: ExitStack) -> IO[bytes]:
    try:
        file = files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - it is read after this
        for placed in run:
            body = _encode(placed)
            file.write(len(body).to_bytes(_LENGTH, "big") + body)
        file.seek(0)
    except OSError as error:
        raise ConfigurationError(
            f"{tempfile.gettempdir()} cannot hold what is being sorted: {(error.strerror or 'unknown error').lower()};"
            " TMPDIR names another folder."
        ) from None
    return file


def _read(file: IO[bytes]) -> Iterator[_Placed]:
    while head := file.read(_LENGTH):
        yield _decoder.decode(file.read(int.from_bytes(head, "big")))
