"""Reads a topic outside of any group: committed records up to the end that was there at the start."""

from collections.abc import Iterator, Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from fraud_platform.adapters.kafka_config import client_config
from fraud_platform.core.outcome import Record
from fraud_platform.errors import BrokerUnavailable, ConfigurationError
from fraud_platform.settings import Settings

TIMEOUT_S = 10.0


def _consumer(settings: Settings) -> Consumer:
    return Consumer({
        **client_config(settings),
        "group.id": "unused",  # the client insists on one; nothing is ever committed
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "isolation.level": "read_committed",
        "auto.offset.reset": "earliest",
        "fetch.queue.backoff.ms": 5,
    })


def end_offsets(settings: Settings, topic: str) -> dict[int, int]:
    """The last stable offset of each partition of `topic` (name on the broker).

    Raises:
        BrokerUnavailable: no answer.
        ConfigurationError: there is no such topic.
    """
    consumer = _consumer(settings)
    try:
        return {p: _watermarks(consumer, topic, p)[1] for p in _partitions(consumer, topic)}
    finally:
        consumer.close()


def read_to_end(settings: Settings, topic: str, *, starts: Mapping[int, int] | None = None) -> Iterator[Record]:
    """Committed records of `topic` in partition order, from `starts` or the beginning, to the end seen now.

    Raises as `end_offsets`.
    """
    consumer = _consumer(settings)
    try:
        begin: list[TopicPartition] = []
        ends: dict[int, int] = {}
        for partition in _partitions(consumer, topic):
            low, high = _watermarks(consumer, topic, partition)
            first = max(low, (starts or {}).get(partition, low))
            if first < high:
                begin.append(TopicPartition(topic, partition, first))
                ends[partition] = high
        consumer.assign(begin)
        yield from _records(consumer, ends)
    finally:
        consumer.close()


def _records(consumer: Consumer, ends: dict[int, int]) -> Iterator[Record]:
    open_partitions = set(ends)
    while open_partitions:
        # Asked for many at once, the client would wait for all of them until the time is over.
        messages = consumer.consume(1, TIMEOUT_S)
        messages += consumer.consume(1000, 0.01) if messages else []
        if not messages:
            raise BrokerUnavailable("Kafka sends no more records of a topic that has some.")
        for m in messages:
            error, partition, offset = m.error(), m.partition(), m.offset()
            if error is None:
                if offset < ends[partition]:
                    yield Record(m.topic(), partition, offset, m.timestamp()[1], m.key(), m.value())
                if offset + 1 >= ends[partition]:
                    open_partitions.discard(partition)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the client's name for it
                open_partitions.discard(partition)
            else:
                raise BrokerUnavailable(f"Kafka could not read ({error.name()}).")


def _partitions(consumer: Consumer, topic: str) -> list[int]:
    try:
        found = consumer.list_topics(topic, timeout=TIMEOUT_S).topics[topic]
    except KafkaException as error:
        raise BrokerUnavailable(f"Kafka does not answer ({error.args[0].name()}).") from None
    if found.error is not None:
        raise ConfigurationError(f"There is no topic {topic}; `fraud-platform up` creates the platform's topics.")
    return sorted(found.partitions)


def _watermarks(consumer: Consumer, topic: str, partition: int) -> tuple[int, int]:
    try:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=TIMEOUT_S)
    except KafkaException as error:
        raise BrokerUnavailable(f"Kafka does not answer ({error.args[0].name()}).") from None
    return low, high
