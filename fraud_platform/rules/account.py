"""What is remembered of one account, and its one bounded record."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from fraud_platform.rules.duration import Duration
from fraud_platform.rules.parameters import write
from fraud_platform.rules.repeats import REPEAT, Ids
from fraud_platform.rules.rule_set import digest
from fraud_platform.rules.track import Track, room
from fraud_platform.rules.window import Window, mark

_FORMAT = 3
_LONGS = range(-(2**63), 2**64)


class AccountState:
    """`watermark`: newest event time; `seen`: the ids of what was accepted; one track per window."""

    __slots__ = ("seen", "tracks", "watermark")

    def __init__(self, tracks: list[Track]) -> None:
        self.watermark: int | None = None
        self.seen = Ids()
        self.tracks = tracks


class Layout:
    """The windows of a rule set, and what is kept for them; shared by all accounts.

    `sources` are windows that differ in what of a transaction they take. `plans` says of each window which source is
    like it, its kind, its duration and how long it keeps a transaction, in microseconds, and the room that it may take.
    """

    def __init__(self, windows: Sequence[Window], lateness: Duration) -> None:
        self.windows = tuple(windows)
        self.lateness = lateness
        alike = {(window.field, window.where): window for window in self.windows}
        places = {taken: place for place, taken in enumerate(alike)}
        self.sources = tuple(alike.values())
        self.plans = tuple(
            (places[window.field, window.where], window.kind, each, each + int(lateness), room(each, int(lateness)))
            for window, each in ((window, int(window.duration)) for window in self.windows)
        )
        self.ids = tuple(mark(digest(write(window))) for window in self.windows)
        self._wanted = frozenset(self.ids)
        self._dumped = sorted((identity, place) for place, identity in enumerate(self.ids))
        self.repeat_span = int(REPEAT) + int(lateness)
        self.longest = max([int(REPEAT), *(int(window.duration) for window in self.windows)]) + int(lateness)

    def new(self) -> AccountState:
        """The state of an account that nobody has seen yet."""
        return AccountState([Track() for _ in self.windows])

    def dump(self, state: AccountState) -> bytes:
        """The state as one record; equal histories give equal bytes."""
        watermark, tracks = state.watermark, state.tracks
        if watermark is None:
            return _encode((_FORMAT, None, state.seen, {}, {}))
        written = {identity: tracks[place] for identity, place in self._dumped}
        try:
            return _encode((_FORMAT, watermark, state.seen, written, {}))
        except OverflowError:  # MessagePack holds 64 bits
            return _encode((_FORMAT, watermark, state.seen, *_wide(written)))

    def load(self, record: bytes, lacked: "Lacked" = lambda _: {}) -> AccountState:
        """The state behind a record, of this rule set or another.

        Windows that this rule set does not know are dropped. Those that the record does not know are asked of
        `lacked`; what it does not have either begins to fill at the watermark, and what is missing is reported as
        partial.

        Raises:
            ValueError: the bytes are no record of this format.
        """
        _, watermark, seen, tracks, texts = _decoded(record)
        for identity, values in texts.items():
            tracks[identity].values = list(map(int, values))
        if watermark is not None and not tracks.keys() >= self._wanted:
            tracks = {**lacked(watermark), **tracks}
        state = AccountState([tracks.get(identity) or Track(watermark) for identity in self.ids])
        state.watermark, state.seen = watermark, seen
        return state

    def is_whole(self, record: bytes) -> bool:
        """Whether the record has every window; raises as `load`."""
        _, watermark, _, tracks, _ = _decoded(record)
        return watermark is None or tracks.keys() >= self._wanted

    def expires_at(self, state: AccountState) -> int | None:
        """Event time (microseconds) of this very account from which on nothing of its state matters to it on time."""
        return None if state.watermark is None else state.watermark + self.longest


Lacked = Callable[[int], Mapping[int, Track]]
"""Tracks by the identity of their windows, for an account with this watermark whose record lacks some."""

_Tracks = dict[int, Track]
_Record = tuple[int, int | None, Ids, _Tracks, dict[int, list[str]]]
"""Format, watermark, ids, tracks by the identity of their windows, and the values of some that are too large."""


class _Versioned(msgspec.Struct, array_like=True):
    version: int


_encode = msgspec.msgpack.Encoder().encode
_decoder: msgspec.msgpack.Decoder[_Record] = msgspec.msgpack.Decoder(_Record)


def _decoded(record: bytes) -> _Record:
    try:
        found = _decoder.decode(record)
        version = found[0]
    except msgspec.DecodeError as error:
        version = _version(record)
        if version == _FORMAT:
            raise ValueError(f"the account's record cannot be read: {error}") from None
    if version != _FORMAT:
        raise ValueError(f"the account's record has format {version}, this version reads {_FORMAT}")
    return found


def _version(record: bytes) -> int:
    try:
        return msgspec.msgpack.decode(record, type=_Versioned).version
    except msgspec.DecodeError as error:
        raise ValueError(f"the account's record cannot be read: {error}") from None


def _wide(tracks: _Tracks) -> tuple[_Tracks, dict[int, list[str]]]:
    """Values beyond 64 bits travel as text, beside their tracks."""
    large = {name: track for name, track in tracks.items() if not all(value in _LONGS for value in track.values)}
    bare = {name: msgspec.structs.replace(track, values=[]) for name, track in large.items()}
    return tracks | bare, {name: list(map(str, track.values)) for name, track in large.items()}
