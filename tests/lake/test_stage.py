"""The lake's slot over real Kafka, registry and S3."""

import io
import time
from collections import Counter
from pathlib import Path
from typing import Any

import fastavro
import pytest

from fraud_platform.adapters.admin import ensure_topics
from fraud_platform.adapters.s3 import S3ObjectStore
from fraud_platform.core.partitioning import identity_key, topic_prefix
from fraud_platform.errors import ConfigurationError
from fraud_platform.runtime.drain import drain
from fraud_platform.runtime.launch import Slot, run_slot
from fraud_platform.runtime.worker import Progress, State
from fraud_platform.settings import Settings
from fraud_platform.topology import LAKE, Topic
from tests.conftest import fresh_settings
from tests.result_topics import send, send_bytes
from tests.rows import decision, result, user

pytestmark = pytest.mark.services


@pytest.fixture
def settings(service_endpoints: dict[str, str], tmp_path: Path) -> Settings:
    settings = fresh_settings(service_endpoints, tmp_path)
    ensure_topics(settings, timeout_s=60)
    return settings


def objects(settings: Settings, topic: Topic) -> dict[str, bytes]:
    store = S3ObjectStore(settings)
    found = store.list(topic_prefix(settings.naming.topic(topic)))
    return {info.key: store.get(info.key) or b"" for info in found}


def rows(settings: Settings, topic: Topic) -> list[Any]:
    return [row for body in objects(settings, topic).values() for row in fastavro.reader(io.BytesIO(body))]


def test_a_drain_brings_every_row_to_the_lake_exactly_once(settings: Settings) -> None:
    send(settings, Topic.RESULT, [result(f"t-{n}") for n in range(500)])
    send(settings, Topic.USERS, [user(f"u-{n % 50}") for n in range(1000)])
    send(settings, Topic.DECISIONS, [decision(f"t-{n}") for n in range(200)])
    report = drain(settings, LAKE)
    assert dict(report.outcomes) == {"stored": 1700}
    assert Counter(row["TRANSACTION_ID"] for row in rows(settings, Topic.RESULT)) == {f"t-{n}": 1 for n in range(500)}
    positions = Counter((row["kafka_partition"], row["kafka_offset"]) for row in rows(settings, Topic.USERS))
    assert (len(positions), set(positions.values())) == (1000, {1})
    assert len(rows(settings, Topic.DECISIONS)) == 200


def test_a_second_drain_adds_only_what_is_new(settings: Settings) -> None:
    send(settings, Topic.RESULT, [result("t-1")])
    drain(settings, LAKE)
    before = objects(settings, Topic.RESULT)
    assert drain(settings, LAKE).read == 0
    send(settings, Topic.RESULT, [result("t-2")])
    assert dict(drain(settings, LAKE).outcomes) == {"stored": 1}
    after = objects(settings, Topic.RESULT)
    assert {key: after[key] for key in before} == before
    assert sorted(row["TRANSACTION_ID"] for row in rows(settings, Topic.RESULT)) == ["t-1", "t-2"]


def test_bad_records_become_dead_letters(settings: Settings) -> None:
    send(settings, Topic.RESULT, [result("t-1")])
    send_bytes(settings, Topic.RESULT, [b"rubbish", None])
    assert dict(drain(settings, LAKE).outcomes) == {"stored": 1, "dead-lettered": 2}
    assert len(rows(settings, Topic.RESULT)) == 1


def test_a_running_slot_flushes_by_time(settings: Settings) -> None:
    send(settings, Topic.RESULT, [result("t-1")])
    deadline = time.monotonic() + 30
    run_slot(
        settings,
        Slot(stage=LAKE, name="0"),
        stop=lambda: time.monotonic() > deadline,
        until=lambda: bool(objects(settings, Topic.RESULT)),
    )
    assert [row["TRANSACTION_ID"] for row in rows(settings, Topic.RESULT)] == ["t-1"]


def test_the_lake_remembers_its_topics_and_refuses_others(settings: Settings) -> None:
    send(settings, Topic.RESULT, [result("t-1")])
    drain(settings, LAKE)
    store = S3ObjectStore(settings)
    key = identity_key(settings.naming.topic(Topic.RESULT))
    assert store.get(key) is not None
    store.put(key, b'{"topic": "another", "topic_id": "another"}')
    send(settings, Topic.RESULT, [result("t-2")])
    with pytest.raises(ConfigurationError, match="choose another bucket with FRAUD_LAKE_BUCKET"):
        drain(settings, LAKE)
    assert [row["TRANSACTION_ID"] for row in rows(settings, Topic.RESULT)] == ["t-1"]


def test_a_slot_starts_while_s3_is_away_and_pauses(settings: Settings) -> None:
    """It must be a live member of its group, so that nobody takes it for dead."""
    send(settings, Topic.RESULT, [result("t-1")])
    away = settings.model_copy(update={"s3_endpoint": "http://127.0.0.1:1"})
    seen: list[Progress] = []
    deadline = time.monotonic() + 60

    def paused() -> bool:
        return bool(seen) and seen[-1].state is State.PAUSED

    slot = Slot(stage=LAKE, name="0")
    run_slot(away, slot, stop=lambda: paused() or time.monotonic() > deadline, observe=seen.append)
    assert any("S3 does not answer" in progress.paused_because for progress in seen)
    assert dict(drain(settings, LAKE).outcomes) == {"stored": 1}
