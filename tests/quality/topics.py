"""Writes to real topics at chosen times, and moves groups by hand."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

from fraud_platform.adapters.avro import AvroWriter
from fraud_platform.adapters.kafka_config import client_config
from fraud_platform.adapters.registry import SchemaRegistry
from fraud_platform.core.ledger import Entry
from fraud_platform.settings import Settings
from fraud_platform.topology import Stage, Topic


def write(
    settings: Settings, topic: Topic, values: Iterable[bytes | None], *, at: datetime, partition: int = 0,
    in_transaction: bool = False,
) -> None:  # fmt: skip
    """Records with this Kafka time; in a transaction a marker follows them."""
    own = {"transactional.id": f"{settings.prefix}write"} if in_transaction else {}
    producer = Producer({**client_config(settings), **own})
    if in_transaction:
        producer.init_transactions(20)
        producer.begin_transaction()
    for value in values:
        name = settings.naming.topic(topic)
        producer.produce(name, value, b"k", partition=partition, timestamp=int(at.timestamp() * 1000))
    assert producer.flush(20) == 0
    if in_transaction:
        producer.commit_transaction(20)


def write_rows(settings: Settings, topic: Topic, rows: Iterable[dict[str, Any]], *, at: datetime, **more: Any) -> None:
    """Rows in the topic's schema."""
    encode = AvroWriter(SchemaRegistry(settings)).encoder(topic)
    write(settings, topic, map(encode, rows), at=at, **more)


def write_entries(settings: Settings, entries: Sequence[Entry]) -> None:
    """Ledger entries, each at the time of its commit."""
    for entry in entries:
        write_rows(settings, Topic.LEDGER, [entry.to_avro()], at=entry.committed_at)


def move(settings: Settings, stage: Stage, **offsets: int) -> None:
    """Commit offsets of the stage's group in partition 0, as in `move(settings, LAKE, users=3)`."""
    names = {topic.value.replace("-", "_"): settings.naming.topic(topic) for topic in stage.reads}
    consumer = Consumer({**client_config(settings), "group.id": settings.naming.group(stage)})
    consumer.commit(offsets=[TopicPartition(names[name], 0, at) for name, at in offsets.items()], asynchronous=False)
    consumer.close()
