"""What every `Catalog` promises, kept by the one in memory and by a real Glue API."""

from pathlib import Path

import pytest

from fraud_platform.adapters.glue import GlueCatalog
from fraud_platform.catalog.columns import Column
from fraud_platform.catalog.hours import Hour, Place
from fraud_platform.catalog.store import Catalog
from fraud_platform.catalog.tables import TableEntry, View
from fraud_platform.catalog.types import parse
from fraud_platform.errors import ConfigurationError, StoreUnavailable
from fraud_platform.settings import Settings
from tests.catalog.conftest import own_settings
from tests.fakes.lake import FakeCatalog

COLUMNS = (Column("id", "ID", parse("string")), Column("hits", "hits", parse("array<struct<a:int,b:decimal(38,9)>>")))
ENTRY = TableEntry("s3://bucket/folder/", COLUMNS, {"one": COLUMNS[:1], "two": COLUMNS}, '{"type": "record"}')


def seen(dt: str, hr: str, *, rows: int = 7) -> Hour:
    hour = Hour((dt, hr))
    hour.add(Place(hour.key, 0, 5), size=100, rows=rows, schema="one")
    hour.add(Place(hour.key, 3, 9), size=50, rows=1, schema="two")
    hour.note("a/strange/object", "no Avro")
    return hour


@pytest.fixture
def settings(lake_endpoints: dict[str, str], tmp_path: Path) -> Settings:
    return own_settings(lake_endpoints, tmp_path)


@pytest.fixture(params=["fake", pytest.param("glue", marks=pytest.mark.services)])
def catalog(request: pytest.FixtureRequest) -> Catalog:
    return FakeCatalog() if request.param == "fake" else GlueCatalog(request.getfixturevalue("settings"))


def test_nothing_is_there_at_first(catalog: Catalog) -> None:
    assert catalog.table("landing_users") is None
    assert catalog.view("raw_users") is None


def test_a_table_is_read_as_it_was_written(catalog: Catalog) -> None:
    catalog.put_table("landing_users", ENTRY, about="People.")
    assert catalog.table("landing_users") == ENTRY
    wider = TableEntry(ENTRY.location, (*COLUMNS, Column("n", "N", parse("int"))), ENTRY.schemas, "{}")
    catalog.put_table("landing_users", wider, about="People.")
    found = catalog.table("landing_users")
    assert found is not None
    assert [column.name for column in found.columns] == ["id", "hits", "n"]


def test_partitions_are_read_as_they_were_written_and_replaced(catalog: Catalog) -> None:
    catalog.put_table("landing_users", ENTRY, about="People.")
    hours = [seen(f"2026-01-{day:02}", f"{hr:02}") for day in range(1, 7) for hr in range(24)]
    catalog.put_hours("landing_users", ENTRY, hours)
    assert catalog.hours("landing_users") == {hour.key: hour for hour in hours}
    changed = seen("2026-01-02", "03", rows=8)
    catalog.put_hours("landing_users", ENTRY, [changed, seen("2026-02-01", "00")])
    found = catalog.hours("landing_users")
    assert len(found) == 145
    assert found["2026-01-02", "03"] == changed


def test_dropped_partitions_are_gone_and_may_be_dropped_again(catalog: Catalog) -> None:
    catalog.put_table("landing_users", ENTRY, about="People.")
    hours = [seen("2026-01-01", f"{hr:02}") for hr in range(24)] + [seen("2026-01-02", f"{hr:02}") for hr in range(24)]
    catalog.put_hours("landing_users", ENTRY, hours)
    catalog.drop_hours("landing_users", [hour.key for hour in hours[:30]])
    assert list(catalog.hours("landing_users")) == [hour.key for hour in hours[30:]]


