"""A run of the compaction: which hours are due, in which order, and how it ends early."""

import errno
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fraud_platform.adapters.scratch import scratch_in
from fraud_platform.catalog import pending
from fraud_platform.catalog.tables import BY_NAME, TableEntry
from fraud_platform.core.partitioning import CURATED_ROOT, LAKE_ROOT
from fraud_platform.curated import run as run_module
from fraud_platform.curated.compaction import Compacted, Compactor
from fraud_platform.curated.run import Curation
from fraud_platform.errors import ConfigurationError, StoreUnavailable
from fraud_platform.topology import Topic
from tests.catalog.objects import put, results
from tests.curated.conftest import NAMING, USERS, World

DAY = "2026-01-01"
RESULT = BY_NAME["landing_fraudulent_transactions_result"]


def curation(world: World) -> Curation:
    return Curation(world.lake, world.catalog, NAMING)


def hours(world: World, *, full: bool = False) -> list[tuple[str, str]]:
    return [(done.table, done.key[1]) for done in curation(world).due(full=full)]


def test_closed_hours_are_compacted_once(world: World) -> None:
    assert hours(world) == [("curated_users", "00")]
    assert hours(world) == []
    world.put("u-6", at=4, start=9)
    world.crawl()
    assert hours(world) == [("curated_users", "01"), ("curated_users", "02")]
    assert [row[0] for row in world.agreed("SELECT id FROM raw_users ORDER BY 1")] == [f"u-{n}" for n in range(1, 7)]


def test_the_watermark_is_that_of_all_tables(world: World) -> None:
    put(world.lake, NAMING, Topic.RESULT, results("t-1"), at=30)
    world.crawl(RESULT)
    assert curation(world).watermark() == ("2026-01-02", "06")
    assert hours(world) == [("curated_users", each) for each in ("00", "01", "02")]


def test_an_hour_far_ahead_is_no_watermark(world: World) -> None:
    world.put("from the future", at=24 * 365 * 40)
    assert curation(world).watermark() == (DAY, "02")


def test_a_folder_that_is_no_hour_is_no_watermark(world: World) -> None:
    (key,) = [key for key in world.lake.objects if "/hr=02/" in key]
    for odd in ("dt=2026-13-45/hr=00", "dt=2026-01-01/hr=24"):
        world.lake.objects[key.replace("dt=2026-01-01/hr=02", odd)] = world.lake.objects[key]
    assert curation(world).watermark() == (DAY, "02")
    world.crawl()
    assert {hour for _, hour in world.catalog.kept["landing_users"]} == {"00", "01", "02"}


def test_an_hour_that_cannot_be_built_stops_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.put("u-6", at=5, start=9)
    world.crawl()
    part = world.lake.part

    def changed(key: str, start: int, length: int) -> bytes:
        return part(key, start, length)[:-1] if "/hr=01/" in key else part(key, start, length)

    with monkeypatch.context() as patch:
        patch.setattr(world.lake, "part", changed)
        done = list[Compacted]()
        with pytest.raises(StoreUnavailable, match="The hour 2026-01-01 01 of curated_users, cannot be compacted: The"):
            done.extend(curation(world).due())
    assert [each.key[1] for each in done] == ["00", "02"]
    assert hours(world) == [("curated_users", "01")]


def test_an_empty_lake_has_no_watermark_and_nothing_to_do(world: World) -> None:
    world.lake.objects.clear()
    assert curation(world).watermark() is None
    assert hours(world) == []


def test_late_objects_make_an_hour_due_again(world: World) -> None:
    hours(world)
    world.put("late", start=90)
    assert hours(world) == [("curated_users", "00")]


@pytest.fixture
def one_hour_may_be_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "LATE_HOURS", 1)
    monkeypatch.setitem(Compactor.due.__kwdefaults__, "newest", 1)


@pytest.mark.usefixtures("one_hour_may_be_late")
def test_an_old_hour_with_late_objects_is_due_at_a_full_look(world: World) -> None:
    world.put("u-1", at=4, start=9)
    world.crawl()
    hours(world)
    world.put("late", start=990)
    assert hours(world) == []
    assert hours(world, full=True) == [("curated_users", "00")]


@pytest.mark.usefixtures("one_hour_may_be_late")
def test_a_late_object_in_an_old_hour_counts_once_a_crawl_has_seen_it(world: World) -> None:
    world.put("u-1", at=4, start=9)
    world.crawl()
    hours(world)
    world.put("late", start=990)
    asked = "SELECT count(*) FROM raw_users WHERE id = 'late'"
    assert world.agreed(asked) == [(0,)]
    world.crawl()
    assert world.agreed(asked) == [(1,)]


