"""Read a topic as a bystander: no group, no commit, committed records only."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

import msgspec
from confluent_kafka import (
    OFFSET_INVALID,
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from fraud_platform.adapters.kafka_config import client_config, open_client
from fraud_platform.adapters.kafka_errors import is_forbidden, raise_for
from fraud_platform.errors import BrokerUnavailable, ConfigurationError
from fraud_platform.settings import Settings
from fraud_platform.topology import Topic

_POLL_S = 0.2
_GATHER_S = 0.005
_BATCH = 500
_RETRY_S = 0.1
_PASSING = frozenset(
    {
        KafkaError._TRANSPORT,  # noqa: SLF001 - librdkafka's own codes are spelled so, and public
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
        KafkaError._RESOLVE,  # noqa: SLF001
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NETWORK_EXCEPTION,
    }
)
"""Errors that go away by themselves; `KafkaError.retriable()` speaks of transactions only."""


class Stored(msgspec.Struct, frozen=True):
    """One record as it lies in its topic; `timestamp_ms` is Kafka's, epoch ms, None when it has none."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int | None
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


class TopicReader:
    """Reads one topic; a context manager. `timeout_s` bounds each wait for a silent broker.

    At the end of a topic the broker holds an answer back for `hold_ms`: so long it takes to see that an end was
    reached behind which only markers lie, and so often who follows asks while nothing comes.
    """

    def __init__(self, settings: Settings, topic: Topic, *, timeout_s: float = 10.0, hold_ms: int = 50) -> None:
        self._name = settings.naming.topic(topic)
        self._timeout_s = timeout_s
        config = {
            **client_config(settings),
            # librdkafka wants a name even from one that joins no group; nothing is ever stored under it.
            "group.id": f"{settings.prefix}fraud-platform.reader",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "fetch.queue.backoff.ms": 5,
            "fetch.wait.max.ms": hold_ms,
        }
        self._consumer: Consumer = open_client(Consumer, config)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the client."""
        self._consumer.close()

    def bounds(self) -> dict[int, tuple[int, int]]:
        """First offset and last stable offset (exclusive end) per partition, now.

        Raises:
            BrokerUnavailable: no answer.
            ConfigurationError: the topic does not exist.
        """
        return {partition: self._bounds_of(partition) for partition in self._partitions()}

    def starts_at(self, at_ms: int) -> dict[int, int]:
        """Per partition the first offset of a record from `at_ms` (epoch ms) on, or the end when there is none.

        Raises as `bounds`.
        """
        bounds = self.bounds()
        asked = [TopicPartition(self._name, partition, at_ms) for partition in bounds]
        found = self._ask(lambda: self._consumer.offsets_for_times(asked, timeout=self._timeout_s))
        return {each.partition: each.offset if each.offset >= 0 else bounds[each.partition][1] for each in found}

    def read(
        self,
        starts: Mapping[int, int],
        ends: Mapping[int, int] | None = None,
        *,
        stop: Callable[[], bool] = lambda: False,
    ) -> Iterator[Stored]:
        """Records from `starts` on, each partition in order, up to `ends` (exclusive; None = for ever).

        Raises:
            BrokerUnavailable: the broker is silent for the reader's timeout before the end is reached.
        """
        for messages in self.messages(starts, ends, stop=stop):
            yield from map(_stored, messages)

    def messages(
        self,
        starts: Mapping[int, int],
        ends: Mapping[int, int] | None = None,
        *,
        stop: Callable[[], bool] = lambda: False,
        most: int = _BATCH,
    ) -> Iterator[list[Message]]:
        """As `read`, in lists as they come, of the client's own messages; for adapters."""
        still = {p for p, start in starts.items() if ends is None or start < ends[p]}
        if not still:
            return
        self._consumer.assign([TopicPartition(self._name, p, starts[p]) for p in sorted(still)])
        silent_since = time.monotonic()
        while still and not stop():
            # Asked for many at once, the client waits for all of them until the time is over.
            messages = self._consumer.consume(1, _POLL_S)
            if messages:
                messages += self._consumer.consume(most, _GATHER_S)
                silent_since = time.monotonic()
            elif ends is not None and time.monotonic() - silent_since > self._timeout_s:
                raise BrokerUnavailable(f"Kafka went silent while {self._name} was read; is it running?")
            found, handed_over = list(self._sorted_out(messages, ends, still)), time.monotonic()
            yield found
            silent_since += time.monotonic() - handed_over  # nobody asked the broker meanwhile

    def _sorted_out(
        self, messages: list[Message], ends: Mapping[int, int] | None, still: set[int]
    ) -> Iterator[Message]:
        for message in messages:
            error, partition = message.error(), message.partition()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
                self._complain(error)
                continue
            end = None if ends is None else ends[partition]
            if error is None and (end is None or message.offset() < end):
                yield message
            # Past the last record of a range there may be transaction markers only; then the end-of-partition
            # event is what says that the end was reached.
            if end is not None and message.offset() + (error is None) >= end:
                still.discard(partition)

    def _complain(self, error: KafkaError) -> None:
        if is_forbidden(error):
            raise_for(error, f"read {self._name}")
        if error.code() not in _PASSING:
            raise BrokerUnavailable(f"Kafka refuses to read {self._name} ({error.name()}).")

    def _partitions(self) -> list[int]:
        found = self._ask(lambda: self._consumer.list_topics(self._name, timeout=self._timeout_s))
        topic = found.topics[self._name]
        if topic.error is not None or not topic.partitions:
            raise ConfigurationError(
                f"Kafka has no topic {self._name} that we can see; run `make up` to create it, or allow us to read it."
            )
        return sorted(topic.partitions)

    def _bounds_of(self, partition: int) -> tuple[int, int]:
        place = TopicPartition(self._name, partition)
        (low, high) = self._ask(
            lambda: self._consumer.get_watermark_offsets(place, timeout=self._timeout_s, cached=False)
        )
        if OFFSET_INVALID in (low, high):
            raise BrokerUnavailable(f"Kafka does not tell where {self._name} ends; is it running?")
        return low, high

    def _ask(self, question: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + self._timeout_s
        while True:
            try:
                if (answer := question()) is not None:
                    return answer
                name = "no answer in time"
            except KafkaException as error:
                name = error.args[0].name()
                if is_forbidden(error.args[0]):
                    raise_for(error.args[0], f"read {self._name}")
                # A topic that was made a moment ago, or a partition on the move, has no leader yet.
                if error.args[0].code() in _PASSING and time.monotonic() < deadline:
                    time.sleep(_RETRY_S)
                    continue
            raise BrokerUnavailable(f"Kafka does not answer ({name}); is it running?")


def _stored(message: Message) -> Stored:
    kind, timestamp = message.timestamp()
    return Stored(
        topic=str(message.topic()),
        partition=message.partition(),
        offset=message.offset(),
        timestamp_ms=None if kind == TIMESTAMP_NOT_AVAILABLE else timestamp,
        key=message.key(),
        value=message.value(),
        headers=tuple(message.headers() or ()),
    )


def end_offsets(settings: Settings, topic: Topic) -> dict[int, int]:
    """The last stable offset of each partition now; raises as `TopicReader.bounds`."""
    with TopicReader(settings, topic) as reader:
        return {partition: end for partition, (_, end) in reader.bounds().items()}


def read_to_end(settings: Settings, topic: Topic, *, starts: Mapping[int, int] | None = None) -> Iterator[Stored]:
    """Committed records from `starts`, or the beginning, to the end seen now; raises as `TopicReader`."""
    with TopicReader(settings, topic) as reader:
        bounds = reader.bounds()
        begin = {p: max(low, (starts or {}).get(p, low)) for p, (low, _) in bounds.items()}
        yield from reader.read(begin, {p: end for p, (_, end) in bounds.items()})


def newest(reader: TopicReader, limit: int) -> list[Stored]:
    """The last `limit` records of the topic by timestamp, oldest first.

    Offsets hold transaction markers and compaction's gaps too, so the window back from the end widens
    until it holds enough.
    """
    bounds = reader.bounds()
    ends = {partition: end for partition, (_, end) in bounds.items()}
    width = limit
    while True:
        starts = {p: max(low, end - width) for p, (low, end) in bounds.items()}
        found = list(reader.read(starts, ends))
        short = {p for p, start in starts.items() if start > bounds[p][0]}
        short -= {p for p in short if sum(record.partition == p for record in found) >= limit}
        if not short:
            ordered = sorted(found, key=lambda record: (record.timestamp_ms or 0, record.partition, record.offset))
            return ordered[-limit:] if limit else []
        width *= 4
