"""Kafka was wiped and the stores were not: the sinks refuse before they write."""

import subprocess
import sys
from typing import Any

import pytest
from pymongo import MongoClient

from fraud_platform.adapters.admin import ensure_topics, missing_topics
from fraud_platform.commands import health
from fraud_platform.commands.finding import Level
from fraud_platform.runtime.drain import drain
from fraud_platform.settings import Settings
from fraud_platform.topology import DOCUMENTS, LAKE, Topic
from tests.failure.plain import lake_objects
from tests.failure.slots import environment_of, where_of
from tests.result_topics import send
from tests.retention.offsets import client, delete_group
from tests.rows import result

pytestmark = pytest.mark.services

SINKS = (LAKE, DOCUMENTS)


def wipe(settings: Settings) -> None:
    """Topics and groups begin anew."""
    admin = client(settings)
    for future in admin.delete_topics([settings.naming.topic(topic) for topic in Topic]).values():
        future.result(20)
    while len(missing_topics(settings)) < len(Topic):
        pass
    for stage in SINKS:
        delete_group(settings, stage)
    ensure_topics(settings, timeout_s=60)


def refusals(settings: Settings, endpoints: dict[str, str]) -> list[str]:
    """What each sink's own process says at its end."""
    command = [sys.executable, "-m", "fraud_platform.runtime"]
    options: dict[str, Any] = {"env": environment_of(settings, endpoints), "stderr": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen([*command, sink.name], **options) for sink in SINKS]
    said = [process.communicate(timeout=120)[1].strip().splitlines()[-1] for process in processes]
    assert [process.returncode for process in processes] == [1, 1]
    return said


def stored(settings: Settings) -> tuple[dict[str, bytes], list[str]]:
    where = where_of(settings)
    with MongoClient(where.mongodb) as mongo:
        ids = [row["_id"] for row in mongo[where.database]["transactions"].find()]
    return lake_objects(where, Topic.RESULT), ids


def test_the_sinks_refuse_in_one_sentence_and_work_again_with_stores_of_their_own(
    settings: Settings, service_endpoints: dict[str, str]
) -> None:
    settings = settings.model_copy(update={"validator_url": "http://127.0.0.1:1/validate"})
    send(settings, Topic.RESULT, [result("before")])
    for sink in SINKS:
        drain(settings, sink)
    before = stored(settings)
    wipe(settings)
    send(settings, Topic.RESULT, [result("after")])
    lake, documents = refusals(settings, service_endpoints)
    assert lake.startswith("lake: The lake's bucket was filled from another Kafka topic")
    assert documents.startswith("documents: The MongoDB collection transactions was filled from another Kafka topic")
    assert stored(settings) == before
    found = {finding.about: finding for finding in health.answers(settings)}["Kafka's topics"]
    assert found.level is Level.PROBLEM
    assert "FRAUD_LAKE_BUCKET" in found.mend
    assert "FRAUD_MONGODB_DATABASE" in found.mend
    moved = {"lake_bucket": f"{settings.lake_bucket}-2", "mongodb_database": f"{settings.mongodb_database}_2"}
    own = settings.model_copy(update=moved)
    assert [drain(own, sink).outcomes["stored"] for sink in SINKS] == [1, 1]
    assert stored(own)[1] == ["after"]
