"""One hour is compacted: what the files hold, what readers see before and after, and what is left out."""

import io
from decimal import Decimal

import duckdb
import pytest

from fraud_platform.catalog.header import Header, Part, read_header
from fraud_platform.catalog.holdings import CuratedHour, Holdings
from fraud_platform.catalog.hours import Place
from fraud_platform.catalog.tables import BY_NAME
from fraud_platform.core.outcome import Rejected
from fraud_platform.core.partitioning import CURATED_ROOT, LAKE_ROOT
from fraud_platform.curated.build import Unbuilt
from fraud_platform.errors import StoreUnavailable
from fraud_platform.topology import Topic
from tests.catalog.objects import put, put_changed, results
from tests.curated.conftest import FIRST, NAMING, USERS, World
from tests.curated.hour import EVERY, check, curated, manifest, run
from tests.curated.readers import raw_rows
from tests.rows import decision, user

RESULT = BY_NAME["landing_fraudulent_transactions_result"]


def test_an_hour_becomes_one_file_with_a_manifest_of_its_raw_objects(world: World) -> None:
    raw = {key: len(body) for key, body in world.lake.objects.items() if "/hr=00/" in key}
    done = world.compactor().compact(FIRST)
    assert done
    assert (done.objects, done.raw_size, done.files, done.rows, done.built) == (3, sum(raw.values()), 1, 4, True)
    hour = curated(world)
    assert hour.raw == Holdings({"0": 2, "1": 4}, 3, sum(raw.values()))
    (file,) = manifest(world, hour).files
    assert {each.key: each.size for each in file.holds} == raw
    assert [each.rows for each in file.holds] == [2, 1, 1]
    assert len(world.lake.objects[USERS.curated_prefix(NAMING) + hour.names()[0]]) == file.size == done.size


def test_both_readers_see_the_same_before_and_after(world: World) -> None:
    before = world.agreed(EVERY.format("raw_users"))
    assert [row[0] for row in before] == ["u-1", "u-2", "u-3", "u-4", "u-5"]
    assert [row[1] for row in before if row[0] == "u-2"] == ["new"]
    compactor = world.compactor()
    for hour in ("00", "01", "02"):
        compactor.compact(("2026-01-01", hour))
        compactor.publish()
        assert world.agreed(EVERY.format("raw_users")) == before
    assert world.agreed("SELECT count(*) FROM curated_users") == [(6,)]
    assert world.agreed("SELECT count(*) FROM pending_users") == [(0,)]
    assert world.agreed("SELECT count(*) FROM landing_users") == [(6,)]


def test_raw_objects_are_never_touched(world: World) -> None:
    raw = {key: body for key, body in world.lake.objects.items() if key.startswith(f"{LAKE_ROOT}/")}
    world.lake.puts.clear()
    world.compactor().compact(FIRST)
    assert {key: world.lake.objects[key] for key in raw} == raw
    assert all(key.startswith(f"{CURATED_ROOT}/p-users/dt=2026-01-01/hr=00/") for key in world.lake.puts)


def test_a_compaction_of_nothing_new_writes_nothing(world: World) -> None:
    compactor = world.compactor()
    run(compactor)
    world.catalog.writes.clear()
    world.lake.puts.clear()
    again = compactor.compact(FIRST)
    compactor.publish()
    assert again
    assert (again.built, again.rows) == (False, 4)
    assert (world.catalog.writes, world.lake.puts) == ([], [])


def test_the_same_raw_objects_give_the_same_bytes(world: World) -> None:
    compactor = world.compactor()
    compactor.compact(FIRST)
    first, before = dict(world.lake.objects), curated(world)
    again = compactor.compact(FIRST, rebuild=True)
    assert again
    assert again.built
    assert (world.lake.objects, curated(world)) == (first, before)


