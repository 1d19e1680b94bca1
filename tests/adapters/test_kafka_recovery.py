"""A log whose broker goes away, or answers too late, goes on by itself, and nothing happens twice."""

import time
import uuid
from collections.abc import Iterator
from contextlib import closing

import pytest
from confluent_kafka import KafkaError, Producer

from fraud_platform.adapters import kafka
from fraud_platform.adapters.admin import ensure_topics
from fraud_platform.adapters.kafka import KafkaLog
from fraud_platform.adapters.transactions import TransactionalProducer
from fraud_platform.core.log import Batch, Partition, Position
from fraud_platform.core.outcome import Outgoing
from fraud_platform.errors import BrokerUnavailable, Fenced
from fraud_platform.settings import Settings
from fraud_platform.topology import INGESTION, Topic
from tests.failure.late_broker import LateBroker, late_broker
from tests.failure.plain import Topics
from tests.failure.slots import where_of

pytestmark = pytest.mark.services

TOO_LATE_S = 9.0
"""Longer than a commit is waited for."""


@pytest.fixture
def settings(service_endpoints: dict[str, str]) -> Settings:
    """Topics of the test's own, with one record in the input."""
    settings = Settings.from_environment({"FRAUD_PREFIX": f"r{uuid.uuid4().hex[:6]}-"}, embedded=service_endpoints)
    ensure_topics(settings, timeout_s=60)
    producer = Producer({"bootstrap.servers": settings.require("KAFKA_BOOTSTRAP_SERVERS")})
    producer.produce(settings.naming.topic(Topic.BANK_TRANSACTIONS), b"one", partition=0)
    assert producer.flush(20) == 0
    return settings


@pytest.fixture
def proxy(settings: Settings) -> Iterator[LateBroker]:
    with late_broker(settings.require("KAFKA_BOOTSTRAP_SERVERS")) as proxy:
        yield proxy


def through(settings: Settings, proxy: LateBroker) -> KafkaLog:
    return KafkaLog(settings.model_copy(update={"kafka_bootstrap_servers": proxy.address}), INGESTION, "0")


