"""A changelog over the broker in memory; an end can be held back, as an open transaction does."""

from collections.abc import Collection, Sequence

from confluent_kafka import murmur2

from fraud_platform.core.changelog import Change, Changelog
from fraud_platform.core.log import Partition
from fraud_platform.errors import BrokerUnavailable
from tests.fakes.log import FakeBroker


class FakeChangelog(Changelog):
    def __init__(self, broker: FakeBroker, topic: str, *, per_read: int = 10_000) -> None:
        self.broker = broker
        self.topic = topic
        self.stable: dict[int, int] = {}
        """Where a reader of committed data has to stop, per partition."""
        self.begun: list[list[int]] = []
        self.closed = False
        self._per_read = per_read
        self._left: dict[int, tuple[int, int]] = {}

    def begin(self, numbers: Collection[int]) -> None:
        if self.broker.is_down:
            raise BrokerUnavailable("down")
        self.begun.append(sorted(numbers))
        ends = {number: len(self.broker.partitions[Partition(self.topic, number)]) for number in numbers}
        self._left = {number: (0, end) for number, end in ends.items() if end}

    def read(self, within_s: float) -> Sequence[Change]:
        if self.broker.is_down:
            raise BrokerUnavailable("down")
        found: list[Change] = []
        for number, (at, end) in list(self._left.items()):
            upto = min(end, self.stable.get(number, end), at + self._per_read)
            records = self.broker.partitions[Partition(self.topic, number)][at:upto]
            found += [Change(number, r.key or b"", r.value, r.timestamp_ms) for r in records if r is not None]
            self._left[number] = (upto, end)
            if upto == end:
                del self._left[number]
        return found

    @property
    def is_whole(self) -> bool:
        return not self._left

    def place(self, key: bytes) -> int:
        return murmur2(key, sum(1 for p in self.broker.partitions if p.topic == self.topic))

    def close(self) -> None:
        self.closed = True
