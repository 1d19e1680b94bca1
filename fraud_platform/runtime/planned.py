"""Exactly once into a store without transactions: plan a range, write it, commit its end.

Before any write the range's end is committed as *metadata* of its start, in a Kafka transaction. Every
later owner of the partition replays exactly that range, so that even a late write of a fenced process
carries the same bytes under the same name. Without the plan a late write lost rows (ARCHITECTURE.md).
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from fraud_platform.core.log import Batch, Log, Partition, Position
from fraud_platform.core.outcome import Outcome, Outgoing, Record
from fraud_platform.failpoints import Point, reach
from fraud_platform.runtime.handler import Handler
from fraud_platform.runtime.scribe import Scribe

_PLAN = "plan:"


def plan_metadata(end: int) -> str:
    """The commit's note that `[committed offset, end)` is being written."""
    return f"{_PLAN}{end}"


def planned_end(metadata: str) -> int | None:
    """The end of the range that an earlier owner has planned, or None."""
    return int(metadata.removeprefix(_PLAN)) if metadata.startswith(_PLAN) else None


class Range(msgspec.Struct, frozen=True):
    """Records of `[start, end)` of one partition; offsets without a record are markers."""

    partition: Partition
    start: int
    end: int
    records: tuple[Record, ...]


class RangeWriter(ABC):
    """A store that takes ranges; writing one again with the same records changes nothing."""

    @abstractmethod
    def write(self, planned: Range) -> Sequence[Outcome]:
        """Store the range and return one outcome per record. Called from several threads at once.

        Raises:
            StoreUnavailable: not stored, or not known; the same range comes again.
        """


class _Buffer:
    """What was read of one partition and not committed."""

    def __init__(self, start: int, planned: int | None) -> None:
        self.start = start
        self.position = start
        self.planned = planned
        self.records: list[Record] = []
        self.bytes = 0

    def add(self, records: Sequence[Record]) -> None:
        self.records.extend(records)
        self.bytes += sum(len(record.value or b"") for record in records)

    @property
    def end(self) -> int | None:
        """Where the next range can end: a plan must be read up to its end first, then kept to it."""
        if self.planned is not None:
            return self.planned if self.position >= self.planned else None
        return self.position if self.position > self.start else None

    def range(self, partition: Partition, end: int) -> Range:
        return Range(partition, self.start, end, tuple(r for r in self.records if r.offset < end))

    def written(self, end: int) -> None:
        self.records = [record for record in self.records if record.offset >= end]
        self.bytes = sum(len(record.value or b"") for record in self.records)
        self.start, self.planned = end, None


class PlannedSink(Handler):
    """Collects ranges until they are large or old enough, then plans, writes and commits them."""

    def __init__(
        self,
        log: Log,
        scribe: Scribe,
        writer: RangeWriter,
        *,
        clock: Callable[[], float],
        flush_seconds: float,
        flush_bytes: int,
        writers: int = 4,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(log, scribe)
        self._writer = writer
        self._clock = clock
        self._flush_seconds = flush_seconds
        self._flush_bytes = flush_bytes
        self._pool = ThreadPoolExecutor(writers, thread_name_prefix="range-writer")
        self._close = close
        self._buffers: dict[Partition, _Buffer] = {}
        self._opened_at: float | None = None

    def reset(self) -> None:
        """Start each partition at its committed offset, bound to the plan that an earlier owner left."""
        self._buffers = {p: _Buffer(c.offset, planned_end(c.metadata)) for p, c in self._log.committed.items()}
        self._opened_at = None

    def handle(self, batch: Batch) -> None:
        """Keep the batch; write when a batch is 64 MB large, its time is over, or a plan is complete."""
        for partition, records in _by_partition(batch.records):
            self._buffers[partition].add(records)
        for partition, position in batch.positions.items():
            self._buffers[partition].position = max(self._buffers[partition].position, position)
        now = self._clock()
        if self._opened_at is None and (self._unconfirmed() or any(b.end for b in self._buffers.values())):
            self._opened_at = now
        if self._due(now):
            self.flush()

    def flush(self) -> None:
        """Plan, write and commit every range that can be closed now."""
        ends = {p: end for p, buffer in self._buffers.items() if (end := buffer.end) is not None}
        ranges = [self._buffers[p].range(p, end) for p, end in ends.items()]
        fresh = [planned for planned in ranges if planned.records and self._buffers[planned.partition].planned is None]
        if fresh or self._unconfirmed():
            self._plan(fresh)
            reach(Point.AFTER_PLAN)
        outcomes = list(self._pool.map(self._write, ranges))
        if ranges:
            self._finish(ranges, outcomes)
        for partition, end in ends.items():
            self._buffers[partition].written(end)
        self._opened_at = self._clock() if any(b.records for b in self._buffers.values()) else None

    def close(self) -> None:
        """Stop the writers."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._close()

    def _due(self, now: float) -> bool:
        if any(b.planned is not None and b.end is not None for b in self._buffers.values()):
            return True
        if self._opened_at is not None and now - self._opened_at >= self._flush_seconds:
            return True
        return sum(buffer.bytes for buffer in self._buffers.values()) >= self._flush_bytes

    def _unconfirmed(self) -> dict[Partition, Position]:
        return {p: Position(c.offset) for p, c in self._log.committed.items() if not c.confirmed}

    def _plan(self, ranges: Sequence[Range]) -> None:
        plans = {r.partition: Position(r.start, plan_metadata(r.end)) for r in ranges}
        self._commit([], {**self._unconfirmed(), **plans}, {}, dict)
        for planned in ranges:
            self._buffers[planned.partition].planned = planned.end

    def _write(self, planned: Range) -> Sequence[Outcome]:
        return self._writer.write(planned) if planned.records else ()

    def _finish(self, ranges: Sequence[Range], outcomes: Sequence[Sequence[Outcome]]) -> None:
        dead_letters: list[Outgoing] = []
        counts: Counter[str] = Counter()
        for planned, results in zip(ranges, outcomes, strict=True):
            dead_letters += self._scribe.outputs(planned.records, results)
            counts.update(outcome.name for outcome in results)
        positions = {planned.partition: Position(planned.end) for planned in ranges}
        self._commit(dead_letters, positions, {r.partition: len(r.records) for r in ranges}, lambda: counts)


def _by_partition(records: Sequence[Record]) -> Iterator[tuple[Partition, list[Record]]]:
    grouped: dict[Partition, list[Record]] = {}
    for record in records:
        grouped.setdefault(Partition(record.topic, record.partition), []).append(record)
    yield from grouped.items()