def test_a_view_is_read_as_it_was_written(catalog: Catalog) -> None:
    catalog.put_table("landing_users", ENTRY, about="People.")
    for sql in ("SELECT 1 AS id", 'SELECT "id" FROM landing_users\nWHERE true -- ü'):
        catalog.put_view("raw_users", sql, COLUMNS, about="Newest.")
        assert catalog.view("raw_users") == View.of(sql, COLUMNS)


def test_a_view_knows_the_types_of_its_columns(catalog: Catalog) -> None:
    for kind in ("int", "bigint"):
        columns = (Column("n", "n", parse(kind)),)
        catalog.put_view("raw_users", "SELECT n FROM landing_users", columns, about="Newest.")
        assert catalog.view("raw_users") == View.of("SELECT n FROM landing_users", columns)


@pytest.mark.services
def test_tables_say_to_athena_how_their_files_are_read(settings: Settings) -> None:
    catalog = GlueCatalog(settings)
    catalog.put_table("landing_users", ENTRY, about="People.")
    catalog.put_hours("landing_users", ENTRY, [seen("2026-01-01", "00")])
    catalog.put_view("raw_users", "SELECT 1", COLUMNS, about="Newest.")
    client = catalog._client
    table = client.get_table(DatabaseName=settings.glue_database, Name="landing_users")["Table"]
    assert [key["Name"] for key in table["PartitionKeys"]] == ["dt", "hr"]
    assert table["StorageDescriptor"]["SerdeInfo"]["Parameters"]["avro.schema.literal"] == ENTRY.literal
    (partition,) = client.get_partitions(DatabaseName=settings.glue_database, TableName="landing_users")["Partitions"]
    assert partition["StorageDescriptor"]["Location"] == "s3://bucket/folder/dt=2026-01-01/hr=00/"
    assert partition["Parameters"]["recordCount"] == "8"
    view = client.get_table(DatabaseName=settings.glue_database, Name="raw_users")["Table"]
    assert view["TableType"] == "VIRTUAL_VIEW"
    assert view["ViewOriginalText"].startswith("/* Presto View: ")


@pytest.mark.services
def test_a_table_that_is_not_ours_is_one_sentence(settings: Settings) -> None:
    catalog = GlueCatalog(settings)
    catalog.put_table("landing_users", ENTRY, about="People.")
    table = {"Name": "landing_users", "StorageDescriptor": {"Columns": [{"Name": "a", "Type": "?!"}]}}
    catalog._client.update_table(DatabaseName=settings.glue_database, TableInput=table)
    with pytest.raises(ConfigurationError, match=r"landing_users is not one that we can read .* FRAUD_GLUE_DATABASE"):
        catalog.table("landing_users")


@pytest.mark.services
def test_a_table_of_other_partition_keys_is_one_sentence(settings: Settings) -> None:
    catalog = GlueCatalog(settings)
    catalog.put_table("landing_users", ENTRY, about="People.")
    catalog._client.update_table(
        DatabaseName=settings.glue_database,
        TableInput={"Name": "landing_users", "PartitionKeys": [{"Name": "partition_0", "Type": "string"}]},
    )
    catalog._client.create_partition(
        DatabaseName=settings.glue_database, TableName="landing_users", PartitionInput={"Values": ["users"]}
    )
    with pytest.raises(ConfigurationError, match=r"landing_users is partitioned by 1 keys, not by dt and hr"):
        catalog.hours("landing_users")


def test_a_catalog_that_does_not_answer_is_unavailable(tmp_path: Path) -> None:
    nowhere = Settings.from_environment(
        {"AWS_ENDPOINT_URL_GLUE": "http://127.0.0.1:9", "FRAUD_DATA_DIR": str(tmp_path)}, embedded={}
    )
    with pytest.raises(StoreUnavailable, match="Glue does not answer"):
        GlueCatalog(nowhere).table("landing_users")


def test_without_any_catalog_the_sentence_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="AWS_ENDPOINT_URL_GLUE"):
        GlueCatalog(Settings.from_environment({"FRAUD_DATA_DIR": str(tmp_path)}, embedded={}))