def test_a_late_object_counts_at_once_and_is_folded_in_later(world: World) -> None:
    compactor = world.compactor()
    run(compactor)
    before = curated(world)
    world.put("late", start=90)
    assert "late" in [row[0] for row in world.agreed(EVERY.format("raw_users"))]
    assert world.agreed("SELECT count(*) FROM pending_users WHERE hr = '00'") == [(1,)]
    seen = world.agreed(EVERY.format("raw_users"))
    run(compactor)
    assert world.agreed(EVERY.format("raw_users")) == seen
    assert world.agreed("SELECT count(*) FROM pending_users WHERE hr = '00'") == [(0,)]
    assert curated(world).version != before.version
    assert any(before.folder in key for key in world.lake.objects)  # who reads the old files may finish


def test_a_raw_object_that_is_gone_leaves_its_rows_and_is_named(world: World) -> None:
    compactor = world.compactor()
    run(compactor)
    expected = world.agreed(EVERY.format("raw_users"))
    key = next(key for key in world.lake.objects if "+1+" in key and "/hr=00/" in key)
    body = world.lake.objects.pop(key)
    done = compactor.compact(FIRST)
    assert done
    assert (done.gone, done.rows, done.built) == ((key,), 4, False)
    assert world.agreed(EVERY.format("raw_users")) == expected
    world.put("late", start=90)
    assert compactor.compact(FIRST).gone == (key,)  # type: ignore[union-attr]
    assert len(world.agreed(EVERY.format("raw_users"))) == len(expected) + 1
    world.lake.objects[key] = body
    done = compactor.compact(FIRST)
    assert done
    assert (done.gone, done.rows) == ((), 5)


def test_an_object_that_was_left_out_and_is_gone_is_no_loss(world: World) -> None:
    bad = world.put("b", start=70)
    world.lake.objects[bad] = b"no Avro"
    compactor = world.compactor()
    run(compactor)
    del world.lake.objects[bad]
    done = compactor.compact(FIRST)
    assert done
    assert (done.gone, done.left_out, done.rows) == ((), (), 4)


def test_a_rebuild_follows_the_raw_objects_as_they_are(world: World) -> None:
    compactor = world.compactor()
    compactor.compact(FIRST)
    key = next(key for key in world.lake.objects if "+1+" in key and "/hr=00/" in key)
    del world.lake.objects[key]
    done = compactor.compact(FIRST, rebuild=True)
    compactor.publish()
    assert done
    assert done.rows == 3
    assert "u-3" not in [row[0] for row in world.agreed(EVERY.format("raw_users"))]


def test_an_object_that_comes_out_of_order_counts_once(world: World) -> None:
    """An operator who turns a group's offsets back makes objects whose names lie among those of old."""
    compactor = world.compactor()
    run(compactor)
    world.put("u-2", "u-4", start=1, name="old")
    rows = world.local.rows(USERS, "SELECT id FROM pending_users WHERE hr = '00' ORDER BY id")
    assert rows == [("u-2",), ("u-4",)]
    run(compactor)
    assert world.agreed("SELECT count(*) FROM curated_users") == [(6,)]


def test_files_that_are_lost_are_built_again(world: World) -> None:
    compactor = world.compactor()
    compactor.compact(FIRST)
    for key in [key for key in world.lake.objects if key.startswith(CURATED_ROOT)]:
        del world.lake.objects[key]
    done = compactor.compact(FIRST)
    assert done
    assert done.built
    compactor.publish()
    check(world, world.agreed(EVERY.format("raw_users")))


def test_money_is_exact_and_times_are_utc(world: World) -> None:
    exact = Decimal("12345678901234567890123456789.123456789")
    put(world.lake, NAMING, Topic.RESULT, results("t-1", AMOUNT=exact))
    world.crawl(RESULT)
    compactor = world.compactor(RESULT)
    run(compactor)
    asked = "SELECT amount, epoch_ms(kafka_timestamp) FROM raw_fraudulent_transactions_result"
    ((amount, at),) = world.agreed(asked, RESULT)
    assert amount == exact
    (row,) = raw_rows(world.lake, RESULT.prefix(NAMING))
    assert at == row["kafka_timestamp"].timestamp() * 1000
    (file,) = [body for key, body in world.lake.objects.items() if key.endswith(".parquet")]
    path = world.folder / "one.parquet"
    path.write_bytes(io.BytesIO(file).getvalue())
    types = dict(duckdb.execute("SELECT name, duckdb_type FROM parquet_schema(?)", [str(path)]).fetchall())
    assert (types["amount"], types["kafka_timestamp"], types["kafka_offset"]) == (
        "DECIMAL(38,9)", "TIMESTAMP", "BIGINT",
    )  # fmt: skip


