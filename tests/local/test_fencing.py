"""A broker that is killed while transactions end: none of them may stay open for ever."""

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from fraud_platform.local import fencing
from fraud_platform.local.stack import Stack, running

NAMES = [f"ending-{number}" for number in range(8)]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(tmp_path_factory.mktemp("fencing"), services=("kafka",)) as stack:
        yield stack


def commit_again_and_again(address: str, name: str, stop: threading.Event) -> None:
    """An error is the broker's end, or a machine at work: until told to stop, a new producer goes on."""
    while not stop.is_set():
        with suppress(KafkaException, KafkaError):
            commit_until_an_error(address, name, stop)


def commit_until_an_error(address: str, name: str, stop: threading.Event) -> None:
    producer = Producer(
        {"bootstrap.servers": address, "transactional.id": name, "transaction.timeout.ms": 5000, "log_level": 0}
    )
    producer.init_transactions(10)
    while not stop.is_set():
        producer.begin_transaction()
        producer.produce(name, b"x")
        producer.flush(2)
        producer.commit_transaction(2)


def ends(address: str, level: str) -> dict[str, int]:
    """Where each topic ends for such a reader; asked again while a topic has no leader yet."""
    consumer = Consumer({"bootstrap.servers": address, "group.id": "nobody", "isolation.level": level, "log_level": 0})
    deadline = time.monotonic() + 60
    found: dict[str, int] = {}
    while len(found) < len(NAMES):
        assert time.monotonic() < deadline
        for name in NAMES:
            with suppress(KafkaException):
                found[name] = consumer.get_watermark_offsets(TopicPartition(name, 0), timeout=20)[1]
    consumer.close()
    return found


@pytest.mark.services
@pytest.mark.timeout(900)
def test_no_transaction_stays_open_after_a_kill_of_the_broker(stack: Stack) -> None:
    address = stack.settings().require("KAFKA_BOOTSTRAP_SERVERS")
    admin = AdminClient({"bootstrap.servers": address})
    for made in admin.create_topics([NewTopic(name, 1, 1) for name in NAMES]).values():
        made.result(20)
    stop = threading.Event()
    threads = [threading.Thread(target=commit_again_and_again, args=(address, name, stop)) for name in NAMES]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 60
    while min(ends(address, "read_committed").values()) < 20:
        assert time.monotonic() < deadline
    with stack.held_down("kafka"):
        stop.set()
        for thread in threads:
            thread.join(60)
    stack.wait_ready()
    deadline = time.monotonic() + 60
    while ends(address, "read_committed") != ends(address, "read_uncommitted"):
        assert time.monotonic() < deadline, "a transaction hangs"
    assert "Couldn't find leader endpoint" not in stack.folder.log("kafka").read_text()


def test_folders_of_a_broker_that_ended_in_order_need_nothing(tmp_path: Path) -> None:
    assert not fencing.crashed(tmp_path)
    (tmp_path / "__cluster_metadata-0").mkdir()
    assert fencing.crashed(tmp_path)
    (tmp_path / ".kafka_cleanshutdown").touch()
    assert not fencing.crashed(tmp_path)


DECIDED = "Fencing broker 1 at epoch 20 because its session has timed out."
OTHER = "Read-write operation writeNoOpRecord(4) will be completed when the log reaches offset 130."
WRITING = "Read-write operation maybeFenceStaleBroker(7) will be completed when the log reaches offset 167."
WRITTEN = "Processed maybeFenceStaleBroker(7) in 91201 us"


def test_a_broker_is_fenced_once_the_log_says_so_and_not_before() -> None:
    assert fencing.is_fenced([DECIDED, OTHER, "Processed maybeFenceStaleBroker(6) in 9 us", WRITING, WRITTEN])
    assert not fencing.is_fenced([DECIDED, OTHER, "Processed writeNoOpRecord(4) in 5 us", WRITING])
    assert not fencing.is_fenced([DECIDED])


def test_a_broker_that_was_fenced_when_it_died_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    idle = "[QuorumController id=1] No stale brokers found."
    assert not fencing.is_fenced([idle] * 10)
    monkeypatch.setattr(fencing, "NOTHING_S", -1.0)
    assert fencing.is_fenced([idle, idle])
    assert not fencing.is_fenced([DECIDED, idle, idle])


def test_a_controller_that_says_nothing_of_its_dead_broker_is_told(tmp_path: Path) -> None:
    assert not fencing.fence(["echo"], tmp_path, tmp_path, port=1)
