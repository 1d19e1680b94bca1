"""The crawler over a lake and a catalog in memory: what it finds, and how little it asks."""

import pytest

from fraud_platform.catalog import crawl
from fraud_platform.catalog.crawl import Crawler, Found
from fraud_platform.catalog.hours import Hour
from fraud_platform.catalog.newest import newest_hour
from fraud_platform.catalog.tables import BY_NAME, TABLES, TableEntry
from fraud_platform.catalog.types import hive
from fraud_platform.core.partitioning import object_key
from fraud_platform.errors import StoreUnavailable
from fraud_platform.topology import Naming, Topic
from tests.catalog.objects import hour, put, put_changed, results, users
from tests.fakes.lake import FakeCatalog, FakeLake
from tests.rows import user

NAMING = Naming("p-")
USERS = BY_NAME["landing_users"]


@pytest.fixture
def lake() -> FakeLake:
    return FakeLake()


@pytest.fixture
def catalog() -> FakeCatalog:
    return FakeCatalog()


@pytest.fixture
def crawler(lake: FakeLake, catalog: FakeCatalog) -> Crawler:
    return Crawler(lake, catalog, NAMING, "bucket")


def found(crawler: Crawler, *, full: bool = False) -> Found:
    each = crawler.crawl(USERS, full=full)
    assert each is not None
    return each


def test_the_first_crawl_makes_tables_partitions_and_views(
    lake: FakeLake, catalog: FakeCatalog, crawler: Crawler
) -> None:
    put(lake, NAMING, Topic.RESULT, results("t-1", "t-2"))
    put(lake, NAMING, Topic.USERS, users("u-1"), at=1)
    each = [crawler.crawl(table) for table in TABLES]
    assert [one and (one.hours, one.rows) for one in each] == [(1, 2), (1, 1), None, None]
    suffixes = ("fraudulent_transactions_result", "users")
    assert catalog.tables.keys() == {f"{kind}_{each}" for kind in ("landing", "curated") for each in suffixes}
    assert catalog.views.keys() == {f"{kind}_{each}" for kind in ("pending", "raw") for each in suffixes}
    assert catalog.tables["curated_users"].location == "s3://bucket/fraudulent-transactions-curated/p-users/"
    assert catalog.tables["landing_users"].location == "s3://bucket/fraudulent-transactions/p-users/"
    assert list(catalog.kept["landing_users"]) == [("2026-01-01", "01")]


def test_crawling_again_changes_nothing_and_opens_nothing(
    lake: FakeLake, catalog: FakeCatalog, crawler: Crawler
) -> None:
    put(lake, NAMING, Topic.USERS, users("u-1"))
    put(lake, NAMING, Topic.USERS, users("u-2"), at=5)
    first = found(crawler)
    catalog.writes.clear()
    lake.opened.clear()
    for full in (False, True):
        again = found(crawler, full=full)
        assert (again.rows, again.hours, again.columns) == (first.rows, first.hours, first.columns)
        assert (again.opened, again.new_hours, again.new_columns) == (0, 0, ())
    assert (catalog.writes, lake.opened) == ([], [])


