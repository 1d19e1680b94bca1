"""A whole flow on real services; then somebody lays hands on it, and the books name what is off."""

import io
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import dagster as dg
import pytest
from bson.decimal128 import Decimal128
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from rich.console import Console

from fraud_platform.adapters.admin import ensure_topics
from fraud_platform.adapters.lake_reader import S3LakeReader
from fraud_platform.adapters.mongo import MongoStore
from fraud_platform.books.definitions import books as books_job
from fraud_platform.books.definitions import check_books, checked
from fraud_platform.books.examine import examine
from fraud_platform.books.finding import FLOW, RANGES, STORES
from fraud_platform.books.report import Report
from fraud_platform.commands.books import books
from fraud_platform.runtime.drain import drain
from fraud_platform.settings import Settings
from fraud_platform.topology import DOCUMENTS, INGESTION, LAKE, PROJECTION, Topic
from tests.builders import raw
from tests.catalog.conftest import lake_endpoints, own_settings
from tests.catalog.objects import put
from tests.failure.plain import Row, Topics
from tests.failure.slots import where_of
from tests.result_topics import send
from tests.rows import decision, result, user
from tests.stages.flow import rows
from tests.stages.flow import send as send_pairs

__all__ = ["lake_endpoints"]
pytestmark = pytest.mark.services
TRANSFERS = 12


