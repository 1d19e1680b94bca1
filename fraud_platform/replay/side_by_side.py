"""Both topics of a stage read at once, so that neither gets far ahead of the other."""

from collections.abc import Callable, Sequence

from fraud_platform.adapters.raw_log import RawLog, StoredDecisions
from fraud_platform.core.decisions import Decision
from fraud_platform.replay.book import Book
from fraud_platform.replay.report import Range
from fraud_platform.replay.session import Look, Session
from fraud_platform.replay.tally import Tally
from fraud_platform.runtime.litter import Litter

_PAST_MS = 60_000
_AHEAD, _BEHIND = 100_000, 2_000
"""Most stored decisions that are read ahead of their records, and records ahead of their decisions."""

Made = Callable[[Look], tuple[Session, Book, Tally]]
Tell = Callable[[int, int], object]
Stop = Callable[[], bool]


class SideBySide:
    """Reads records and stored decisions so that neither gets far ahead of the other."""

    def __init__(self, decisions: StoredDecisions, session: Made) -> None:
        self._decisions = decisions
        self._session, self._book, self.tally = session(self._look)
        self._litter = Litter()

    def run(self, log: RawLog, ranges: Sequence[Range], tell: Tell, stop: Stop) -> int:
        """Replay; how many records came before the range."""
        try:
            return self._run(log, ranges, tell, stop)
        finally:
            self._litter.close()

    def _run(self, log: RawLog, ranges: Sequence[Range], tell: Tell, stop: Stop) -> int:
        starts = {each.partition: each.warm for each in ranges}
        begins = {each.partition: each.start for each in ranges}
        ends = {each.partition: each.end for each in ranges}
        read, warmed, size = 0, 0, sum(ends[p] - starts[p] for p in ends)
        take = self._session.take
        for records in log.records(starts, ends, stop=stop):
            for record in records:
                counts = record.offset >= begins[record.partition]
                take(record, counts=counts)
                warmed += not counts
            read += len(records)
            self._litter.sweep()
            tell(read, size)
            while self._book.waiting > _BEHIND and self._book.stored < _AHEAD and not self._decisions.is_over:
                self._hear()
        self._session.close()
        while self._book.waiting and not self._decisions.is_over and not stop():
            self._hear()
        return warmed

    @property
    def waits(self) -> bool:
        """Whether a record has found no decision."""
        return self._book.waiting > 0

    def look_back(self, older: StoredDecisions, until_ms: int) -> None:
        """Hear those dated before `until_ms` too: a decision about a record from the near future has the clock's time.

        Only those that a record may wait for are kept.
        """
        while not older.is_over and not older.are_past(until_ms):
            for name, at_ms, decision in older.more():
                if at_ms < until_ms:
                    self._session.hear(name, at_ms, decision)

    def finish(self) -> None:
        """Nothing will come any more."""
        self._session.finish()

    def _hear(self) -> None:
        hear = self._session.hear
        for name, at_ms, decision in self._decisions.more():
            hear(name, at_ms, decision)

    def _look(self, transaction_id: str, at_ms: int) -> Decision | None:
        decisions, book = self._decisions, self._book
        found = None
        while (
            not decisions.is_over and book.stored < _AHEAD and not decisions.is_past(transaction_id, at_ms + _PAST_MS)
        ):
            self._hear()
            found = book.take(transaction_id, at_ms)
            if found is not None:
                break
        return found