def test_a_run_that_is_told_to_stop_ends_between_two_hours_and_publishes_what_it_did(world: World) -> None:
    world.put("u-6", at=5, start=9)
    world.crawl()
    answers = iter([False, True])
    done = list(curation(world).due(stop=lambda: next(answers, True)))
    assert [each.key[1] for each in done] == ["00"]
    assert world.agreed("SELECT count(*) FROM pending_users WHERE hr = '00'") == [(0,)]
    assert hours(world) == [("curated_users", each) for each in ("01", "02")]


def test_a_run_has_its_limit_and_the_next_goes_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "HOURS_A_RUN", 2)
    monkeypatch.setattr(run_module, "PUBLISHED_AT_ONCE", 1)
    world.put("u-6", at=5, start=9)
    world.crawl()
    assert hours(world) == [("curated_users", "00"), ("curated_users", "01")]
    assert hours(world) == [("curated_users", "02")]


def test_a_lost_catalog_gets_its_curated_hours_back_without_building_them(world: World) -> None:
    hours(world)
    expected = world.agreed("SELECT id, name FROM raw_users ORDER BY 1")
    before = dict(world.catalog.kept["curated_users"])
    world.catalog.tables.clear()
    world.catalog.kept.clear()
    world.catalog.views.clear()
    world.crawl()
    assert world.agreed("SELECT id, name FROM raw_users ORDER BY 1") == expected
    world.lake.puts.clear()
    assert [each.built for each in curation(world).due()] == [False]
    assert world.lake.puts == []
    assert world.catalog.kept["curated_users"] == before
    assert world.agreed("SELECT id, name FROM raw_users ORDER BY 1") == expected


def test_an_hour_is_built_anew_when_asked_for(world: World) -> None:
    hours(world)
    world.lake.puts.clear()
    (done,) = curation(world).hours(USERS, [(DAY, "00"), (DAY, "09")], rebuild=True)
    assert (done.built, done.rows, done.objects) == (True, 4, 3)
    assert [key.rpartition("/")[2] for key in world.lake.puts] == ["_manifest.json"]
    (file,) = [key for key in world.lake.objects if key.endswith(".parquet")]
    good = world.lake.objects[file]
    world.lake.objects[file] = bytes(len(good))
    list(curation(world).hours(USERS, [(DAY, "00")], rebuild=True))
    assert world.lake.objects[file] == good


def test_a_store_that_is_away_ends_the_run(world: World) -> None:
    world.lake.is_down = True
    with pytest.raises(StoreUnavailable):
        hours(world)


def test_nothing_of_the_lake_is_ever_written(world: World) -> None:
    hours(world)
    world.lake.puts.clear()
    world.put("late", start=90)
    (key,) = [each for each in world.lake.puts if each.startswith(LAKE_ROOT + "/")]
    hours(world)
    assert [each for each in world.lake.puts if each.startswith(LAKE_ROOT + "/")] == [key]


def test_files_are_built_in_a_folder_of_the_owners_which_a_killed_run_does_not_fill(tmp_path: Path) -> None:
    folder = scratch_in(tmp_path, "compaction")
    assert folder.stat().st_mode & 0o777 == 0o700
    for name, age_s in (("old", 90_000), ("new", 60)):
        (folder / name).mkdir()
        os.utime(folder / name, (time.time() - age_s,) * 2)
    scratch_in(tmp_path, "compaction")
    assert [each.name for each in folder.iterdir()] == ["new"]


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "compaction").write_text("a file")
    with pytest.raises(ConfigurationError, match=r"cannot be built in .*compaction .*FRAUD_DATA_DIR"):
        scratch_in(tmp_path, "compaction")


def test_a_disk_that_is_full_leaves_everything_as_it_was(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    world.lake.puts.clear()
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StoreUnavailable, match="No space left"):
        hours(world)
    assert world.lake.puts == []


def test_lost_files_are_found_by_a_full_look_and_built_again(world: World) -> None:
    hours(world)
    expected = world.agreed("SELECT id, name FROM raw_users ORDER BY 1")
    (lost,) = [key for key in world.lake.objects if key.endswith(".parquet")]
    del world.lake.objects[lost]
    assert hours(world) == []
    assert hours(world, full=True) == [("curated_users", "00")]
    assert lost in world.lake.objects
    assert world.agreed("SELECT id, name FROM raw_users ORDER BY 1") == expected


