"""The raw log, the stored decisions, dead letters and labels, as a replay reads them: a bystander, never whole."""

from collections.abc import Callable, Iterator, Mapping
from typing import Self

from confluent_kafka import Message, murmur2

from fraud_platform.adapters.avro import AvroReader
from fraud_platform.adapters.reader import TopicReader
from fraud_platform.adapters.registry import SchemaRegistry
from fraud_platform.adapters.stored_decision import DecisionReader
from fraud_platform.core.decisions import Decision
from fraud_platform.core.label import parse_label
from fraud_platform.core.outcome import Record, Rejected
from fraud_platform.rules.window import mark
from fraud_platform.settings import Settings
from fraud_platform.topology import STAGES, Stage, Topic

_MOST = 5_000
TIMEOUT_S = 30.0

Offsets = Mapping[int, int]


class RawLog(TopicReader):
    """One input topic."""

    def __init__(self, settings: Settings, topic: Topic) -> None:
        super().__init__(settings, topic, timeout_s=TIMEOUT_S)

    def records(self, starts: Offsets, ends: Offsets, *, stop: Callable[[], bool]) -> Iterator[list[Record]]:
        """Committed records in `[start, end)` of each partition, in its order; raises as `TopicReader.read`."""
        for messages in self.messages(starts, ends, stop=stop, most=_MOST):
            yield [_record(message) for message in messages]

    def first_times(self, starts: Offsets, ends: Offsets) -> dict[int, int]:
        """Kafka timestamp (epoch ms) of the first record of each partition that has one; raises as `read`."""
        found = {}
        for partition, start in starts.items():
            first = next(self.read({partition: start}, {partition: ends[partition]}), None)
            if first is not None:
                found[partition] = first.timestamp_ms or 0
        return found


class StoredDecisions:
    """The decisions of one stage that are dated from a moment on, in the order of each partition; a context manager."""

    def __init__(self, settings: Settings, stage: Stage, from_ms: int) -> None:
        """`from_ms`: Kafka time of the oldest that is wanted. Raises as `TopicReader.bounds`."""
        others = [name for name, each in STAGES.items() if Topic.DECISIONS in each.writes and each is not stage]
        decode = AvroReader(SchemaRegistry(settings)).decoder(Topic.DECISIONS)
        self._read = DecisionReader(decode, stage.name, others).read
        self._reader = TopicReader(settings, Topic.DECISIONS, timeout_s=TIMEOUT_S)
        ends = {partition: end for partition, (_, end) in self._reader.bounds().items()}
        self._messages = self._reader.messages(self._reader.starts_at(from_ms), ends, most=_MOST)
        self._clock = dict.fromkeys(ends, 0)
        self.is_over = False
        self.unreadable = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._messages.close()  # type: ignore[attr-defined]
        self._reader.__exit__()

    def more(self) -> list[tuple[str, int, Decision]]:
        """The next transactions, Kafka timestamps and decisions; `is_over` tells that there are none.

        Raises: as `TopicReader.read`; RegistryUnavailable.
        """
        messages = next(self._messages, None)
        if messages is None:
            self.is_over = True
            return []
        return [each for message in messages if (each := self._decision(message)) is not None]

    def are_past(self, at_ms: int) -> bool:
        """Whether every partition that holds decisions was read to after that time."""
        return all(clock > at_ms for clock in self._clock.values())

    def is_past(self, transaction_id: str, at_ms: int) -> bool:
        """Whether the partition of the transaction's decisions was read to after that time."""
        place = murmur2(transaction_id.encode("utf-8", "surrogatepass"), len(self._clock))
        return self._clock[place] > at_ms

    def _decision(self, message: Message) -> tuple[str, int, Decision] | None:
        found = self._read(message.key(), message.value())
        if found is None:
            return None
        if isinstance(found, Rejected):
            self.unreadable += 1
            return None
        at_ms, partition = message.timestamp()[1], message.partition()
        self._clock[partition] = max(self._clock[partition], at_ms)
        return found[0], at_ms, found[1]


def place_among(count: int) -> Callable[[bytes], int]:
    """Where a key belongs among so many partitions."""
    return lambda key: int(murmur2(key, count))


def dead_offsets(settings: Settings, stage: Stage, from_ms: int) -> dict[int, set[int]]:
    """By input partition, the offsets of records that the stage made dead letters of, from that moment on.

    Raises as `TopicReader`.
    """
    found: dict[int, set[int]] = {}
    wire = {settings.naming.topic(topic) for topic in stage.reads}
    with TopicReader(settings, Topic.DEAD_LETTERS, timeout_s=TIMEOUT_S) as reader:
        ends = {partition: end for partition, (_, end) in reader.bounds().items()}
        for record in reader.read(reader.starts_at(from_ms), ends):
            headers = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
            place = headers.get("partition", ""), headers.get("offset", "")
            is_ours = headers.get("stage") == stage.name and headers.get("topic") in wire
            if is_ours and all(each.isdecimal() for each in place):
                found.setdefault(int(place[0]), set()).add(int(place[1]))
    return found


class Labels:
    """The labels from a moment on, up to those that were there when it was asked first; read anew each time."""

    def __init__(self, settings: Settings, from_ms: int) -> None:
        """`from_ms`: Kafka time. Raises as `TopicReader`."""
        self._settings = settings
        with TopicReader(settings, Topic.LABELS, timeout_s=TIMEOUT_S) as reader:
            self._ends = {partition: end for partition, (_, end) in reader.bounds().items()}
            self._starts = reader.starts_at(from_ms)

    def __iter__(self) -> Iterator[tuple[int, bool]]:
        """Mark of each labelled transaction, and whether it was fraud; a later one holds. Raises as `TopicReader`."""
        with TopicReader(self._settings, Topic.LABELS, timeout_s=TIMEOUT_S) as reader:
            yield from self._read(reader)

    def _read(self, reader: TopicReader) -> Iterator[tuple[int, bool]]:
        for messages in reader.messages(self._starts, self._ends, most=_MOST):
            for message in messages:
                label = parse_label(message.value())
                if not isinstance(label, Rejected):
                    yield mark(label.transaction_id), label.is_fraud


def _record(message: Message) -> Record:
    return Record(
        message.topic() or "", message.partition() or 0, message.offset() or 0, message.timestamp()[1], None,
        message.value(),
    )  # fmt: skip
