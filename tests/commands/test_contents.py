"""Stores that somebody else filled, found on the real ones."""

import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId

from fraud_platform.adapters.mongo import MongoStore
from fraud_platform.adapters.mongo_client import mongo_client
from fraud_platform.adapters.s3 import S3ObjectStore
from fraud_platform.adapters.topic_identity import topic_ids
from fraud_platform.commands import contents, health
from fraud_platform.commands.finding import Level
from fraud_platform.core.partitioning import hour_of, object_key, topic_prefix
from fraud_platform.documents.collections import COLLECTIONS
from fraud_platform.documents.stage import Claim as DocumentsClaim
from fraud_platform.errors import ConfigurationError
from fraud_platform.lake.stage import Claim as LakeClaim
from fraud_platform.settings import Settings
from fraud_platform.topology import DOCUMENTS, LAKE, Topic
from tests.conftest import fresh_settings

pytestmark = pytest.mark.services


@pytest.fixture
def settings(platform_settings: Settings) -> Settings:
    """The module's topics, a database and a bucket of the test's own."""
    name = uuid.uuid4().hex[:8]
    own = platform_settings.model_copy(update={"mongodb_database": f"fraud_{name}", "lake_bucket": f"lake-{name}"})
    S3ObjectStore(own).prepare()
    return own


@pytest.fixture
def database(settings: Settings) -> Iterator[Any]:
    with mongo_client(settings) as client:
        yield client[settings.mongodb_database]
        client.drop_database(settings.mongodb_database)


def claim_both(settings: Settings) -> None:
    """What the sinks do before their first row."""
    present = topic_ids(settings, DOCUMENTS)
    collections = {settings.naming.topic(topic): COLLECTIONS[topic] for topic in DOCUMENTS.reads}
    DocumentsClaim(MongoStore(settings), collections, present)()
    LakeClaim(S3ObjectStore(settings), topic_ids(settings, LAKE))()


def test_empty_stores_are_well(settings: Settings, database: Any):
    found = [contents.mongodb(settings), contents.s3(settings), contents.broker(settings)]
    assert [each.level for each in found] == [Level.OK] * 3


def test_stores_that_we_filled_are_well(settings: Settings, database: Any):
    claim_both(settings)
    users = settings.naming.topic(Topic.USERS)
    database.users.insert_one({"_id": "u-1", "ID": "u-1"})
    hour = hour_of(1_700_000_000_000)
    assert isinstance(hour, datetime)
    S3ObjectStore(settings).put(object_key(users, 0, 0, hour), b"")
    found = [contents.mongodb(settings), contents.s3(settings), contents.broker(settings)]
    assert [each.level for each in found] == [Level.OK] * 3


def test_duplicate_users_of_another_sink_are_found_and_indeed_block_ours(settings: Settings, database: Any):
    database.users.insert_many([{"_id": ObjectId(), "ID": "u-1", "NAME": "Ann Smith"} for _ in range(2)])
    database.transactions.insert_one({"_id": ObjectId(), "TRANSACTION_ID": "t-1"})
    found = contents.mongodb(settings)
    assert found.level is Level.PROBLEM
    assert "users holds 2 documents of another sink, some with the same ID" in found.says
    assert "transactions holds 1 documents of another sink" in found.says
    assert "FRAUD_MONGODB_DATABASE" in found.mend
    assert "Ann" not in found.says + found.mend
    with pytest.raises(ConfigurationError, match="cannot index the collection users"):
        claim_both(settings)


def test_objects_by_partition_are_found(settings: Settings):
    users = settings.naming.topic(Topic.USERS)
    S3ObjectStore(settings).put(f"{topic_prefix(users)}partition=3/{users}+3+0000000000.avro", b"")
    found = contents.s3(settings)
    assert found.level is Level.PROBLEM
    assert f"{topic_prefix(users)}partition=3/" in found.says
    assert "FRAUD_LAKE_BUCKET" in found.mend


@pytest.mark.parametrize("store", ["MongoDB", "S3"])
def test_a_store_of_a_broker_that_was_wiped_is_found(settings: Settings, database: Any, store: str):
    claim_both(settings)
    if store == "MongoDB":
        database["_topics"].update_one({"_id": "users"}, {"$set": {"topic_id": "an-older-one"}})
    else:
        users = settings.naming.topic(Topic.USERS)
        (note,) = [each.key for each in S3ObjectStore(settings).list("_fraud_platform/") if users in each.key]
        S3ObjectStore(settings).put(note, b'{"topic":"%s","topic_id":"an-older-one"}' % users.encode())
    found = contents.broker(settings)
    assert found.level is Level.PROBLEM
    assert found.says.startswith(f"{store} was filled from another topic")


def test_contents_are_asked_of_services_that_answer_only(service_endpoints: dict[str, str], tmp_path: Path):
    away = {**service_endpoints, "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}
    asked = [each.about for each in health.answers(fresh_settings(away, tmp_path))]
    assert "MongoDB's content" in asked
    assert not {"S3's content", "Kafka's topics"} & set(asked)