def test_ten_new_objects_among_ten_thousand_known_ones_cost_ten_opens(lake: FakeLake, crawler: Crawler) -> None:
    body = lake.objects[put(lake, NAMING, Topic.USERS, users("u-1", "u-2"))]
    topic = NAMING.topic(Topic.USERS)
    lake.objects = {object_key(topic, number % 4, number, hour(number // 100)): body for number in range(10_000)}
    assert found(crawler).rows == 20_000
    lake.pages, lake.listed = 0, 0
    lake.opened.clear()
    lake.objects |= {object_key(topic, number % 4, number, hour(99)): body for number in range(10_000, 10_010)}
    again = found(crawler)
    assert (again.rows, again.opened, again.objects) == (20_020, 10, 10_010)
    assert len(lake.opened) == 10
    # The days, the hours of each of the five days, and the objects of the three newest hours.
    assert lake.pages == 1 + 5 + 3
    assert lake.listed == 310


def test_a_new_hour_of_an_old_day_is_found_without_a_full_look(lake: FakeLake, crawler: Crawler) -> None:
    for number in range(24, 24 * 40, 24):
        put(lake, NAMING, Topic.USERS, users("u-1"), at=number, start=number)
    found(crawler)
    put(lake, NAMING, Topic.USERS, users("late"), at=24 * 20 + 7, start=5000)
    put(lake, NAMING, Topic.USERS, users("late"), at=3, start=5001)  # a day that nobody knew
    assert found(crawler).new_hours == 2


def test_a_late_object_of_a_known_hour_counts_at_the_next_full_look(lake: FakeLake, crawler: Crawler) -> None:
    for number in range(6):
        put(lake, NAMING, Topic.USERS, users("u-1"), at=number, start=number)
    found(crawler)
    put(lake, NAMING, Topic.USERS, users("late"), at=0, start=100)
    assert found(crawler).rows == 6
    assert found(crawler, full=True).rows == 7


def test_more_of_the_newest_hours_may_be_looked_at_for_late_objects(lake: FakeLake, crawler: Crawler) -> None:
    for number in range(6):
        put(lake, NAMING, Topic.USERS, users("u-1"), at=number, start=number)
    found(crawler)
    put(lake, NAMING, Topic.USERS, users("late"), at=0, start=100)
    each = crawler.crawl(USERS, newest=6)
    assert each is not None
    assert (each.rows, each.opened) == (7, 1)


def test_an_optional_column_appears_and_older_files_stay(
    lake: FakeLake, catalog: FakeCatalog, crawler: Crawler
) -> None:
    put(lake, NAMING, Topic.USERS, users("u-1"))
    found(crawler)
    put_changed(lake, NAMING, Topic.USERS, user("u-2", NICK="N"), fields={"NICK": ["null", "string"]}, start=1)
    each = found(crawler)
    assert (each.new_columns, each.rows, each.problems) == (("nick",), 2, ())
    assert '"nick"' in catalog.views["raw_users"].sql
    assert '"NICK"' in catalog.tables["landing_users"].literal
    put(lake, NAMING, Topic.USERS, users("u-3"), start=2)
    each = found(crawler)
    assert (each.new_columns, each.rows) == ((), 3)
    assert '"NICK"' in catalog.tables["landing_users"].literal


def test_a_column_widens_in_the_table_and_in_its_view(lake: FakeLake, catalog: FakeCatalog, crawler: Crawler) -> None:
    put_changed(lake, NAMING, Topic.USERS, user("u-1", n=1), fields={"n": "int"})
    found(crawler)
    before = catalog.views["raw_users"]
    assert dict(before.columns)["n"] == "integer"
    put_changed(lake, NAMING, Topic.USERS, user("u-2", n=2), fields={"n": "long"}, start=1)
    assert {column.name: hive(column.type) for column in found(crawler).columns}["n"] == "bigint"
    after = catalog.views["raw_users"]
    assert (dict(after.columns)["n"], after.sql) == ("bigint", before.sql)


def test_an_incompatible_object_is_reported_and_the_others_count(
    lake: FakeLake, catalog: FakeCatalog, crawler: Crawler
) -> None:
    put(lake, NAMING, Topic.USERS, users("u-1"))
    bad = put_changed(lake, NAMING, Topic.USERS, user("u-2") | {"NAME": 5}, fields={"NAME": "int"}, start=1)
    put(lake, NAMING, Topic.USERS, users("u-3"), start=2)
    for _ in range(2):  # the second crawl opens nothing and still knows
        each = found(crawler)
        assert each.rows == 2
        ((name, why),) = each.problems
        assert name == bad
        assert why.startswith("column name is int in the file and string in the table; Athena reads all that lies")
    (hour_,) = catalog.hours("landing_users").values()
    assert [schema == "" for _, schema in hour_.seen["0"].runs] == [False, True, False]


@pytest.mark.parametrize("body", [b"", b"not avro at all", b"Obj\x01\x02"])
def test_a_broken_object_is_reported(lake: FakeLake, crawler: Crawler, body: bytes) -> None:
    key = put(lake, NAMING, Topic.USERS, users("u-1"), start=1)
    put(lake, NAMING, Topic.USERS, users("u-2"))
    lake.objects[key] = body
    assert [name for name, _ in found(crawler).problems] == [key]
    assert found(crawler).rows == 1


def test_a_table_of_bad_objects_alone_is_reported_and_not_made(
    lake: FakeLake, catalog: FakeCatalog, crawler: Crawler
) -> None:
    key = put(lake, NAMING, Topic.USERS, users("u-1"))
    lake.objects[key] = b""
    each = found(crawler)
    assert (each.columns, each.hours, each.rows, each.objects, each.new_hours) == ((), 0, 0, 1, 0)
    assert [name for name, _ in each.problems] == [key]
    assert catalog.writes == []


@pytest.mark.parametrize("folder", ["test/", "dt=2026-1-1/hr=00/", "dt=zzzz/hr=00/", "dt=2026-01-01/hr=0/", "hr=00/"])
def test_a_folder_that_is_no_hour_is_left_alone(
    lake: FakeLake, catalog: FakeCatalog, crawler: Crawler, folder: str
) -> None:
    put(lake, NAMING, Topic.USERS, users("u-1"))
    prefix = "fraudulent-transactions/p-users/"
    lake.objects[f"{prefix}{folder}a.avro"] = b"x"
    assert found(crawler).problems == ()
    assert list(catalog.kept["landing_users"]) == [("2026-01-01", "00")]
    assert newest_hour(lake, prefix) == "dt=2026-01-01/hr=00"


def test_a_strangers_file_in_an_hour_is_reported(lake: FakeLake, crawler: Crawler) -> None:
    put(lake, NAMING, Topic.USERS, users("u-1"))
    lake.objects["fraudulent-transactions/p-users/dt=2026-01-01/hr=00/notes.txt"] = b"hello"
    ((_, why),) = found(crawler).problems
    assert "not one that the lake gives" in why


def test_a_repaired_object_is_read_again(lake: FakeLake, crawler: Crawler) -> None:
    key = put(lake, NAMING, Topic.USERS, users("u-1", "u-2"))
    good, lake.objects[key] = lake.objects[key], b"broken"
    assert found(crawler).columns == ()  # no file says yet what the table looks like
    put(lake, NAMING, Topic.USERS, users("u-3"), start=9)
    assert found(crawler).rows == 1
    lake.objects[key] = good
    assert found(crawler).rows == 3
    assert found(crawler).problems == ()


def test_a_deleted_object_no_longer_counts(lake: FakeLake, crawler: Crawler) -> None:
    put(lake, NAMING, Topic.USERS, users("u-1"))
    key = put(lake, NAMING, Topic.USERS, users("u-2"), start=1)
    assert found(crawler).rows == 2
    del lake.objects[key]
    assert found(crawler).rows == 1


def test_a_deleted_hour_leaves_the_catalog_at_a_full_look(
    lake: FakeLake, catalog: FakeCatalog, crawler: Crawler
) -> None:
    key = put(lake, NAMING, Topic.USERS, users("u-1"))
    put(lake, NAMING, Topic.USERS, users("u-2"), at=1, start=1)
    found(crawler)
    del lake.objects[key]
    assert found(crawler).hours == 2
    assert found(crawler, full=True).hours == 1
    assert list(catalog.kept["landing_users"]) == [("2026-01-01", "01")]


def test_a_lost_catalog_is_built_again_from_the_lake_alone(
    lake: FakeLake, catalog: FakeCatalog, crawler: Crawler
) -> None:
    for number in range(5):
        put(lake, NAMING, Topic.USERS, users("u-1"), at=number, start=number)
    first = found(crawler)
    tables, partitions, views = catalog.tables, catalog.kept, catalog.views
    catalog.tables, catalog.kept, catalog.views = {}, {}, {}
    assert found(crawler) == first
    assert (catalog.tables, catalog.kept, catalog.views) == (tables, partitions, views)


def test_partitions_of_another_crawler_are_taken_over(lake: FakeLake, catalog: FakeCatalog, crawler: Crawler) -> None:
    for number in range(24 * 40):
        put(lake, NAMING, Topic.USERS, users("u-1"), at=number, start=number)
    found(crawler)
    key = ("2026-01-01", "00")  # an old hour, which a crawl does not list otherwise
    catalog.kept["landing_users"][key] = {"classification": "avro", "recordCount": "7", "objectCount": "2"}
    assert catalog.hours("landing_users")[key] == Hour(key, objects=2, rows=7)
    again = found(crawler)
    assert (again.rows, again.opened, again.new_hours) == (24 * 40, 1, 0)


def test_an_hour_whose_schema_the_table_has_lost_is_read_again(
    lake: FakeLake, catalog: FakeCatalog, crawler: Crawler
) -> None:
    """Two first crawls at once: the later one writes the table without what the other has found."""
    put_changed(lake, NAMING, Topic.USERS, user("u-0", NICK="N"), fields={"NICK": ["null", "string"]})
    for number in range(1, 6):
        put(lake, NAMING, Topic.USERS, users("u-1"), at=number, start=number)
    whole = found(crawler)
    entry = catalog.tables["landing_users"]
    lost = {name: columns for name, columns in entry.schemas.items() if "nick" not in {each.name for each in columns}}
    columns = tuple(column for column in entry.columns if column.name != "nick")
    catalog.tables["landing_users"] = TableEntry(entry.location, columns, lost, entry.literal)
    again = found(crawler)
    assert (again.opened, again.new_columns) == (1, ("nick",))
    assert catalog.tables["landing_users"].schemas == entry.schemas
    assert (again.rows, again.hours) == (whole.rows, whole.hours)


def test_a_crawl_that_dies_goes_on_with_what_is_missing(
    lake: FakeLake, catalog: FakeCatalog, crawler: Crawler, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(lake, NAMING, Topic.USERS, users("u-1"))

    def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(catalog, "put_hours", away)
        with pytest.raises(StoreUnavailable):
            crawler.crawl(USERS)
    assert found(crawler).rows == 1
    assert catalog.views.keys() == {"pending_users", "raw_users"}


def test_a_crawl_that_ends_early_goes_on_from_where_it_was(
    lake: FakeLake, catalog: FakeCatalog, crawler: Crawler, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(250):
        put(lake, NAMING, Topic.USERS, users("u-1"), at=number, start=number)
    part = lake.part

    def away(key: str, start: int, length: int) -> bytes:
        if "+00000000000000000230." in key:
            raise StoreUnavailable("away")
        return part(key, start, length)

    with monkeypatch.context() as patch:
        patch.setattr(lake, "part", away)
        with pytest.raises(StoreUnavailable):
            crawler.crawl(USERS)
    assert len(catalog.kept["landing_users"]) == 200
    assert catalog.views.keys() == {"pending_users", "raw_users"}
    again = found(crawler)
    assert (again.hours, again.rows, again.new_hours) == (250, 250, 50)
    assert again.opened == 50


def test_hours_of_many_objects_are_saved_sooner(
    lake: FakeLake, catalog: FakeCatalog, crawler: Crawler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crawl, "OPENED_AT_ONCE", 3)
    for number in range(9):
        put(lake, NAMING, Topic.USERS, users("u-1"), at=number // 2, start=number)
    answers = iter([False, False, False, True])
    saved: list[int] = []

    def stop() -> bool:
        saved.append(len(catalog.hours("landing_users")))
        return next(answers)

    assert crawler.crawl(USERS, stop=stop) is None
    assert saved == [0, 0, 2, 2]
    assert len(catalog.hours("landing_users")) == 3


def test_a_crawl_that_is_told_to_stop_keeps_what_it_found(
    lake: FakeLake, catalog: FakeCatalog, crawler: Crawler
) -> None:
    for number in range(3):
        put(lake, NAMING, Topic.USERS, users("u-1"), at=number, start=number)
    answers = iter([False, True])
    assert crawler.crawl(USERS, stop=lambda: next(answers)) is None
    assert list(catalog.kept["landing_users"]) == [("2026-01-01", "00")]


def test_a_crawl_that_is_told_to_stop_at_once_writes_nothing(
    lake: FakeLake, catalog: FakeCatalog, crawler: Crawler
) -> None:
    put(lake, NAMING, Topic.USERS, users("u-1"))
    assert crawler.crawl(USERS, stop=lambda: True) is None
    assert catalog.writes == []


def test_other_platforms_of_the_bucket_are_left_alone(lake: FakeLake, crawler: Crawler) -> None:
    put(lake, Naming("q-"), Topic.USERS, users("u-1"))
    assert crawler.crawl(USERS) is None
