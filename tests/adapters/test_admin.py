"""Topics, groups and offsets on a real broker."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from fraud_platform.adapters import admin
from fraud_platform.adapters.admin import instance_of
from fraud_platform.errors import BrokerUnavailable
from fraud_platform.settings import Settings
from fraud_platform.topology import INGESTION, PROJECTION, STAGES, TOPICS, Stage, Topic
from tests.patience import await_markers

FIRST = (Topic.FRAUDULENT, 0)


@pytest.mark.parametrize(
    ("member_id", "instance"),
    [
        ("lake.0-c1507c43-0911-4cce-b0c2-d455dee187b9", "lake.0"),
        ("lake.drain-x8J2kd93-_kdLq0Wm3nB7Q", "lake.drain"),
        ("rdkafka-88cbc8f0-db74-48bf-a98d-b98747093386", "rdkafka"),
        ("lake.0", "lake.0"),
    ],
)
def test_the_instance_is_read_from_the_member_id(member_id: str, instance: str) -> None:
    assert instance_of(member_id) == instance


def test_a_broker_that_is_away_is_said_within_the_timeout() -> None:
    nowhere = Settings.from_environment({}, embedded={"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"})
    began = time.monotonic()
    for question in (admin.ensure_topics, admin.live_members):
        with pytest.raises(BrokerUnavailable):
            question(nowhere, timeout_s=1)
    with pytest.raises(BrokerUnavailable):
        admin.committed_offsets(nowhere, INGESTION, timeout_s=1)
    assert time.monotonic() - began < 18


def produce(settings: Settings, *, commit: bool | None = None) -> None:
    """One record to the first partition; in a transaction when `commit` says how it ends."""
    mine = {"bootstrap.servers": settings.kafka_bootstrap_servers}
    producer = Producer(mine if commit is None else {**mine, "transactional.id": f"{settings.prefix}test"})
    if commit is not None:
        producer.init_transactions(60)
        producer.begin_transaction()
    producer.produce(settings.naming.topic(FIRST[0]), b"{}", partition=FIRST[1])
    producer.flush(60)
    if commit:
        producer.commit_transaction(60)
        await_markers(settings)


@contextmanager
def member(settings: Settings, stage: Stage, **changes: object) -> Iterator[Consumer]:
    consumer = Consumer({
        "bootstrap.servers": settings.kafka_bootstrap_servers,
        "group.id": settings.naming.group(stage),
        "enable.auto.commit": False,
        "session.timeout.ms": 10_000,
        **changes,
    })  # fmt: skip
    yield consumer
    consumer.close()


@pytest.mark.parametrize(("committed", "asked"), [({FIRST: 3}, 0), ({}, 1)])
def test_lag_asks_for_beginnings_only_where_nothing_is_committed(
    monkeypatch: pytest.MonkeyPatch, committed: dict[admin.Partition, int], asked: int
) -> None:
    questions: list[object] = []
    monkeypatch.setattr(admin, "committed_offsets", lambda *_, **__: committed)
    monkeypatch.setattr(admin, "end_offsets", lambda *_, **__: {FIRST: 10})
    monkeypatch.setattr(admin, "begin_offsets", lambda *_, **__: questions.append(1) or {FIRST: 4})
    settings = Settings.from_environment({}, embedded={})
    assert admin.lag(settings, PROJECTION) == {FIRST: 10 - committed.get(FIRST, 4)}
    assert len(questions) == asked


@pytest.mark.services
def test_every_topic_exists_with_its_settings_and_a_second_call_changes_nothing(
    platform_settings: Settings,
) -> None:
    assert admin.missing_topics(platform_settings) == []
    assert admin.ensure_topics(platform_settings) == []
    ends = admin.end_offsets(platform_settings, TOPICS)
    counts = {topic: spec.partitions or platform_settings.partitions for topic, spec in TOPICS.items()}
    assert set(ends) == {(topic, each) for topic, count in counts.items() for each in range(count)}
    assert counts[Topic.RULE_SETS] == 1


@pytest.mark.services
def test_a_group_that_never_met_has_slots_without_members_and_no_commits(platform_settings: Settings) -> None:
    lake = STAGES["lake"]
    assert admin.describe_group_members(platform_settings, lake) == {"lake.0": False}
    assert admin.committed_offsets(platform_settings, lake) == {}


@pytest.mark.services
def test_a_slot_counts_as_present_while_its_member_lives(platform_settings: Settings) -> None:
    with member(platform_settings, INGESTION, **{"group.instance.id": "ingestion.0"}) as consumer:
        consumer.subscribe([platform_settings.naming.topic(Topic.BANK_TRANSACTIONS)])
        deadline = time.monotonic() + 60
        while not consumer.assignment():
            assert time.monotonic() < deadline
            consumer.poll(0.1)
        assert admin.describe_group_members(platform_settings, INGESTION) == {"ingestion.0": True}
        assert admin.live_members(platform_settings)["ingestion"] == ["ingestion.0"]


@pytest.mark.services
def test_lag_counts_from_the_beginning_until_the_first_commit(platform_settings: Settings) -> None:
    before = admin.lag(platform_settings, PROJECTION)[FIRST]
    produce(platform_settings)
    assert admin.lag(platform_settings, PROJECTION)[FIRST] == before + 1
    end = admin.end_offsets(platform_settings, PROJECTION.reads)[FIRST]
    with member(platform_settings, PROJECTION) as consumer:
        topic = platform_settings.naming.topic(FIRST[0])
        consumer.commit(offsets=[TopicPartition(topic, 0, end)], asynchronous=False)
    assert admin.committed_offsets(platform_settings, PROJECTION)[FIRST] == end
    assert admin.lag(platform_settings, PROJECTION)[FIRST] == 0


@pytest.mark.services
def test_the_end_is_the_last_stable_offset(platform_settings: Settings) -> None:
    before = admin.end_offsets(platform_settings, PROJECTION.reads)[FIRST]
    produce(platform_settings, commit=False)
    assert admin.end_offsets(platform_settings, PROJECTION.reads)[FIRST] == before
    produce(platform_settings, commit=True)
    assert admin.end_offsets(platform_settings, PROJECTION.reads)[FIRST] > before


@pytest.mark.services
def test_an_open_transaction_is_named_by_its_topic(platform_settings: Settings) -> None:
    produce(platform_settings, commit=False)
    assert admin.open_transactions(platform_settings) == [FIRST[0]]
    produce(platform_settings, commit=True)
    assert admin.open_transactions(platform_settings) == []
