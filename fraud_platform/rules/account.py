"""What is remembered of one account, and its one bounded record."""

from collections.abc import Sequence
from itertools import accumulate, chain
from operator import sub

import msgspec

from fraud_platform.rules.duration import Duration
from fraud_platform.rules.parameters import write
from fraud_platform.rules.repeats import REPEAT, Ids
from fraud_platform.rules.rule_set import digest
from fraud_platform.rules.track import ALWAYS, Track, room
from fraud_platform.rules.window import Window, mark

_FORMAT = 2
_SMALL = 2**63


class AccountState:
    """`watermark`: newest event time; `seen`: the ids of what was accepted; one track per window."""

    __slots__ = ("seen", "tracks", "watermark")

    def __init__(self, tracks: list[Track]) -> None:
        self.watermark: int | None = None
        self.seen = Ids()
        self.tracks = tracks


class Layout:
    """The windows of a rule set, and what is kept for them; shared by all accounts.

    `plans` holds each window with its kind, its duration and how long it keeps a transaction, in microseconds,
    and the room that it may take.
    """

    def __init__(self, windows: Sequence[Window], lateness: Duration) -> None:
        self.windows = tuple(windows)
        self.lateness = lateness
        self.plans = tuple(
            (window, window.kind, int(each), int(each) + int(lateness), room(int(each), int(lateness)))
            for window, each in ((window, window.duration) for window in self.windows)
        )
        self.ids = tuple(mark(digest(write(window))) for window in self.windows)
        self._dumped = sorted((identity, place) for place, identity in enumerate(self.ids))
        self.repeat_span = int(REPEAT) + int(lateness)
        self.longest = max([int(REPEAT), *(int(window.duration) for window in self.windows)]) + int(lateness)

    def new(self) -> AccountState:
        """The state of an account that nobody has seen yet."""
        return AccountState([Track() for _ in self.windows])

    def dump(self, state: AccountState) -> bytes:
        """The state as one record; equal histories give equal bytes."""
        watermark = state.watermark
        if watermark is None:
            return _encode((_FORMAT, None, None, {}))
        tracks = {}
        for identity, place in self._dumped:
            track = state.tracks[place]
            track.forget(watermark - self.plans[place][3])
            tracks[identity] = _kept(track)
        ids = (_steps(state.seen.times), state.seen.marks, state.seen.forgotten)
        try:
            return _encode((_FORMAT, watermark, ids, tracks))
        except OverflowError:  # MessagePack holds 64 bits
            return _encode((_FORMAT, watermark, ids, {name: _portable(kept) for name, kept in tracks.items()}))

    def load(self, record: bytes) -> AccountState:
        """The state behind a record, of this rule set or another.

        Windows that this rule set does not know are dropped; those that the record does not know begin to fill
        at its watermark, and what they miss is reported as partial.

        Raises:
            ValueError: the bytes are no record of this format.
        """
        version, watermark, ids, tracks = _decoded(record)
        if version != _FORMAT:
            raise ValueError(f"the account's record has format {version}, this version reads {_FORMAT}")
        state = self.new()
        state.watermark = watermark
        if watermark is None or ids is None:
            return state
        steps, marks, forgotten = ids
        state.seen = Ids(marks, accumulate(steps), forgotten)
        for place, identity in enumerate(self.ids):
            state.tracks[place] = _track(tracks[identity]) if identity in tracks else Track(floor=watermark)
        return state

    def expires_at(self, state: AccountState) -> int | None:
        """Event time (microseconds) of this very account from which on nothing of its state matters to it on time."""
        return None if state.watermark is None else state.watermark + self.longest


_Kept = tuple[int | None, Sequence[int], Sequence[int], list[int], Sequence[int | str]]
_Ids = tuple[list[int], list[int], int | None]
_Record = tuple[int, int | None, _Ids | None, dict[int, _Kept]]
_encode = msgspec.msgpack.Encoder().encode
_decoder: msgspec.msgpack.Decoder[_Record] = msgspec.msgpack.Decoder(_Record)


def _decoded(record: bytes) -> _Record:
    try:
        return _decoder.decode(record)
    except msgspec.DecodeError as error:
        raise ValueError(f"the account's record cannot be read: {error}") from None


def _kept(track: Track) -> _Kept:
    floor = None if track.floor == ALWAYS else track.floor
    if track.counts.count(1) == len(track.counts):
        return floor, _steps(track.times), [], [], track.values
    lengths = list(map(sub, track.times, track.begins))
    return floor, _steps(track.times), lengths, track.counts, track.values


def _track(kept: _Kept) -> Track:
    floor, steps, lengths, counts, values = kept
    track = Track(ALWAYS if floor is None else floor)
    track.times, track.counts, track.values = list(accumulate(steps)), counts, list(map(int, values))
    if lengths:
        track.begins = list(map(sub, track.times, lengths))
    return track


def _steps(times: Sequence[int]) -> list[int]:
    """Differences: small numbers take few bytes."""
    return list(map(sub, times, chain((0,), times)))


def _portable(kept: _Kept) -> _Kept:
    """Larger sums travel as text."""
    floor, steps, lengths, counts, values = kept
    return floor, steps, lengths, counts, [v if -_SMALL <= int(v) < 2 * _SMALL else str(v) for v in values]
