"""Sends inputs, runs stages over real services, and reads what they wrote with an independent client."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from confluent_kafka import KafkaError, Message, Producer

from fraud_platform.adapters.admin import committed_offsets, end_offsets
from fraud_platform.errors import BrokerUnavailable
from fraud_platform.runtime.launch import Slot, run_slot
from fraud_platform.runtime.stop import StopRequest
from fraud_platform.runtime.worker import Progress
from fraud_platform.settings import Settings
from fraud_platform.topology import MIB, Stage, Topic
from tests.failure.plain import Row, Topics
from tests.failure.slots import where_of

PATIENCE_S = 60
HOUR_AGO = time.time_ns() // 1_000_000 - 3_600_000
"""Epoch ms well within the retention of every topic; older records may vanish before they are read."""


def send(
    settings: Settings, topic: Topic, pairs: Sequence[tuple[str | None, bytes | None]], *, at_ms: int | None = None
) -> None:
    """(key, value) records with the banks' partitioner; `at_ms` = their timestamp instead of now."""
    address = settings.require("KAFKA_BOOTSTRAP_SERVERS")
    limits = {"linger.ms": 5, "message.max.bytes": 30 * MIB}
    producer = Producer({"bootstrap.servers": address, "partitioner": "murmur2_random", **limits})
    timed = {} if at_ms is None else {"timestamp": at_ms}
    refused: list[KafkaError] = []

    def on_delivery(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            refused.append(error)

    for key, value in pairs:
        producer.produce(settings.naming.topic(topic), value, key, on_delivery=on_delivery, **timed)
    assert producer.flush(60) == 0
    assert refused == []


@contextmanager
def slot(settings: Settings, stage: Stage, name: str = "0") -> Iterator[list[Progress]]:
    """A running slot; yields what it tells of itself."""
    stop, told = StopRequest(), list[Progress]()
    arguments = (settings, Slot(stage=stage, name=name))
    run = threading.Thread(target=run_slot, args=arguments, kwargs={"stop": stop, "observe": told.append})
    run.start()
    try:
        yield told
    finally:
        stop.set()
        run.join(PATIENCE_S)
        assert not run.is_alive()


def rows(settings: Settings, topic: Topic) -> list[Row]:
    """Every committed record by partition and offset."""
    with Topics(where_of(settings)) as topics:
        return topics.read(topic)


def values(settings: Settings, topic: Topic) -> list[dict[str, Any]]:
    """Every committed value, decoded."""
    with Topics(where_of(settings)) as topics:
        return [topics.decode(row.value) for row in topics.read(topic)]


def ledger_of(settings: Settings, stage: Stage) -> list[dict[str, Any]]:
    """The stage's ledger entries, oldest first."""
    with Topics(where_of(settings)) as topics:
        found = topics.read(Topic.LEDGER)
        return [topics.decode(row.value) for row in found if row.key == stage.name.encode()]


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until it holds; a broker that does not answer yet counts as no."""
    deadline = time.monotonic() + PATIENCE_S
    while not _holds(condition):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def _holds(condition: Callable[[], bool]) -> bool:
    try:
        return condition()
    except BrokerUnavailable:
        return False


def has_read_all(settings: Settings, stage: Stage) -> bool:
    """Whether the stage's group has passed the present end of its inputs."""
    committed = committed_offsets(settings, stage)
    return all(committed.get(each, -1) >= end for each, end in end_offsets(settings, stage.reads).items())


def has_progress(settings: Settings, stage: Stage) -> bool:
    """Whether the stage's group has passed any record; a first start commits the beginning, which is none."""
    return any(committed_offsets(settings, stage).values())