def test_nested_values_stay_as_they_are(world: World) -> None:
    table = BY_NAME["landing_decisions"]
    hit = {
        "rule_id": "r", "criterion": "c", "observed": "5", "limit": "1", "window": None, "contributing_count": 1,
        "late": False, "action": "BLOCK",
    }  # fmt: skip
    put(world.lake, NAMING, Topic.DECISIONS, [decision("t-1", action="BLOCK", hits=[hit, hit]), decision("t-2")])
    world.crawl(table)
    asked = "SELECT transaction_id, action, hits, not_evaluable FROM raw_decisions ORDER BY 1"
    before = world.agreed(asked, table)
    compactor = world.compactor(table)
    run(compactor)
    assert world.agreed("SELECT count(*) FROM pending_decisions", table) == [(0,)]
    assert world.agreed(asked, table) == before
    assert before[0][2][0]["limit"] == "1"


def test_an_added_column_is_null_in_older_files(world: World) -> None:
    compactor = world.compactor()
    compactor.compact(FIRST)
    put_changed(world.lake, NAMING, Topic.USERS, user("u-9", NICK="N"), fields={"NICK": ["null", "string"]}, at=1,
                start=50)  # fmt: skip
    world.crawl()
    compactor.compact(("2026-01-01", "01"))
    compactor.publish()
    rows = world.agreed("SELECT id, nick FROM raw_users WHERE nick IS NOT NULL OR id IN ('u-1', 'u-2') ORDER BY 1")
    assert rows == [("u-1", None), ("u-2", None), ("u-9", "N")]
    assert world.agreed("SELECT count(*) FROM pending_users") == [(1,)]  # the third hour


def test_a_column_that_widens_is_read_as_the_table_has_it(world: World) -> None:
    put_changed(world.lake, NAMING, Topic.USERS, user("n-1", n=7), fields={"n": "int"}, start=60)
    world.crawl()
    compactor = world.compactor()
    compactor.compact(FIRST)
    put_changed(world.lake, NAMING, Topic.USERS, user("n-2", n=2**40), fields={"n": "long"}, start=61)
    world.crawl()
    assert world.agreed("SELECT id, n FROM raw_users WHERE n > 0 ORDER BY 1") == [("n-1", 7), ("n-2", 2**40)]
    run(compactor)
    assert world.agreed("SELECT id, n FROM raw_users WHERE n > 0 ORDER BY 1") == [("n-1", 7), ("n-2", 2**40)]


def test_objects_that_the_table_cannot_hold_are_left_out_with_a_reason(world: World) -> None:
    bad = put_changed(world.lake, NAMING, Topic.USERS, user("b-1") | {"NAME": 5}, fields={"NAME": "int"}, start=70)
    broken = world.put("b-2", start=71)
    cut = world.put("b-3", start=72)
    world.lake.objects[broken] = b"no Avro"
    world.lake.objects[cut] = world.lake.objects[cut][:-30] + bytes(30)
    done = world.compactor().compact(FIRST)
    assert done
    assert done.rows == 4
    assert {name for name, _ in done.left_out} == {bad, broken, cut}
    reasons = dict(done.left_out)
    assert reasons[bad] == "column name is int in the file and string in the table"
    assert reasons[broken] == "the object is no Avro container file"
    again = world.compactor().compact(FIRST)
    assert again
    assert (again.built, again.left_out) == (False, done.left_out)


def test_an_hour_of_which_the_table_can_hold_no_column_is_not_compacted_to_nothing(world: World) -> None:
    put_changed(world.lake, NAMING, Topic.USERS, user("b-1") | {"NAME": 5}, fields={"NAME": "int"}, at=9)
    with pytest.raises(Unbuilt, match=r"name is int in the file and string in the table.*drop the landing table"):
        world.compactor().compact(("2026-01-01", "09"))
    assert world.catalog.partition("curated_users", ("2026-01-01", "09")) is None


