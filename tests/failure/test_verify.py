"""The verifier can fail: a platform at rest satisfies it, and each tampering is named, and nothing else."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from pymongo import MongoClient

from fraud_platform.adapters.admin import ensure_topics
from tests.builders import raw_line
from tests.conftest import fresh_settings
from tests.failure.drains import drain_all
from tests.failure.evidence import DECISIONS, LEDGER, MONITORED, RESULT
from tests.failure.feed import feed
from tests.failure.inputs import make_inputs
from tests.failure.lines import STATEMENTS, save
from tests.failure.monitored import canonical
from tests.failure.plain import Topics, Where, lake_objects, s3_client
from tests.failure.slots import save_where, where_of
from tests.validator_api.service import running_validator

pytestmark = [pytest.mark.services, pytest.mark.failure]


class Platform:
    """A platform at rest, and what the verifier says about it."""

    def __init__(self, where: Where, folder: Path) -> None:
        self.where = where
        self._folder = folder
        self.known: set[str] = set()

    def verify(self) -> tuple[int, dict[str, Any]]:
        files = ["--inputs", str(self._folder / "inputs.jsonl"), "--where", str(self._folder / "where.json")]
        command = [sys.executable, "-m", "tests.failure.verify", *files]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    def new_faults(self) -> set[str]:
        """What the verifier says now and did not say before: each test adds damage to that of the others."""
        code, report = self.verify()
        found = set(report["faults"]) - self.known
        self.known |= found
        assert code == 1
        return found

    def rows(self, topic: str) -> list[tuple[Any, Any]]:
        with Topics(self.where) as topics:
            return [(row, topics.decode(row.value)) for row in topics.read(topic)]


@pytest.fixture(scope="module")
def platform(service_endpoints: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Platform:
    folder = tmp_path_factory.mktemp("verify")
    lines = make_inputs(120, seed=1)
    save(lines, folder / "inputs.jsonl")
    with running_validator() as validator:
        settings = fresh_settings(service_endpoints, folder, FRAUD_VALIDATOR_URL=f"{validator}/validate")
        ensure_topics(settings, timeout_s=60)
        save_where(where_of(settings), folder / "where.json")
        assert feed(where_of(settings), lines, rate=0) == (len(lines), len(lines))
        drain_all(settings)
    return Platform(where_of(settings), folder)


def test_a_platform_at_rest_has_no_fault(platform: Platform) -> None:
    code, report = platform.verify()
    assert (report["faults"], code) == ([], 0)
    assert all(report["fates"].values())
    assert len(report["fates"]) == 10
    assert sum(report["fates"].values()) == 120
    assert report["sent_again"]


def test_a_lost_object_is_named_row_by_row(platform: Platform) -> None:
    objects = lake_objects(platform.where, RESULT)
    key = next(iter(objects))
    partition = int(key.split("+")[1])
    s3_client(platform.where).delete_object(Bucket=platform.where.bucket, Key=key)
    lost = {
        f"S3 {RESULT}: {value['TRANSACTION_ID']} at {row.partition}/{row.offset} is there 0 times, expected 1"
        for row, value in platform.rows(RESULT)
        if row.partition == partition
    }
    assert lost
    assert platform.new_faults() == lost


def test_a_lost_document_is_named(platform: Platform) -> None:
    with MongoClient[dict[str, Any]](platform.where.mongodb) as client:
        gone = client[platform.where.database]["users"].find_one_and_delete({})
    assert gone is not None
    assert platform.new_faults() == {f"MongoDB users: {gone['_id']} is there 0 times, expected 1"}


def test_an_altered_document_is_named(platform: Platform) -> None:
    with MongoClient[dict[str, Any]](platform.where.mongodb) as client:
        documents = client[platform.where.database]["transactions"]
        document = documents.find_one_and_update({}, {"$set": {"STATUS": "altered"}})
    assert document is not None
    at = f"{document['kafka_partition']}/{document['kafka_offset']}"
    assert platform.new_faults() == {
        f"MongoDB transactions: {document['_id']} is not the newest version, which lies at {at}"
    }


def test_a_lost_ledger_entry_is_named_as_a_gap(platform: Platform) -> None:
    entries = platform.rows(LEDGER)
    row, entry = next((row, entry) for row, entry in entries if entry["outcomes"])
    place = TopicPartition(platform.where.prefix + LEDGER, row.partition, row.offset + 1)
    admin = AdminClient({"bootstrap.servers": platform.where.bootstrap})
    for future in admin.delete_records([place]).values():
        future.result(10)
    found = platform.new_faults()
    count = sum(entry["outcomes"].values())
    assert count
    assert found
    assert all(fault.startswith("ledger") for fault in found)
    for i in entry["inputs"]:
        if i["count"]:
            place = f"{i['topic'].removeprefix(platform.where.prefix)}/{i['partition']}"
            later = [f for f in found if f.startswith(f"ledger {entry['stage']}: {place} ")]
            # The next range does not begin where the one before the lost entry ended, or there is none at all.
            assert any("goes on at" in f or "ends at" in f for f in later), (place, found)
    for outcome in entry["outcomes"]:
        assert any(fault.startswith(f"ledger: {entry['stage']} {outcome} is there") for fault in found)


def test_a_doubled_row_is_named_with_all_that_follows_from_it(platform: Platform) -> None:
    rows = platform.rows(RESULT)
    row, value = rows[0]
    # A transfer may have been sent twice within the same millisecond.
    alike = [v for r, v in rows if (v["TRANSACTION_ID"], r.timestamp_ms) == (value["TRANSACTION_ID"], row.timestamp_ms)]
    times = sum(v["SOURCE_PROCESS"] == value["SOURCE_PROCESS"] for v in alike)
    producer = Producer({"bootstrap.servers": platform.where.bootstrap})
    name = platform.where.prefix + RESULT
    producer.produce(name, row.value, row.key, row.partition, timestamp=row.timestamp_ms)
    assert producer.flush(10) == 0
    again = max((r for r, _ in platform.rows(RESULT) if r.partition == row.partition), key=lambda r: r.offset)
    name, source = value["TRANSACTION_ID"], f"{value['TRANSACTION_ID']} of {row.timestamp_ms}"
    at = f"{again.partition}/{again.offset}"
    found = platform.new_faults()
    written = {fault for fault in found if fault.startswith("ledger: ") and f"written to {RESULT}" in fault}
    accounted = {fault for fault in found if "stored" in fault and fault.startswith("ledger: ")}
    assert len(written) == 1
    assert len(accounted) == 2  # the lake's and the documents'
    assert found - written - accounted == {
        f"{RESULT}: {source} by {value['SOURCE_PROCESS']} is there {times + 1} times, expected {times}",
        f"S3 {RESULT}: {name} at {at} is there 0 times, expected 1",
        f"MongoDB transactions: {name} is not the newest version, which lies at {at}",
        f"lake: 1 records of {RESULT} are not committed",
        f"documents: 1 records of {RESULT} are not committed",
    }


def test_a_doubled_hit_and_a_line_that_nobody_judged_are_named(platform: Platform) -> None:
    row, value = platform.rows(MONITORED)[0]
    producer = Producer({"bootstrap.servers": platform.where.bootstrap, "partitioner": "murmur2_random"})
    producer.produce(platform.where.prefix + MONITORED, row.value, row.key, row.partition, timestamp=row.timestamp_ms)
    late = raw_line("s-late", accountNumber="A-9", transactionTimestamp="2026-01-02 12:00:00", withdrawalAmount="1")
    producer.produce(platform.where.prefix + STATEMENTS, late, canonical("A-9", "10"), timestamp=row.timestamp_ms)
    assert producer.flush(10) == 0
    found = platform.new_faults()
    by = f"{value['monitorAction']} by {', '.join(value['monitoringCriteriaType'])}"
    assert found >= {
        f"{MONITORED}: {value['transactionId']} of {row.timestamp_ms}: {by} is there 2 times, expected 1",
        f"{STATEMENTS}: {late!r} is there 1 times, expected 0",
        f"{DECISIONS}: s-late of {row.timestamp_ms}: ALLOW is there 0 times, expected 1",
        f"monitoring: 1 records of {STATEMENTS} are not committed",
    }


def test_the_verifier_shares_no_code_with_the_platform() -> None:
    program = "import sys, tests.failure.verify; print([n for n in sys.modules if n.startswith('fraud_platform')])"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