def read(log: KafkaLog) -> Batch:
    """The next batch with records."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        batch = log.poll(0.2)
        if batch.records:
            return batch
    raise AssertionError("nothing comes")


def poll_for(log: KafkaLog, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        log.poll(0.2)


def commit(settings: Settings, log: KafkaLog, batch: Batch) -> None:
    output = Outgoing(settings.naming.topic(Topic.FRAUDULENT), b"k", b"seen", time.time_ns() // 1_000_000)
    log.commit([output], {partition: Position(offset) for partition, offset in batch.positions.items()})


def outputs(settings: Settings) -> list[bytes | None]:
    with Topics(where_of(settings)) as topics:
        return [row.value for row in topics.read(Topic.FRAUDULENT)]


def recover(log: KafkaLog) -> None:
    """As the worker does: again until it works."""
    log.hold()
    deadline = time.monotonic() + 60
    while True:
        log.poll(0.2)
        try:
            return log.recover()
        except BrokerUnavailable:
            assert time.monotonic() < deadline


def test_a_log_that_lost_its_broker_says_so_once_and_reads_on_with_clients_of_its_own(settings: Settings) -> None:
    with closing(KafkaLog(settings, INGESTION, "0")) as log:
        read(log)
        log._on_error(KafkaError(KafkaError._ALL_BROKERS_DOWN))
        with pytest.raises(BrokerUnavailable, match="went away"):
            log.poll(0.2)
        recover(log)
        batch = read(log)
        assert [record.value for record in batch.records] == [b"one"]
        commit(settings, log, batch)
    assert outputs(settings) == [b"seen"]


def test_other_troubles_of_the_client_are_its_own(settings: Settings) -> None:
    with closing(KafkaLog(settings, INGESTION, "0")) as log:
        log._on_error(KafkaError(KafkaError._TRANSPORT))
        assert [record.value for record in read(log).records] == [b"one"]


def test_a_commit_that_is_answered_too_late_has_happened_and_is_not_repeated(
    settings: Settings, proxy: LateBroker
) -> None:
    with closing(through(settings, proxy)) as log:
        batch = read(log)
        proxy.hold("reply", TOO_LATE_S)
        with pytest.raises(BrokerUnavailable):
            commit(settings, log, batch)
        recover(log)
        partition = Partition(settings.naming.topic(Topic.BANK_TRANSACTIONS), 0)
        while partition not in log.committed:
            log.poll(0.2)
        assert log.committed[partition].offset == 1
    assert outputs(settings) == [b"seen"]


def test_a_commit_that_the_broker_hears_of_too_late_is_refused_and_the_batch_comes_again(
    settings: Settings, proxy: LateBroker
) -> None:
    with closing(through(settings, proxy)) as log:
        batch = read(log)
        proxy.hold("request", TOO_LATE_S)
        began = time.monotonic()
        with pytest.raises(BrokerUnavailable):
            commit(settings, log, batch)
        recover(log)
        commit(settings, log, read(log))
        time.sleep(max(0.0, TOO_LATE_S + 1 - (time.monotonic() - began)))  # until the late request has arrived
    assert outputs(settings) == [b"seen"]


def test_a_displaced_member_hears_of_it_while_it_reads(settings: Settings) -> None:
    with closing(KafkaLog(settings, INGESTION, "0")) as old, closing(KafkaLog(settings, INGESTION, "0")) as new:
        read(old)
        read(new)
        with pytest.raises(Fenced):
            poll_for(old, 60)


def lose_its_session(log: KafkaLog) -> None:
    """What the client says after a sleep longer than its session, or when the group no longer knows it."""
    log._on_lost(log._consumer, [])


def test_a_member_whose_session_ended_looks_for_a_successor_before_it_joins_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka, "FORGOTTEN_S", 1.0)
    with closing(KafkaLog(settings, INGESTION, "0")) as old, closing(KafkaLog(settings, INGESTION, "0")) as new:
        read(old)
        lose_its_session(old)
        batch = read(new)
        with pytest.raises(BrokerUnavailable, match="went away"):
            old.poll(0.2)
        with pytest.raises(Fenced, match="took over"):
            recover(old)
        commit(settings, new, batch)  # neither the place in the group nor the producer was taken back
        poll_for(new, 3)
    assert outputs(settings) == [b"seen"]


def test_a_member_whose_session_ended_and_that_nobody_replaced_goes_on(settings: Settings) -> None:
    with closing(KafkaLog(settings, INGESTION, "0")) as log:
        read(log)
        lose_its_session(log)
        recover(log)
        commit(settings, log, read(log))
    assert outputs(settings) == [b"seen"]


def test_a_member_that_is_fenced_although_nobody_displaced_it_goes_on(settings: Settings) -> None:
    """It may have sent a heartbeat without its id after its session had ended."""
    with closing(KafkaLog(settings, INGESTION, "0")) as log:
        read(log)
        log._on_error(KafkaError(KafkaError._FATAL))
        with pytest.raises(BrokerUnavailable):
            log.poll(0.2)
        recover(log)
        commit(settings, log, read(log))
    assert outputs(settings) == [b"seen"]


def test_a_newcomer_that_is_fenced_before_it_has_joined_leaves(settings: Settings) -> None:
    with closing(KafkaLog(settings, INGESTION, "0")) as log:
        log._on_error(KafkaError(KafkaError._FATAL))
        with pytest.raises(Fenced):
            log.poll(0.0)


def test_a_transaction_that_took_too_long_comes_again_in_the_same_process(settings: Settings) -> None:
    with closing(KafkaLog(settings, INGESTION, "0")) as log:
        batch = read(log)
        usurper = TransactionalProducer(settings, settings.naming.transactional_id(INGESTION, "0"))
        usurper.reopen()  # what the broker does itself when a transaction's time is over: it raises the epoch
        with pytest.raises(BrokerUnavailable, match="too long"):
            commit(settings, log, batch)
        recover(log)
        commit(settings, log, read(log))
    assert outputs(settings) == [b"seen"]


def test_a_client_that_got_no_answer_at_its_start_is_asked_again(settings: Settings) -> None:
    """A second one beside it could be fenced by the first one's late request."""
    away = settings.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:1"})
    producer = TransactionalProducer(away, "a-producer")
    waiting = []
    for _ in range(2):
        with pytest.raises(BrokerUnavailable):
            producer.reopen()
        waiting.append(producer._opening)
    assert waiting[0] is waiting[1] is not None
    producer.drop()
    assert producer._opening is None