def test_an_hour_whose_raw_objects_are_all_gone_is_reported_and_keeps_its_rows(world: World) -> None:
    hours(world)
    gone = sorted(key for key in world.lake.objects if key.startswith(f"{LAKE_ROOT}/") and "/hr=00/" in key)
    for key in gone:
        del world.lake.objects[key]
    world.crawl()
    (done,) = curation(world).due()
    assert (list(done.gone), done.rows, done.objects) == (gone, 4, 0)
    assert world.agreed("SELECT count(*) FROM raw_users") == [(5,)]


def test_an_emptied_lake_leaves_nothing_behind(world: World) -> None:
    """The way out after Kafka was wiped: old offsets are higher than new ones, so no old row may remain."""
    hours(world)
    world.lake.objects.clear()
    world.put("new", start=1)
    world.put("new", at=4, start=2)
    world.crawl()
    assert [(each.key[1], each.rows) for each in curation(world).due(full=True)] == [("00", 1)]
    assert world.agreed("SELECT id FROM raw_users") == [("new",)]


def test_an_hour_of_which_nothing_is_left_leaves_the_catalog(world: World) -> None:
    hours(world)
    world.lake.objects.clear()
    world.put("new", at=9)
    world.crawl()
    hours(world, full=True)
    assert world.catalog.kept["curated_users"] == {}
    assert world.agreed("SELECT id FROM raw_users") == [("new",)]


NOW = datetime(2026, 1, 3, tzinfo=UTC)
"""Two days after the first files in memory were written."""


def files_of(world: World) -> set[str]:
    return {key for key in world.lake.objects if key.startswith(f"{CURATED_ROOT}/")}


def test_files_that_others_have_replaced_are_deleted_after_a_day(world: World) -> None:
    hours(world)
    old = files_of(world)
    world.put("late", start=90)
    hours(world)
    assert len(files_of(world)) == 4
    assert curation(world).tidy(datetime(2026, 1, 1, 12, tzinfo=UTC)) == 0
    raw = {key for key in world.lake.objects if key.startswith(f"{LAKE_ROOT}/")}
    assert curation(world).tidy(NOW) == 2
    assert files_of(world).isdisjoint(old)
    assert raw < set(world.lake.objects)
    assert world.agreed("SELECT count(*) FROM raw_users") == [(6,)]
    assert curation(world).tidy(NOW) == 0


@pytest.mark.parametrize("switch", ["built", "taken over"])
def test_old_files_stay_for_a_day_after_they_were_replaced(
    world: World, monkeypatch: pytest.MonkeyPatch, switch: str
) -> None:
    hours(world)
    world.put("late", start=90)
    if switch == "taken over":
        with monkeypatch.context() as patch:
            patch.setattr(world.catalog, "put_hours", fails)
            with pytest.raises(StoreUnavailable):
                hours(world)
    world.lake.now = NOW
    hours(world)
    assert curation(world).tidy(NOW) == 0
    assert curation(world).tidy(NOW + timedelta(days=1, seconds=1)) == 2


def fails(*_: object) -> None:
    raise StoreUnavailable("killed on purpose")


@pytest.mark.parametrize("trouble", ["the catalog forgot", "the newer file is gone", "a file of somebody"])
def test_a_version_that_may_be_needed_is_kept(world: World, trouble: str) -> None:
    hours(world)
    world.put("late", start=90)
    before = files_of(world)
    hours(world)
    match trouble:
        case "the catalog forgot":
            world.catalog.kept.clear()
        case "the newer file is gone":
            (newer,) = [key for key in files_of(world) - before if key.endswith(".parquet")]
            del world.lake.objects[newer]
        case "a file of somebody":
            world.lake.objects = {f"{CURATED_ROOT}/p-users/notes/mine.txt": b"", f"{CURATED_ROOT}/p-users/x": b""}
    kept = files_of(world)
    assert curation(world).tidy(NOW) == 0
    assert files_of(world) == kept


def test_a_table_of_another_crawler_without_positions_is_left_alone(world: World) -> None:
    entry = world.catalog.tables["landing_users"]
    columns = tuple(column for column in entry.columns if not column.name.startswith("kafka_"))
    world.catalog.tables["landing_users"] = TableEntry(entry.location, columns, entry.schemas, entry.literal)
    world.catalog.writes.clear()
    assert hours(world, full=True) == []
    assert list(curation(world).hours(USERS, [(DAY, "00")], rebuild=True)) == []
    assert world.catalog.writes == []


def test_a_landing_table_that_is_lost_takes_no_curated_hour_with_it(world: World) -> None:
    hours(world)
    del world.catalog.tables["landing_users"]
    assert list(curation(world).hours(USERS, [(DAY, "00")], rebuild=True)) == []
    assert list(world.catalog.kept["curated_users"]) == [(DAY, "00")]
