"""Past records out of the broker in memory, some at a time."""

from collections.abc import Iterator, Mapping

from fraud_platform.core.log import Partition
from fraud_platform.core.outcome import Record
from fraud_platform.core.rereading import Begin, Rereader
from fraud_platform.errors import BrokerUnavailable
from tests.fakes.log import FakeBroker


class FakeRereader(Rereader):
    def __init__(self, broker: FakeBroker, topic: str, *, per_read: int = 10_000) -> None:
        self.broker = broker
        self.topic = topic
        self.begun: list[dict[int, int]] = []
        self.given: list[int] = []
        """Offsets of the records that were read."""
        self.closed = False
        self.positions: dict[int, int] = {}
        self.per_read = per_read

    def begin(self, at_ms: Mapping[int, int]) -> Mapping[int, Begin]:
        self._require()
        self.begun.append(dict(at_ms))
        found = {}
        for number, moment in at_ms.items():
            log, first = self._log(number), self.broker.low[Partition(self.topic, number)]
            fitting = (r.offset for r in log[first:] if r is not None and r.timestamp_ms >= moment)
            found[number] = Begin(next(fitting, len(log)), first)
        self.positions = {number: begin.offset for number, begin in found.items()}
        return found

    def read(self, upto: Mapping[int, int], within_s: float) -> Iterator[Record]:
        self._require()
        left = self.per_read
        for number, end in upto.items():
            while self.positions[number] < end and left:
                record = self._log(number)[self.positions[number]]
                self.positions[number] += 1
                left -= 1
                if record is not None:
                    self.given.append(record.offset)
                    yield record

    def close(self) -> None:
        self.closed = True

    def _log(self, number: int) -> list[Record | None]:
        return self.broker.partitions[Partition(self.topic, number)]

    def _require(self) -> None:
        if self.broker.is_down:
            raise BrokerUnavailable("down")
