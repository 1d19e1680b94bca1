"""The documents slot over real Kafka, registry and MongoDB."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from fraud_platform.adapters.admin import ensure_topics
from fraud_platform.adapters.mongo import TOPICS_COLLECTION, MongoStore
from fraud_platform.adapters.topic_identity import topic_ids
from fraud_platform.errors import BrokerUnavailable, ConfigurationError
from fraud_platform.runtime.drain import drain
from fraud_platform.runtime.launch import Slot, run_slot
from fraud_platform.runtime.worker import Progress, State
from fraud_platform.settings import Settings
from fraud_platform.topology import DOCUMENTS, Topic
from tests.conftest import fresh_settings
from tests.result_topics import send, send_bytes
from tests.rows import decision, result, user

pytestmark = pytest.mark.services


@pytest.fixture
def settings(service_endpoints: dict[str, str], tmp_path: Path) -> Settings:
    settings = fresh_settings(service_endpoints, tmp_path)
    ensure_topics(settings, timeout_s=60)
    return settings


@pytest.fixture
def mongo(settings: Settings) -> Iterator[MongoStore]:
    store = MongoStore(settings)
    yield store
    store._client.drop_database(settings.mongodb_database)
    store.close()


def test_a_drain_brings_every_id_to_mongodb_once(settings: Settings, mongo: MongoStore) -> None:
    send(settings, Topic.RESULT, [result(f"t-{n}") for n in range(500)])
    send(settings, Topic.USERS, [user(f"u-{n % 50}", NAME=f"v{n // 50}") for n in range(1000)])
    send(settings, Topic.DECISIONS, [decision(f"t-{n}") for n in range(200)])
    report = drain(settings, DOCUMENTS)
    assert report.read == 1700
    assert sum(report.outcomes.values()) == 1700
    assert report.outcomes["superseded"] == 950
    database = mongo._database
    assert {doc["_id"] for doc in database["transactions"].find()} == {f"t-{n}" for n in range(500)}
    assert {(doc["_id"], doc["NAME"]) for doc in database["users"].find()} == {(f"u-{n}", "v19") for n in range(50)}
    assert database["decisions"].count_documents({}) == 200


def test_the_join_fields_are_indexed(settings: Settings, mongo: MongoStore) -> None:
    send(settings, Topic.RESULT, [result()])
    drain(settings, DOCUMENTS)
    assert {"SENDER_ID_1", "RECEIVER_ID_1"} <= set(mongo._database["transactions"].index_information())
    assert mongo._database["users"].index_information()["ID_1"]["unique"]
    plan = mongo._database["users"].find({"ID": "u-1"}).explain()["queryPlanner"]["winningPlan"]
    assert "IXSCAN" in str(plan)


def test_bad_records_become_dead_letters(settings: Settings, mongo: MongoStore) -> None:
    send(settings, Topic.RESULT, [result("t-1")])
    send_bytes(settings, Topic.RESULT, [b"rubbish", None])
    assert dict(drain(settings, DOCUMENTS).outcomes) == {"stored": 1, "dead-lettered": 2}


def test_hostile_ids_are_stored_as_text(settings: Settings, mongo: MongoStore) -> None:
    names = ['{"$gt":""}', "$where", "a.b"]
    send(settings, Topic.RESULT, [result(name) for name in names])
    drain(settings, DOCUMENTS)
    assert sorted(doc["_id"] for doc in mongo._database["transactions"].find()) == sorted(names)


def test_the_database_remembers_its_topics_and_refuses_others(settings: Settings, mongo: MongoStore) -> None:
    send(settings, Topic.RESULT, [result("t-1")])
    drain(settings, DOCUMENTS)
    notes = {note["_id"]: note["topic_id"] for note in mongo._database[TOPICS_COLLECTION].find()}
    assert notes["transactions"] == topic_ids(settings, DOCUMENTS)[settings.naming.topic(Topic.RESULT)]
    mongo._database[TOPICS_COLLECTION].update_one({"_id": "transactions"}, {"$set": {"topic_id": "another"}})
    send(settings, Topic.RESULT, [result("t-2")])
    with pytest.raises(ConfigurationError, match="choose another database with FRAUD_MONGODB_DATABASE"):
        drain(settings, DOCUMENTS)
    assert mongo._database["transactions"].count_documents({}) == 1


def test_a_topic_made_anew_has_another_id(settings: Settings) -> None:
    name = settings.naming.topic(Topic.DECISIONS)
    before = topic_ids(settings, DOCUMENTS)
    client = AdminClient({"bootstrap.servers": settings.require("KAFKA_BOOTSTRAP_SERVERS")})
    client.delete_topics([name])[name].result(10)
    _until(lambda: name not in client.list_topics(timeout=5).topics)
    with pytest.raises(BrokerUnavailable):
        topic_ids(settings, DOCUMENTS)
    ensure_topics(settings, timeout_s=60)
    after = topic_ids(settings, DOCUMENTS)
    assert {topic for topic in before if before[topic] != after[topic]} == {name}


def test_a_slot_starts_while_mongodb_is_away_and_pauses(settings: Settings) -> None:
    """It must be a live member of its group, so that nobody takes it for dead."""
    send(settings, Topic.RESULT, [result("t-1")])
    away = settings.model_copy(update={"mongodb_uri": type(settings.mongodb_uri)("mongodb://127.0.0.1:1/")})
    seen: list[Progress] = []
    paused = threading.Event()

    def observe(progress: Progress) -> None:
        seen.append(progress)
        if progress.state is State.PAUSED:
            paused.set()

    deadline = time.monotonic() + 40
    run_slot(
        away,
        Slot(stage=DOCUMENTS, name="0"),
        stop=lambda: paused.is_set() or time.monotonic() > deadline,
        observe=observe,
    )
    assert paused.is_set()
    assert any("MongoDB does not answer" in progress.paused_because for progress in seen)
    assert sum(seen[-1].outcomes.values()) == 0


def _until(condition: Callable[[], bool]) -> None:
    for _ in range(100):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("it did not happen")
