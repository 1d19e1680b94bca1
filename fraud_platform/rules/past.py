"""What windows that are new to a rule set would hold by now, had they been kept: tables of an input's past lines.

A line is never dated more than a day after its record (`core.statement.time_fault`). So whoever reads a partition from
the first record of a moment on has seen all lines that are dated more than a day later. A transaction id may come again
within a day of event time: what is dated more than two days later is not even a repetition of an unseen line.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime

from fraud_platform.core.outcome import Record, Rejected
from fraud_platform.core.statement import AHEAD_MS, canonical_key, parse_statement, time_fault
from fraud_platform.rules.account import AccountState, Layout
from fraud_platform.rules.duration import Duration
from fraud_platform.rules.events import event_of_statement
from fraud_platform.rules.moment import remembered
from fraud_platform.rules.repeats import REPEAT
from fraud_platform.rules.rule_set import micros
from fraud_platform.rules.track import Track

UNSURE_US = AHEAD_MS * 1000 + int(REPEAT)
"""So long after the time of the first record that was read, a line may still be, or repeat, one that was not read."""
LIVE_TRACKS = 500_000
"""Windows of accounts that stay unpacked, the latest."""


def part_of(layout: Layout, ids: Collection[int], *, lateness: Duration | None = None) -> Layout:
    """The layout of these windows alone, by their identities; those that it does not have are left out.

    `lateness`: another one than the layout's.
    """
    kept = [window for window, identity in zip(layout.windows, layout.ids, strict=True) if identity in ids]
    return Layout(kept, layout.lateness if lateness is None else lateness)


def begins_ms(layout: Layout, since: datetime | None) -> int:
    """Kafka time (epoch ms) of the first line that the windows of this layout need.

    What is on time at `since`, when the rule set was published, finds its windows whole. None = all that there is.
    """
    if since is None or not layout.windows:
        return 0
    longest = max(int(window.duration) for window in layout.windows) + int(layout.lateness)
    return max(0, (micros(since) - longest - UNSURE_US) // 1000)


class Past:
    """The windows of one partition's accounts, filled line by line as a judge fills them, without judging.

    `layout` has the windows that are wanted, no others; `is_here` tells whether an account's key belongs on the
    partition. `begins_ms` is the Kafka time from which on every record is given to `take`, None = from the first
    record that the partition ever had, so that nothing is missing.
    """

    def __init__(
        self,
        layout: Layout,
        *,
        begins_ms: int | None,
        is_here: Callable[[bytes], bool] = lambda _: True,
        live: int = LIVE_TRACKS,
    ) -> None:
        self.layout = layout
        self._floor = None if begins_ms is None else begins_ms * 1000 + UNSURE_US
        self._is_here = is_here
        self._most = live // (1 + len(layout.windows))
        self._live: dict[bytes, AccountState] = {}
        self._packed: dict[bytes, bytes] = {}

    def take(self, record: Record) -> None:
        """The next record of the partition, in order."""
        statement = parse_statement(record.value)
        if isinstance(statement, Rejected):
            return
        key = canonical_key(statement.account_number, statement.bank_id)
        if not self._is_here(key) or time_fault(statement, record.timestamp_ms) is not None:
            return
        state = self._live.pop(key, None) or self._unpacked(key)
        remembered(event_of_statement(statement), state, self.layout)
        self._live[key] = state
        if len(self._live) > self._most:
            self._pack(next(iter(self._live)))

    def tracks(self, key: bytes, watermark: int) -> Mapping[int, Track]:
        """What the account's windows hold, by their identities; the caller's own, to go on with.

        `watermark` is the account's newest event time: nothing of it is missing after that.
        """
        if key in self._live:
            self._pack(key)
        state = self._unpacked(key)
        for track in state.tracks:
            if track.floor is not None and track.floor > watermark:
                track.floor = watermark
        return dict(zip(self.layout.ids, state.tracks, strict=True))

    def _unpacked(self, key: bytes) -> AccountState:
        record = self._packed.get(key)
        if record is not None:
            return self.layout.load(record)
        if self._floor is None:
            return self.layout.new()
        return AccountState([Track(self._floor) for _ in self.layout.windows])

    def _pack(self, key: bytes) -> None:
        self._packed[key] = self.layout.dump(self._live.pop(key))
