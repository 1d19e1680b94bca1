"""A broker in memory: partitions, transactions with markers, groups with static members, fencing."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from confluent_kafka import murmur2

from fraud_platform.core.log import Batch, Committed, Log, OutputRefused, Partition, Position
from fraud_platform.core.outcome import Outgoing, Record
from fraud_platform.errors import BrokerUnavailable, Fenced, InputLost


class FakeBroker:
    """Topics as lists of slots; a slot is a record or a transaction's marker (None)."""

    def __init__(self, topics: Mapping[str, int]) -> None:
        self.partitions: dict[Partition, list[Record | None]] = {
            Partition(topic, number): [] for topic, count in topics.items() for number in range(count)
        }
        self.offsets: dict[str, dict[Partition, Position]] = defaultdict(dict)
        self.members: dict[str, dict[str, FakeLog]] = defaultdict(dict)
        self.low: dict[Partition, int] = defaultdict(int)
        self.max_value_bytes = 1_000_000
        self.oldest_ms = 0
        self.is_down = False
        self.fail_next_commit_after_it_happened = False
        self.abort_next_commit = False

    def append(self, topic: str, number: int, value: bytes | None, *, key: bytes | None = None, at_ms: int = 0) -> int:
        log = self.partitions[Partition(topic, number)]
        log.append(Record(topic, number, len(log), at_ms, key, value))
        return len(log) - 1

    def records(self, topic: str) -> list[Record]:
        return [r for p, log in self.partitions.items() if p.topic == topic for r in log if r is not None]

    def refuses(self, output: Outgoing) -> bool:
        return len(output.value or b"") > self.max_value_bytes or output.timestamp_ms < self.oldest_ms

    def truncate(self, partition: Partition, low: int) -> None:
        self.low[partition] = low

    def rebalance(self, group: str) -> None:
        """Range assignment over the members, per topic."""
        members = sorted(self.members[group])
        for index, name in enumerate(members):
            log = self.members[group][name]
            mine = [p for p in self.partitions if p.topic in log.reads and p.number % len(members) == index]
            log.take(mine)


class FakeLog(Log):
    def __init__(
        self,
        broker: FakeBroker,
        *,
        group: str,
        slot: str,
        reads: Sequence[str],
        resume_points: Mapping[Partition, int] | None = None,
        max_records: int = 5000,
    ) -> None:
        self.broker = broker
        self.group = group
        self.slot = slot
        self.reads = tuple(reads)
        self.generation = 0
        self.committed: dict[Partition, Committed] = {}
        self.closed = False
        self.broken = False
        self._positions: dict[Partition, int] = {}
        self._resume_points = dict(resume_points or {})
        self._held = False
        self._unsettled: list[Partition] | None = None
        self._told: dict[Partition, int] = {}
        self._max_records = max_records
        if broker.is_down:
            raise BrokerUnavailable("down")
        broker.members[group][slot] = self
        broker.rebalance(group)

    def take(self, partitions: Sequence[Partition]) -> None:
        self._unsettled = list(partitions)
        self.committed = {}
        self.generation += 1

    def poll(self, timeout_s: float) -> Batch:
        self._check_owner()
        if self.broker.is_down:
            return Batch([], {})
        if self._unsettled is not None:
            self._settle(self._unsettled)
            return Batch([], {})
        if self._held:
            return Batch([], {})
        return self._read()

    def _settle(self, partitions: Sequence[Partition]) -> None:
        stored = self.broker.offsets[self.group]
        for p in partitions:
            if p in stored:
                self.committed[p] = Committed(stored[p].offset, stored[p].metadata)
            else:
                start = self._resume_points.get(p, self.broker.low[p])
                self.committed[p] = Committed(start, confirmed=False)
        self._positions = {p: c.offset for p, c in self.committed.items()}
        self._told = {}
        self._unsettled = None
        self.generation += 1

    def _read(self) -> Batch:
        records: list[Record] = []
        positions: dict[Partition, int] = {}
        for p in self.committed:
            log = self.broker.partitions[p]
            if self._positions[p] < self.broker.low[p] or self._positions[p] > len(log):
                raise InputLost("out of range")
            while self._positions[p] < len(log) and len(records) < self._max_records:
                record = log[self._positions[p]]
                self._positions[p] += 1
                if record is not None:
                    records.append(record)
                    positions[p] = record.offset + 1
            at_end = self._positions[p] == len(log)
            if at_end and self._told.get(p) != len(log):  # the end is told once, as Kafka does
                self._told[p] = positions[p] = len(log)
        return Batch(records, positions)

    def commit(self, outputs: Iterable[Outgoing], positions: Mapping[Partition, Position]) -> None:
        if not positions:
            raise ValueError("a commit needs at least one position")
        self._check_owner()
        if self.broken or self.broker.is_down:
            self.broken = True
            raise BrokerUnavailable("unclear")
        outputs = list(outputs)
        if self.broker.abort_next_commit:
            self.broker.abort_next_commit = False
            self.broken = True
            raise BrokerUnavailable("aborted")
        refused = [o for o in outputs if self.broker.refuses(o)]
        if refused:
            raise OutputRefused(refused, "too large or too old")
        touched = set()
        for output in outputs:
            count = sum(1 for p in self.broker.partitions if p.topic == output.topic)
            number = murmur2(output.key or b"", count)
            self.broker.append(output.topic, number, output.value, key=output.key, at_ms=output.timestamp_ms)
            touched.add(Partition(output.topic, number))
        for p in touched:
            self.broker.partitions[p].append(None)
        self.broker.offsets[self.group].update(positions)
        if self.broker.fail_next_commit_after_it_happened:
            self.broker.fail_next_commit_after_it_happened = False
            self.broken = True
            raise BrokerUnavailable("the reply was lost")
        self.committed.update({p: Committed(at.offset, at.metadata) for p, at in positions.items()})

    def recover(self) -> None:
        if self.broker.is_down:
            raise BrokerUnavailable("down")
        self.broken = False
        self._held = False
        self._unsettled = list(self.committed) if self._unsettled is None else self._unsettled
        self.committed = {}
        self.generation += 1

    def hold(self) -> None:
        self._held = True

    def close(self) -> None:
        self.closed = True
        if self.broker.members[self.group].get(self.slot) is self:
            del self.broker.members[self.group][self.slot]
            self.broker.rebalance(self.group)

    def _check_owner(self) -> None:
        if self.broker.members[self.group].get(self.slot) is not self:
            raise Fenced("another process took over this slot")
