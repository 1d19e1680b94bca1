"""A whole flow on real services; then somebody lays hands on it, and the books name what is off, and nothing else."""

import io
import json
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import dagster as dg
import duckdb
import fastavro
import msgspec
import pytest
from bson.decimal128 import Decimal128
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from rich.console import Console

from fraud_platform.adapters.admin import ensure_topics
from fraud_platform.adapters.lake_reader import S3LakeReader
from fraud_platform.adapters.mongo import MongoStore
from fraud_platform.books.definitions import books as books_job
from fraud_platform.books.definitions import check_books, checked, store_key
from fraud_platform.books.examine import examine
from fraud_platform.books.finding import FLOW, RANGES, STORES
from fraud_platform.books.report import Report
from fraud_platform.catalog.hours import place_of
from fraud_platform.catalog.refresh import refresh
from fraud_platform.catalog.tables import BY_NAME
from fraud_platform.commands.books import books
from fraud_platform.core.partitioning import CURATED_ROOT, topic_prefix
from fraud_platform.curated.run import Curation
from fraud_platform.runtime.drain import drain
from fraud_platform.settings import Settings
from fraud_platform.topology import DOCUMENTS, INGESTION, LAKE, PROJECTION, RESULT_TOPICS, Topic
from tests.builders import raw
from tests.catalog.conftest import lake_endpoints, own_settings
from tests.catalog.objects import put
from tests.failure.plain import Row, Topics
from tests.failure.slots import where_of
from tests.result_topics import send
from tests.rows import decision, monitored, result, user
from tests.stages.flow import rows
from tests.stages.flow import send as send_pairs

__all__ = ["lake_endpoints"]
pytestmark = pytest.mark.services
TRANSFERS, WAITING = 12, 7
S3, MONGODB = "s3/fraudulent-transactions-result", "mongodb/transactions"
Make = Callable[[], Settings]
limits = pytest.mark.parametrize("limit", [10**6, 20], ids=["by id", "by sums"])


