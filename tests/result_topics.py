"""Sends values to the result topics as the stages before the sinks do."""

from collections.abc import Iterable, Sequence
from typing import Any

from confluent_kafka import Producer

from fraud_platform.adapters.avro import AvroWriter
from fraud_platform.adapters.registry import SchemaRegistry
from fraud_platform.settings import Settings
from fraud_platform.topology import Topic

_KEYS = {
    Topic.RESULT: "TRANSACTION_ID",
    Topic.USERS: "ID",
    Topic.DECISIONS: "transaction_id",
    Topic.MONITORED: "accountNumber",
}


def send(settings: Settings, topic: Topic, values: Sequence[dict[str, Any]]) -> None:
    """Each value keyed by its id, so that versions of one id stay in order."""
    encode = AvroWriter(SchemaRegistry(settings)).encoder(topic)
    _produce(settings, topic, ((value[_KEYS[topic]].encode(), encode(value)) for value in values))


def send_bytes(settings: Settings, topic: Topic, values: Iterable[bytes | None]) -> None:
    """Values as they are, good or bad."""
    _produce(settings, topic, ((b"k", value) for value in values))


def _produce(settings: Settings, topic: Topic, pairs: Iterable[tuple[bytes, bytes | None]]) -> None:
    address = settings.require("KAFKA_BOOTSTRAP_SERVERS")
    producer = Producer({"bootstrap.servers": address, "partitioner": "murmur2_random", "linger.ms": 5})
    for key, value in pairs:
        producer.produce(settings.naming.topic(topic), value, key)
    assert producer.flush(20) == 0
