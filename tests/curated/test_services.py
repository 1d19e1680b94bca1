"""Compaction over a real S3 and a real Glue API, read by the local engine as people do."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fraud_platform.adapters.lake_reader import S3LakeReader
from fraud_platform.catalog import ready
from fraud_platform.catalog.access import catalog_of, engine_of
from fraud_platform.catalog.holdings import curated_hours
from fraud_platform.catalog.refresh import refresh
from fraud_platform.core.partitioning import CURATED_ROOT, LAKE_ROOT
from fraud_platform.curated.run import Curation
from fraud_platform.settings import Settings
from fraud_platform.topology import Topic
from tests.catalog.conftest import own_settings
from tests.catalog.objects import put, put_changed, results, users
from tests.rows import result, user

pytestmark = pytest.mark.services
JOIN = "transactions-with-users"


@pytest.fixture
def settings(lake_endpoints: dict[str, str], tmp_path: Path) -> Settings:
    """Four hours of transfers and users in small objects, crawled; one transfer comes again, one user changes."""
    found = own_settings(lake_endpoints, tmp_path)
    lake = S3LakeReader(found)
    lake.prepare()
    for hour in range(4):
        for partition in range(2):
            ids = [f"t-{hour}-{partition}-{number}" for number in range(3)]
            put(lake, found.naming, Topic.RESULT, results(*ids), at=hour, partition=partition, start=10 * hour)
            put(lake, found.naming, Topic.USERS, users("u-1", "u-2", NAME=f"in {hour}"), at=hour, partition=partition,
                start=10 * hour)  # fmt: skip
    exact = Decimal("99999999999999999999999999999.000000001")
    put(lake, found.naming, Topic.RESULT, [result("t-0-0-0", AMOUNT=exact)], at=1, start=500)
    refresh(found)
    return found


def rows(settings: Settings, sql: str) -> list[dict[str, Any]]:
    return sorted(engine_of(settings).ask(sql).rows, key=str)


def keys(settings: Settings, root: str) -> list[str]:
    return [info.key for info in S3LakeReader(settings).list(f"{root}/")]


def test_the_ready_queries_answer_the_same_before_and_after(settings: Settings) -> None:
    names = [JOIN, "fraud-by-bank-and-hour", "top-receivers-across-banks"]
    before = {name: rows(settings, ready.text(name, local=True)) for name in names}
    raw = keys(settings, LAKE_ROOT)
    done = list(Curation.of(settings).due())
    assert [(each.table, each.key[1], each.files) for each in done] == [
        (f"curated_{each}", hour, 1) for each in ("fraudulent_transactions_result", "users") for hour in ("00", "01")
    ]
    assert {name: rows(settings, ready.text(name, local=True)) for name in names} == before
    assert len(before[JOIN]) == 24
    assert keys(settings, LAKE_ROOT) == raw
    assert len(keys(settings, CURATED_ROOT)) == 8
    assert list((settings.data_dir / "compaction").iterdir()) == []


def test_raw_objects_of_compacted_hours_are_no_longer_opened(settings: Settings) -> None:
    list(Curation.of(settings).due())

    client = S3LakeReader(settings)._client
    for key in keys(settings, LAKE_ROOT):
        if "/hr=00/" in key or "/hr=01/" in key:
            size = client.head_object(Bucket=settings.lake_bucket, Key=key)["ContentLength"]
            client.put_object(Bucket=settings.lake_bucket, Key=key, Body=b"x" * size)  # nobody can read it any more
    assert rows(settings, "SELECT count(*) AS n FROM raw_fraudulent_transactions_result") == [{"n": 24}]
    assert len(rows(settings, ready.text(JOIN, local=True))) == 24


def test_late_objects_count_at_once_and_are_folded_in(settings: Settings) -> None:
    curation = Curation.of(settings)
    list(curation.due())
    lake = S3LakeReader(settings)
    put(lake, settings.naming, Topic.RESULT, results("late"), start=900)
    asked = "SELECT count(*) AS n FROM raw_fraudulent_transactions_result"
    assert rows(settings, asked) == [{"n": 25}]
    assert rows(settings, "SELECT transaction_id FROM pending_fraudulent_transactions_result WHERE hr = '00'") == [
        {"transaction_id": "late"}
    ]
    (done,) = curation.due()
    assert (done.key, done.rows, done.files) == (("2026-01-01", "00"), 7, 1)
    assert rows(settings, asked) == [{"n": 25}]
    assert rows(settings, "SELECT count(*) AS n FROM curated_fraudulent_transactions_result") == [{"n": 14}]


def test_a_lost_catalog_is_rebuilt_with_its_curated_hours(settings: Settings) -> None:
    list(Curation.of(settings).due())
    expected = rows(settings, ready.text(JOIN, local=True))
    files = keys(settings, CURATED_ROOT)
    fresh = settings.model_copy(update={"glue_database": f"{settings.glue_database}_again"})
    refresh(fresh)
    assert rows(fresh, ready.text(JOIN, local=True)) == expected
    assert {each.built for each in Curation.of(fresh).due()} == {False}
    assert keys(fresh, CURATED_ROOT) == files
    hours = curated_hours(catalog_of(fresh).partitions("curated_users"))
    assert hours == curated_hours(catalog_of(settings).partitions("curated_users"))
    assert rows(fresh, ready.text(JOIN, local=True)) == expected


def test_an_added_column_and_an_object_that_does_not_fit(settings: Settings) -> None:
    lake, naming = S3LakeReader(settings), settings.naming
    put_changed(lake, naming, Topic.USERS, user("u-3", NICK="N"), fields={"NICK": ["null", "string"]}, at=1, start=700)
    bad = put_changed(lake, naming, Topic.USERS, user("u-4") | {"NAME": 5}, fields={"NAME": "int"}, at=1, start=701)
    refresh(settings, full=True)
    found = {(each.table, each.key[1]): each for each in Curation.of(settings).due()}
    assert [name for name, _ in found["curated_users", "01"].left_out] == [bad]
    assert rows(settings, "SELECT id, nick FROM raw_users") == [
        {"id": "u-1", "nick": None}, {"id": "u-2", "nick": None}, {"id": "u-3", "nick": "N"},
    ]  # fmt: skip


def test_the_partition_says_to_athena_where_and_how_the_files_lie(settings: Settings) -> None:
    list(Curation.of(settings).due())
    client = catalog_of(settings)._client  # type: ignore[attr-defined]
    names = {"DatabaseName": settings.glue_database, "TableName": "curated_users"}
    found = client.get_partition(**names, PartitionValues=["2026-01-01", "00"])["Partition"]
    storage = found["StorageDescriptor"]
    assert storage["SerdeInfo"]["SerializationLibrary"].endswith("ParquetHiveSerDe")
    assert storage["InputFormat"].endswith("MapredParquetInputFormat")
    folder = storage["Location"].removeprefix(f"s3://{settings.lake_bucket}/")
    assert [key.removeprefix(folder) for key in keys(settings, CURATED_ROOT) if key.startswith(folder)] == [
        "_manifest.json", "part-00000.parquet",
    ]  # fmt: skip
    assert found["Parameters"]["recordCount"] == "4"


def test_the_tables_are_listed(settings: Settings) -> None:
    names = {row["name"] for row in rows(settings, "SHOW TABLES")}
    assert {"landing_users", "curated_users", "pending_users", "raw_users"} <= names


def test_replaced_files_can_be_deleted(settings: Settings) -> None:
    curation = Curation.of(settings)
    list(curation.due())
    put(S3LakeReader(settings), settings.naming, Topic.USERS, users("late"), start=900)
    list(curation.due())
    before = keys(settings, CURATED_ROOT)
    assert curation.tidy(datetime.now(UTC)) == 0
    assert curation.tidy(datetime.now(UTC) + timedelta(days=2)) == 2
    assert len(keys(settings, CURATED_ROOT)) == len(before) - 2
    assert len(rows(settings, "SELECT id FROM raw_users")) == 3