def test_an_object_whose_blocks_count_wrongly_is_left_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    key = world.put("b-1-longer-than-others", start=70)

    def counted(part: Part, size: int) -> Header | Rejected:
        header = read_header(part, size)
        assert isinstance(header, Header)
        return Header(header.schema, header.rows + (size == len(world.lake.objects[key])))

    monkeypatch.setattr("fraud_platform.curated.build.read_header", counted)
    done = world.compactor().compact(FIRST)
    assert done
    assert (done.rows, done.left_out) == (4, ((key, "it does not hold as many rows as its blocks count"),))


def test_an_hour_of_empty_or_bad_objects_alone_is_done_too(world: World) -> None:
    world.put(at=5)
    key = world.put("b", at=6)
    world.crawl()
    compactor = world.compactor()
    expected = [row for row in world.agreed(EVERY.format("raw_users")) if row[0] != "b"]
    world.lake.objects[key] = b"x"
    for hour in ("05", "06"):
        done = compactor.compact(("2026-01-01", hour))
        assert done
        assert done.rows == 0
    compactor.publish()
    assert world.local.rows(USERS, EVERY.format("raw_users")) == expected  # the bad object stops nobody any more


def test_an_hour_without_objects_and_a_table_that_nobody_crawled_are_nothing(world: World) -> None:
    assert world.compactor().compact(("2026-01-09", "00")) is None
    assert world.compactor(RESULT).compact(FIRST) is None
    world.compactor(RESULT).publish()
    assert RESULT.curated not in world.catalog.tables


def test_large_hours_are_cut_into_several_files(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fraud_platform.curated.build.FILE_BYTES", 1)
    before = world.agreed(EVERY.format("raw_users"))
    done = world.compactor().compact(FIRST)
    world.compactor().publish()
    assert done
    assert (done.files, done.rows) == (3, 4)
    holds = [[each.key for each in file.holds] for file in manifest(world, curated(world)).files]
    assert [len(each) for each in holds] == [1, 1, 1]
    assert world.agreed(EVERY.format("raw_users")) == before


def test_a_file_that_cannot_be_written_leaves_everything_as_it_was(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fraud_platform.adapters.parquet_writer.ParquetWriter.write", lambda *_: None)
    world.lake.puts.clear()
    with pytest.raises(StoreUnavailable, match="disk and memory"):
        world.compactor().compact(FIRST)
    assert world.lake.puts == []
    assert world.catalog.partition("curated_users", FIRST) is None


def test_a_kind_of_file_that_two_at_once_have_lost_is_learned_again(world: World) -> None:
    compactor = world.compactor()
    run(compactor)
    entry = world.catalog.tables["curated_users"]
    expected = world.agreed(EVERY.format("raw_users"))
    world.catalog.tables["curated_users"] = type(entry)(entry.location, entry.columns, {}, "", entry.format)
    assert world.local.rows(USERS, EVERY.format("raw_users")) == expected  # from the raw objects
    assert compactor.due(("2026-01-01", "02")) == [FIRST]
    compactor.compact(FIRST)
    assert compactor.due(("2026-01-01", "02")) == []
    assert world.catalog.tables["curated_users"] == entry


def test_what_an_hour_holds_is_known_by_place(world: World) -> None:
    held = Holdings.of([(Place(FIRST, 0, 2), 10), (Place(FIRST, 0, 7), 5), (Place(FIRST, 3, 1), 1)])
    assert held == Holdings({"0": 7, "3": 1}, 3, 16)
    assert [held.holds(Place(FIRST, *each)) for each in ((0, 7), (0, 8), (3, 0), (1, 0))] == [True, False, True, False]
    assert held.is_within(Holdings({"0": 9, "3": 1}, 4, 99))
    assert not held.is_within(Holdings({"0": 9}, 4, 99))
    assert not held.is_within(Holdings({"0": 7, "3": 1}, 2, 16))


@pytest.mark.parametrize("parameters", [None, {}, {"fraud_platform.holds": "{"}, {"objectCount": "1"}])
def test_a_partition_that_is_not_ours_is_no_curated_hour(parameters: dict[str, str] | None) -> None:
    assert CuratedHour.of(FIRST, parameters) is None