@pytest.fixture(scope="module")
def make(lake_endpoints: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Makes a platform of its own, with topics."""

    def made() -> Settings:
        found = own_settings(lake_endpoints, tmp_path_factory.mktemp("books"))
        ensure_topics(found)
        return found

    return made


def look(settings: Settings, **options: object) -> Report:
    return examine(settings, pause=lambda: time.sleep(0.5), **options)


def said(report: Report) -> list[str]:
    """Store, id, kind and field of each finding, in order."""
    assert report.unknown == {}
    copy = " in the curated copy"
    return sorted(
        f"{each.subject} {each.id} {each.what.partition(' ')[0]}{copy * each.what.endswith(copy)} {each.field}".strip()
        for each in report.findings
    )


# A whole flow ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(make: Make) -> Settings:
    """Twelve transfers, one of them sent twice and one bad, in both stores; seven more wait for the projection."""
    made = make()
    pairs = [(f"A-{n}", raw(f"t-{n}", evaluation="fraudulent", amount=n + 1)) for n in range(TRANSFERS)]
    send_pairs(made, Topic.BANK_TRANSACTIONS, [*pairs, pairs[3], ("A-1", b"no json")])
    for stage in (INGESTION, PROJECTION, LAKE, DOCUMENTS):
        drain(made, stage)
    send_pairs(made, Topic.BANK_TRANSACTIONS, [(f"A-{n}", raw(f"w-{n}", amount=1)) for n in range(WAITING)])
    drain(made, INGESTION)
    return made


def test_the_books_of_a_whole_flow_balance(whole: Settings) -> None:
    report = look(whole, full_at_most=1)
    assert said(report) == []
    assert report.balances
    stages = {each.stage: each for each in report.stages}
    assert (stages["ingestion"].read, stages["ingestion"].dead) == (TRANSFERS + 2 + WAITING, 1)
    assert stages["projection"].accepted == TRANSFERS + 1
    assert {name for name, each in stages.items() if each.lag} == {"projection"}
    assert all(each.difference.low == each.difference.high == 0 for each in report.crossings)
    (crossing,) = [each for each in report.crossings if each.topic is Topic.FRAUDULENT]
    assert crossing.waiting.low == crossing.waiting.high == WAITING


def test_each_entry_is_read_once_and_a_lost_store_is_made_again_from_the_topic(whole: Settings) -> None:
    before = look(whole, topics=())
    assert look(whole, topics=()).new == 0
    again = look(whole, topics=(), rebuild=True)
    assert again.new > 0
    assert again.stages == before.stages
    assert said(again) == []


def test_the_command_s_exit_code_says_whether_the_books_balance(
    whole: Settings, damaged: "Damaged", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fraud_platform.books.examine.PAUSE_S", 0.1)
    pages = []
    for settings, ledger_only, code in ((whole, True, 0), (damaged.settings, False, 1)):
        console = Console(file=io.StringIO(), width=120)
        assert books(settings, console, as_json=False, ledger_only=ledger_only, rebuild=False, settle=False) == code
        pages.append(console.file.getvalue())  # type: ignore[attr-defined]
    assert pages[0].startswith("The books balance.")
    assert f"{MONGODB} {damaged.ids[0]}: missing" in pages[1]


def test_a_lake_that_is_away_leaves_the_rest_known(whole: Settings) -> None:
    away = whole.model_copy(update={"glue_endpoint": "http://127.0.0.1:9"})
    report = look(away, ledger=False, topics=[Topic.RESULT])
    assert report.unknown == {S3: report.unknown[S3]}
    assert "Glue does not answer" in report.unknown[S3]
    assert [each.store for each in report.stores] == [MONGODB]
    assert not report.balances


HIT = {
    "rule_id": "large-amount", "criterion": "HIGH_TRANSACTION_AMOUNT", "observed": "5", "limit": "1", "window": None,
    "contributing_count": 1, "late": False, "action": "BLOCK",
}  # fmt: skip


@pytest.fixture(scope="module")
def various(make: Make) -> Settings:
    """Values of every kind, some of them compacted."""
    made = make()
    amounts = ["0", "0.000000001", "99999999999999999999.999999999", "1E+3"]
    send(made, Topic.RESULT, [result(f"t-{n}", AMOUNT=Decimal(each)) for n, each in enumerate(amounts)])
    send(made, Topic.RESULT, [result("o'x", STATUS=None, SENDER_BANK="Ünïcode \U0001f3e6 '\n")])
    send(made, Topic.USERS, [user("u-1", WEBSITE=None), user("u-2", WEBSITE=[]), user("u-3", WEBSITE=["a", "b"])])
    moment = datetime(2026, 1, 1, 12, 0, 0, 123000, tzinfo=UTC)
    doubt = [{"rule_id": "watch", "reason": "no account"}]
    send(made, Topic.DECISIONS, [decision("t-1", action="BLOCK", hits=[HIT, HIT | {"window": "PT1H"}],
                                          decided_at=moment), decision("t-2", not_evaluable=doubt)])  # fmt: skip
    exact = {"depositAmount": Decimal("0.000000001"), "balanceAmount": Decimal(-7), "transactionDetails": "a\nb"}
    send(made, Topic.MONITORED, [monitored("s-1-D"), monitored("s-2-C", **exact)])
    for stage in (LAKE, DOCUMENTS):
        drain(made, stage)
    for topic in RESULT_TOPICS:
        compact(made, topic)
    return made


def compact(settings: Settings, topic: Topic) -> list[str]:
    """Make curated files of all that the topic has in the lake; their keys."""
    (table,) = {each for each in BY_NAME.values() if each.topic is topic}
    refresh(settings, [table])
    lake, wire = S3LakeReader(settings), settings.naming.topic(topic)
    places = [place_of(wire, each.key) for each in lake.list(topic_prefix(wire))]
    list(Curation.of(settings).hours(table, sorted({each.hour for each in places if each})))
    return [each.key for each in lake.list(f"{CURATED_ROOT}/") if each.key.endswith(".parquet")]


def test_values_of_every_kind_are_equal_in_the_topic_and_both_stores(various: Settings) -> None:
    report = look(various, ledger=False)
    assert said(report) == []
    assert [each.records > 0 for each in report.stores] == [True] * 2 * len(RESULT_TOPICS)


# Damaged stores -------------------------------------------------------------------------------------


class Damaged(msgspec.Struct):
    """A platform whose stores were tampered with, `ids` whose documents were, and what the books must say of it."""

    settings: Settings
    ids: list[str]
    findings: list[str]


@pytest.fixture(scope="module")
def damaged(make: Make) -> Damaged:
    """Each kind of damage, on another id."""
    made = make()
    send(made, Topic.RESULT, [result(f"t-{n}") for n in range(40)])
    for stage in (LAKE, DOCUMENTS):
        drain(made, stage)
    (file,) = compact(made, Topic.RESULT)
    partitions: dict[int, list[Row]] = defaultdict(list)
    for each in rows(made, Topic.RESULT):
        partitions[each.partition].append(each)
    lost, changed, grown, *_ = sorted(partitions, key=lambda number: len(partitions[number]))
    ids = [(each.key or b"").decode() for each in partitions[grown]]
    altered = (partitions[changed][0].key or b"").decode()
    found = [f"{S3} {(each.key or b'').decode()} missing" for each in partitions[lost]]
    lose_an_object(made, lost)
    alter_an_amount(made, changed, altered)
    put(
        S3LakeReader(made),
        made.naming,
        Topic.RESULT,
        [result(ids[3])],
        partition=grown,
        start=partitions[grown][3].offset,
    )
    alter_a_curated_status(made, file, ids[4])
    damage_documents(made, ids[:3])
    found += [f"{S3} {altered} altered amount", f"{S3} {ids[3]} altered dt, hr", f"{S3} {ids[3]} doubled",
              f"{S3} {ids[4]} altered in the curated copy status"]  # fmt: skip
    kinds = ("missing", "altered amount", "doubled")
    found += [f"{MONGODB} {each} {kind}" for each, kind in zip(ids, kinds, strict=False)]
    return Damaged(made, ids, sorted(found))


def key_of(settings: Settings, partition: int) -> str:
    """The object of a partition."""
    wire = settings.naming.topic(Topic.RESULT)
    places = [(each.key, place_of(wire, each.key)) for each in S3LakeReader(settings).list(topic_prefix(wire))]
    (found,) = [key for key, place in places if place and place.partition == partition]
    return found


def lose_an_object(settings: Settings, partition: int) -> None:
    S3LakeReader(settings).delete([key_of(settings, partition)])


def alter_an_amount(settings: Settings, partition: int, row_id: str) -> None:
    lake, key = S3LakeReader(settings), key_of(settings, partition)
    reader = fastavro.reader(io.BytesIO(lake.get(key) or b""))
    records = [each | {"AMOUNT": Decimal(99)} if each["TRANSACTION_ID"] == row_id else each for each in reader]
    file = io.BytesIO()
    fastavro.writer(file, reader.writer_schema, records, codec="snappy")
    lake.put(key, file.getvalue())


def alter_a_curated_status(settings: Settings, key: str, row_id: str) -> None:
    lake, folder = S3LakeReader(settings), settings.data_dir
    (folder / "old.parquet").write_bytes(lake.get(key) or b"")
    status = f"CASE WHEN transaction_id = '{row_id}' THEN 'altered' ELSE status END AS status"
    changed = f"SELECT * REPLACE ({status}) FROM '{folder}/old.parquet'"  # noqa: S608 - all of it ours
    duckdb.sql(f"COPY ({changed}) TO '{folder}/new.parquet'")
    lake.put(key, (folder / "new.parquet").read_bytes())


def damage_documents(settings: Settings, ids: list[str]) -> None:
    """One is lost, one altered, and one there once more."""
    store = MongoStore(settings)
    transactions = store._database["transactions"]
    transactions.delete_one({"_id": ids[0]})
    transactions.update_one({"_id": ids[1]}, {"$set": {"AMOUNT": Decimal128("999.5")}})
    transactions.insert_one({"TRANSACTION_ID": ids[2], "AMOUNT": Decimal128("1")})
    store.close()


@limits
def test_damage_of_every_kind_is_named_by_store_id_and_field_and_nothing_else_is(damaged: Damaged, limit: int) -> None:
    report = look(damaged.settings, ledger=False, topics=[Topic.RESULT], full_at_most=limit)
    assert said(report) == damaged.findings
    assert {each.check for each in report.findings} == {STORES}
    assert "999.5" not in json.dumps(report.to_json())


def test_the_asset_check_of_the_store_fails_by_name_and_its_neighbours_pass(
    damaged: Damaged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checked, "__kwdefaults__", {"settings": lambda: damaged.settings})
    keys = [dg.AssetCheckKey(store_key(topic, "mongodb"), STORES) for topic in (Topic.RESULT, Topic.USERS)]
    job = dg.define_asset_job("some", selection=dg.AssetSelection.checks(*keys))
    defs = dg.Definitions(asset_checks=[check_books], jobs=[job, books_job])
    done = defs.resolve_job_def("some").execute_in_process()
    off, fine = sorted(done.get_asset_check_evaluations(), key=lambda each: each.passed)
    assert (off.passed, off.asset_key.path) == (False, ["mongodb", "transactions"])
    assert f"{MONGODB} {damaged.ids[0]}: missing" in str(off.metadata["what_is_off"]) + (off.description or "")
    assert (fine.passed, fine.asset_key.path) == (True, ["mongodb", "users"])


# Damaged topics -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def told(make: Make) -> Settings:
    """Three transfers, read one after the other."""
    made = make()
    for n in range(3):
        send_pairs(made, Topic.BANK_TRANSACTIONS, [("A", raw(f"t-{n}"))])
        drain(made, INGESTION)
    return made


def test_a_stranger_s_record_in_a_topic_is_too_many(told: Settings) -> None:
    send(told, Topic.DECISIONS, [decision("t-forged")])
    report = look(told, topics=(), rebuild=True)
    assert [(each.check, each.subject, each.stage) for each in report.findings] == [
        (FLOW, "decisions", "lake"),
        (FLOW, "decisions", "documents"),
    ]


def test_a_removed_ledger_record_is_named_by_the_range_that_it_told_of(told: Settings) -> None:
    """Kafka removes from the beginning only: the ledger is cut off, and all but one record are written again."""
    ledger = rows(told, Topic.LEDGER)
    removed, (start, end) = moving(told, [row for row in ledger if row.key == b"ingestion"])[1]
    truncate(told, Topic.LEDGER)
    send_pairs(told, Topic.LEDGER, [((row.key or b"").decode(), row.value) for row in ledger if row is not removed])
    found = [each for each in look(told, topics=(), rebuild=True).findings if each.check == RANGES]
    (what,) = [each.what for each in found]
    assert what.startswith("ingestion: bank-transactions/")
    assert f" [{start}, {end}) is in no ledger entry (ledger/{removed.partition} at" in what


def moving(settings: Settings, records: list[Row]) -> list[tuple[Row, tuple[int, int]]]:
    """The entries that read something, with the range; others moved over markers."""
    with Topics(where_of(settings)) as topics:
        read = [(each, i) for each in records for i in topics.decode(each.value)["inputs"] if i["count"]]
    return [(each, (i["from"], i["to"])) for each, i in read]


def truncate(settings: Settings, topic: Topic) -> None:
    """Delete every record that lies in the topic."""
    client = AdminClient({"bootstrap.servers": settings.require("KAFKA_BOOTSTRAP_SERVERS")})
    name = settings.naming.topic(topic)
    number = range(settings.partitions)
    for future in client.delete_records([TopicPartition(name, p, -1) for p in number]).values():
        future.result(10)