@pytest.fixture(scope="module")
def settings(lake_endpoints: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Twelve transfers, one of them sent twice and one bad, drained stage by stage into both stores."""
    made = own_settings(lake_endpoints, tmp_path_factory.mktemp("books"))
    ensure_topics(made)
    pairs = [(f"A-{n}", raw(f"t-{n}", evaluation="fraudulent", amount=n + 1)) for n in range(TRANSFERS)]
    send_pairs(made, Topic.BANK_TRANSACTIONS, [*pairs, pairs[3], ("A-1", b"no json")])
    run(made)
    return made


def run(settings: Settings) -> None:
    for stage in (INGESTION, PROJECTION, LAKE, DOCUMENTS):
        drain(settings, stage)


@pytest.fixture
def mongo(settings: Settings) -> Iterator[MongoStore]:
    store = MongoStore(settings)
    yield store
    store.close()


def look(settings: Settings, **options: object) -> Report:
    return examine(settings, pause=lambda: time.sleep(1), **options)


def said(report: Report) -> list[str]:
    assert report.unknown == {}
    return [f"{each.subject} {each.id} {each.what.partition(' ')[0]} {each.field}".strip() for each in report.findings]


@pytest.fixture(params=[10**6, 1], ids=["by id", "by sums"])
def limit(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def test_the_books_of_a_whole_flow_balance(settings: Settings, limit: int) -> None:
    report = look(settings, full_at_most=limit)
    assert said(report) == []
    assert report.balances
    stages = {each.stage: each for each in report.stages}
    assert (stages["ingestion"].read, stages["ingestion"].dead) == (TRANSFERS + 2, 1)
    assert stages["projection"].accepted == TRANSFERS + 1
    assert [each.lag for each in report.stages] == [0] * 5
    assert all(each.difference.low == each.difference.high == 0 for each in report.crossings)


def test_the_second_look_reads_no_entry_again(settings: Settings) -> None:
    look(settings, topics=())
    assert look(settings, topics=()).new == 0


def test_a_lost_store_is_made_again_from_the_topic(settings: Settings) -> None:
    before = look(settings, topics=())
    again = look(settings, topics=(), rebuild=True)
    assert again.new > 0
    assert again.stages == before.stages
    assert said(again) == []


def test_what_waits_for_a_reader_is_counted(settings: Settings) -> None:
    send_pairs(settings, Topic.BANK_TRANSACTIONS, [(f"A-{n}", raw(f"w-{n}", amount=1)) for n in range(7)])
    drain(settings, INGESTION)
    try:
        report = look(settings)
        assert said(report) == []
        (crossing,) = [each for each in report.crossings if each.topic is Topic.FRAUDULENT]
        assert crossing.waiting.low == crossing.waiting.high == 7
    finally:
        run(settings)


def test_a_deleted_object_names_the_rows_that_it_held(settings: Settings, limit: int) -> None:
    lake = S3LakeReader(settings)
    keys = [each.key for each in lake.list(f"fraudulent-transactions/{settings.naming.topic(Topic.RESULT)}/")]
    body = lake.get(keys[0])
    lake._client.delete_object(Bucket=settings.lake_bucket, Key=keys[0])
    try:
        report = look(settings, topics=[Topic.RESULT], full_at_most=limit)
        assert report.findings != ()
        assert {each.subject for each in report.findings} == {"s3/fraudulent-transactions-result"}
        assert all(each.what.startswith("missing") and each.id for each in report.findings)
    finally:
        lake.put(keys[0], body or b"")
    assert look(settings, topics=[Topic.RESULT]).balances


def test_a_deleted_document_is_named(settings: Settings, mongo: MongoStore, limit: int) -> None:
    gone = mongo._database["transactions"].find_one_and_delete({"_id": "t-5"})
    try:
        assert said(look(settings, topics=[Topic.RESULT], full_at_most=limit)) == ["mongodb/transactions t-5 missing"]
    finally:
        mongo._database["transactions"].insert_one(gone)


def test_an_altered_amount_is_named_with_its_field(settings: Settings, mongo: MongoStore, limit: int) -> None:
    transactions = mongo._database["transactions"]
    before = transactions.find_one({"_id": "t-5"})
    assert before is not None
    transactions.update_one({"_id": "t-5"}, {"$set": {"AMOUNT": Decimal128("999.5")}})
    try:
        report = look(settings, topics=[Topic.RESULT], full_at_most=limit)
        assert said(report) == ["mongodb/transactions t-5 altered amount"]
        assert "999.5" not in json.dumps(report.to_json())
    finally:
        transactions.replace_one({"_id": "t-5"}, before)


def test_a_row_that_was_added_to_the_lake_is_doubled_or_extra(settings: Settings, limit: int) -> None:
    lake = S3LakeReader(settings)
    (stored,) = [row for row in rows(settings, Topic.RESULT) if row.key == b"t-7"]
    copy = result("t-7", AMOUNT=Decimal(8))
    key = put(lake, settings.naming, Topic.RESULT, [copy], partition=stored.partition, start=stored.offset)
    try:
        found = said(look(settings, topics=[Topic.RESULT], full_at_most=limit))
        assert "s3/fraudulent-transactions-result t-7 doubled" in found
    finally:
        lake._client.delete_object(Bucket=settings.lake_bucket, Key=key)


def test_a_document_that_was_added_is_named(settings: Settings, mongo: MongoStore, limit: int) -> None:
    transactions = mongo._database["transactions"]
    made = transactions.insert_one({"TRANSACTION_ID": "t-7", "AMOUNT": Decimal128("1")}).inserted_id
    try:
        report = look(settings, topics=[Topic.RESULT], full_at_most=limit)
        assert said(report) == ["mongodb/transactions t-7 doubled"]
    finally:
        transactions.delete_one({"_id": made})


def test_the_command_s_exit_code_says_whether_the_books_balance(settings: Settings, mongo: MongoStore) -> None:
    console = Console(file=io.StringIO(), width=120)
    options = {"as_json": False, "ledger_only": False, "rebuild": False, "settle": False}
    assert books(settings, console, **options) == 0
    gone = mongo._database["users"].find_one_and_delete({"_id": "u-1"})
    try:
        assert books(settings, console, **options) == 1
    finally:
        mongo._database["users"].insert_one(gone)
    page = console.file.getvalue()  # type: ignore[attr-defined]
    assert page.startswith("The books balance.")
    assert "mongodb/users u-1: missing" in page


def test_the_asset_check_of_the_store_fails_by_name_and_its_neighbours_pass(
    settings: Settings, mongo: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checked, "__kwdefaults__", {"settings": lambda: settings})
    job = dg.Definitions(asset_checks=[check_books], jobs=[books_job]).resolve_job_def("books")
    gone = mongo._database["transactions"].find_one_and_delete({"_id": "t-9"})
    try:
        done = job.execute_in_process()
    finally:
        mongo._database["transactions"].insert_one(gone)
    failed = [each for each in done.get_asset_check_evaluations() if not each.passed]
    assert [each.asset_key.path for each in failed] == [["mongodb", "transactions"]]
    assert "mongodb/transactions t-9: missing" in (failed[0].description or "")


def test_a_lake_that_is_away_leaves_the_rest_known(settings: Settings) -> None:
    away = settings.model_copy(update={"glue_endpoint": "http://127.0.0.1:9"})
    report = look(away, topics=[Topic.RESULT])
    assert report.unknown == {"s3/fraudulent-transactions-result": report.unknown["s3/fraudulent-transactions-result"]}
    assert "Glue does not answer" in report.unknown["s3/fraudulent-transactions-result"]
    assert [each.store for each in report.stores] == ["mongodb/transactions"]
    assert not report.balances


HIT = {
    "rule_id": "large-amount", "criterion": "HIGH_TRANSACTION_AMOUNT", "observed": "5", "limit": "1", "window": None,
    "contributing_count": 1, "late": False, "action": "BLOCK",
}  # fmt: skip


def test_values_of_every_kind_are_equal_in_the_topic_and_both_stores(
    lake_endpoints: dict[str, str], tmp_path: Path, limit: int
) -> None:
    made = own_settings(lake_endpoints, tmp_path)
    ensure_topics(made)
    amounts = ["0", "0.000000001", "99999999999999999999.999999999", "1E+3"]
    send(made, Topic.RESULT, [result(f"t-{n}", AMOUNT=Decimal(each)) for n, each in enumerate(amounts)])
    send(made, Topic.RESULT, [result("o'x", STATUS=None, SENDER_BANK="Ünïcode \U0001f3e6 '\n")])
    send(made, Topic.USERS, [user("u-1", WEBSITE=None), user("u-2", WEBSITE=[]), user("u-3", WEBSITE=["a", "b"])])
    moment = datetime(2026, 1, 1, 12, 0, 0, 123000, tzinfo=UTC)
    doubt = [{"rule_id": "watch", "reason": "no account"}]
    send(made, Topic.DECISIONS, [decision("t-1", action="BLOCK", hits=[HIT, HIT | {"window": "PT1H"}],
                                          decided_at=moment), decision("t-2", not_evaluable=doubt)])  # fmt: skip
    for stage in (LAKE, DOCUMENTS):
        drain(made, stage)
    report = look(made, ledger=False, full_at_most=limit)
    assert said(report) == []
    assert [each.records > 0 for each in report.stores] == [True] * 6


# What follows damages the topics for good -----------------------------------------------------------


def test_a_stranger_s_record_in_a_topic_is_too_many(lake_endpoints: dict[str, str], tmp_path: Path) -> None:
    made = own_settings(lake_endpoints, tmp_path)
    ensure_topics(made)
    send_pairs(made, Topic.BANK_TRANSACTIONS, [("A", raw("t-1"))])
    run(made)
    send(made, Topic.RESULT, [result("t-forged")])
    report = look(made, topics=())
    assert {(each.check, each.subject, each.stage) for each in report.findings} == {
        (FLOW, "fraudulent-transactions-result", "lake"),
        (FLOW, "fraudulent-transactions-result", "documents"),
    }


def test_a_removed_ledger_record_is_named_by_the_range_that_it_told_of(
    lake_endpoints: dict[str, str], tmp_path: Path
) -> None:
    """Kafka removes from the beginning only: the ledger is cut off, and all but one record are written again."""
    made = own_settings(lake_endpoints, tmp_path)
    ensure_topics(made)
    for n in range(3):
        send_pairs(made, Topic.BANK_TRANSACTIONS, [("A", raw(f"t-{n}"))])
        drain(made, INGESTION)
    ledger = rows(made, Topic.LEDGER)
    victims = [row for row in ledger if row.key == b"ingestion"]
    truncate(made, Topic.LEDGER)
    (number,) = {row.partition for row in victims}
    removed = moving(made, victims)[1]
    send_pairs(made, Topic.LEDGER, [((row.key or b"").decode(), row.value) for row in ledger if row is not removed])
    found = [each for each in look(made, topics=()).findings if each.check == RANGES]
    assert len(found) >= 1
    assert all("bank-transactions/" in each.what and "is in no ledger entry" in each.what for each in found)
    assert f"(ledger/{number} at" in found[0].what


def moving(settings: Settings, records: list[Row]) -> list[Row]:
    """The entries that read something; others moved over markers."""
    with Topics(where_of(settings)) as topics:
        return [each for each in records if any(i["count"] for i in topics.decode(each.value)["inputs"])]


def truncate(settings: Settings, topic: Topic) -> None:
    """Delete every record that lies in the topic."""
    client = AdminClient({"bootstrap.servers": settings.require("KAFKA_BOOTSTRAP_SERVERS")})
    name = settings.naming.topic(topic)
    number = range(settings.partitions)
    for future in client.delete_records([TopicPartition(name, p, -1) for p in number]).values():
        future.result(10)


def test_a_finding_in_a_store_says_which_check_it_fails(settings: Settings, mongo: MongoStore) -> None:
    gone = mongo._database["transactions"].find_one_and_delete({"_id": "t-2"})
    try:
        (finding,) = look(settings, ledger=False, topics=[Topic.RESULT]).findings
        assert finding.check == STORES
    finally:
        mongo._database["transactions"].insert_one(gone)
