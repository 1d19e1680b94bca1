"""What an operator, retention or a dead process does to offsets, through the plain client."""

import time
from collections.abc import Mapping

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from fraud_platform.adapters.admin import live_members
from fraud_platform.settings import Settings
from fraud_platform.topology import Stage, Topic


def client(settings: Settings) -> AdminClient:
    return AdminClient({"bootstrap.servers": settings.require("KAFKA_BOOTSTRAP_SERVERS")})


def await_no_member(settings: Settings, stage: Stage) -> None:
    """A static member that could not say in time that it leaves is one until its session ends."""
    deadline = time.monotonic() + 60
    while live_members(settings, [stage], timeout_s=60)[stage.name]:
        assert time.monotonic() < deadline, "the group keeps a member"
        time.sleep(0.1)


def delete_group(settings: Settings, stage: Stage) -> None:
    """Only once it has no member."""
    await_no_member(settings, stage)
    group, admin = settings.naming.group(stage), client(settings)
    admin.delete_consumer_groups([group])[group].result(60)


def set_offsets(settings: Settings, stage: Stage, topic: Topic, offsets: Mapping[int, int]) -> None:
    """As `kafka-consumer-groups --reset-offsets` does: only while the group has no member."""
    await_no_member(settings, stage)
    properties = {"bootstrap.servers": settings.require("KAFKA_BOOTSTRAP_SERVERS")}
    consumer = Consumer({**properties, "group.id": settings.naming.group(stage), "enable.auto.commit": False})
    name = settings.naming.topic(topic)
    consumer.commit(offsets=[TopicPartition(name, n, at) for n, at in offsets.items()], asynchronous=False)
    consumer.close()


def delete_records(settings: Settings, topic: Topic, before: Mapping[int, int]) -> None:
    """What retention does, at once."""
    asked = [TopicPartition(settings.naming.topic(topic), n, at) for n, at in before.items()]
    admin = client(settings)
    for future in admin.delete_records(asked).values():
        future.result(20)


def open_transaction(settings: Settings, stage: Stage, *, timeout_ms: int) -> Producer:
    """What a slot leaves behind that dies between its ledger record and its commit."""
    producer = Producer(
        {
            "bootstrap.servers": settings.require("KAFKA_BOOTSTRAP_SERVERS"),
            "transactional.id": settings.naming.transactional_id(stage, "dead"),
            "transaction.timeout.ms": timeout_ms,
        }
    )
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce(settings.naming.topic(Topic.LEDGER), b"never committed", stage.name.encode())
    assert producer.flush(20) == 0
    return producer
