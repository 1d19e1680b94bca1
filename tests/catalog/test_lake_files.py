"""Which objects the local engine lists, opens and reads, over a lake and a catalog in memory."""

from typing import Any

import pytest

from fraud_platform.adapters import lake_files
from fraud_platform.adapters.lake_files import Files, files_of
from fraud_platform.catalog import crawl, look, pending
from fraud_platform.catalog.crawl import Crawler
from fraud_platform.catalog.tables import BY_NAME
from fraud_platform.catalog.types import hive
from fraud_platform.curated.compaction import Compactor
from fraud_platform.curated.run import Curation
from fraud_platform.topology import Naming, Topic
from tests.catalog.objects import put, put_changed, users
from tests.fakes.lake import FakeCatalog, FakeLake
from tests.rows import user

NAMING = Naming("p-")
USERS = BY_NAME["landing_users"]


class World:
    """Users of some hours, an object each."""

    def __init__(self) -> None:
        self.lake, self.catalog = FakeLake(), FakeCatalog()

    def put(self, hour: int, **where: Any) -> str:
        return put(self.lake, NAMING, Topic.USERS, users("u"), at=hour, **{"start": hour, **where})

    def crawl(self, **how: Any) -> None:
        Crawler(self.lake, self.catalog, NAMING, "bucket").crawl(USERS, **how)

    def compact(self) -> None:
        list(Curation(self.lake, self.catalog, NAMING).due(full=True))

    def files(self, *, every: bool = False) -> Files:
        entry = self.catalog.table(USERS.name)
        assert entry
        self.lake.opened.clear()
        self.lake.listed = self.lake.pages = 0
        return files_of(self.catalog, self.lake, USERS, entry, naming=NAMING, bucket="bucket", every=every)


@pytest.fixture
def world() -> World:
    return World()


def keys(kinds: lake_files.Kinds) -> set[str]:
    return {name.removeprefix("s3://bucket/") for names in kinds.values() for name in names}


def test_old_hours_are_neither_listed_nor_opened_until_a_crawl_has_counted_late_objects_in_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending, "LATE_HOURS", 2)
    assert Compactor.due.__kwdefaults__
    monkeypatch.setitem(Compactor.due.__kwdefaults__, "newest", 2)
    there = [world.put(hour) for hour in range(7)]
    world.crawl()
    world.compact()
    files = world.files()
    assert keys(files.pending) == set(there[-2:])
    assert len(keys(files.curated)) == 5
    assert world.lake.listed == 4  # the open hours and those that may get late objects
    assert world.lake.opened == []
    assert keys(world.files(every=True).landing) == set(there)
    late = world.put(1, start=900)
    assert late not in keys(world.files().pending)
    world.crawl(full=True)
    assert keys(world.files().pending) == {late, *there[-2:]}


@pytest.mark.parametrize("at_once", [1, 200])
def test_hours_that_a_lost_catalog_does_not_yet_have_again_are_read(
    world: World, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """A crawl that ends early has registered the oldest hours alone, here up to the middle of an old day."""
    monkeypatch.setattr(look, "NEWEST_DAYS", 1)
    monkeypatch.setattr(crawl, "SAVED_AT_ONCE", 1)
    monkeypatch.setattr(lake_files, "LISTED_SINGLY", at_once)
    there = {world.put(hour) for hour in (0, 1, 2, 26, 50, 51)}
    answers = iter([False])
    world.crawl(stop=lambda: next(answers, True))
    assert len(world.catalog.kept["landing_users"]) == 1
    assert keys(world.files().pending) == keys(world.files(every=True).landing) == there
    world.crawl()
    assert len(world.catalog.kept["landing_users"]) == 6


@pytest.mark.parametrize("bad", ["no Avro", "cut off", "of another type"])
def test_a_bad_object_after_the_last_crawl_hides_no_later_one(world: World, bad: str) -> None:
    first = world.put(0)
    world.crawl()
    key = world.put(0, start=10)
    match bad:
        case "no Avro":
            world.lake.objects[key] = b"no Avro"
        case "cut off":
            world.lake.objects[key] = world.lake.objects[key][:-20]
        case _:
            put_changed(world.lake, NAMING, Topic.USERS, user("u") | {"NAME": 5}, fields={"NAME": "int"}, start=10)
    last = world.put(0, start=20)
    assert keys(world.files().pending) == {first, last}
    assert set(world.lake.opened) == {key, last}


def test_an_object_of_a_new_kind_is_read_by_its_own_header(world: World) -> None:
    world.put(0)
    put_changed(world.lake, NAMING, Topic.USERS, user("u", N=1), fields={"N": "int"}, start=5)
    world.crawl()
    put_changed(world.lake, NAMING, Topic.USERS, user("u", N=2**40, NEW="x"), fields={"N": "long", "NEW": "string"},
                start=9)  # fmt: skip
    files = world.files()
    assert len(keys(files.pending)) == 3
    columns = {column.name: hive(column.type) for column in files.entry.columns}
    assert columns["n"] == "bigint"
    assert "new" not in columns  # the next crawl's to add
    assert {column.name for column in files.table.columns} == set(columns)


def test_an_object_that_was_left_out_and_is_mended_is_read_at_once(world: World) -> None:
    for hour in (0, 3):
        world.put(hour)
    key = world.put(0, start=10)
    good = world.lake.objects[key]
    world.lake.objects[key] = b"no Avro"
    world.crawl()
    world.compact()
    assert key not in keys(world.files().pending)
    world.lake.objects[key] = good
    assert key in keys(world.files().pending)
    world.compact()
    assert key not in keys(world.files().pending)
