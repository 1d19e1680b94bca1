"""`Materialize`, backfills, the job and the schedule of the curated tables, as Dagster runs them."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest

from fraud_platform.curated import definitions
from fraud_platform.curated.definitions import (
    HOURS,
    compact,
    compact_lake,
    curate_lake,
    hour_of,
    lost_sensor,
    partition_key,
)
from fraud_platform.curated.run import Curation
from fraud_platform.errors import ConfigurationError
from tests.curated.conftest import FIRST, NAMING, World

KEY = dg.AssetKey(["glue", "curated_users"])
SELECTION = 'key:"glue/curated_users"'
FULL = {"ops": {"compact_closed_hours": {"config": {"full": True}}}}


@pytest.fixture
def instance(world: World, monkeypatch: pytest.MonkeyPatch) -> dg.DagsterInstance:
    def opened() -> Curation:
        return Curation(world.lake, world.catalog, NAMING)

    for each in (definitions.curated, definitions.compacted):
        monkeypatch.setitem(each.__kwdefaults__, "opened", opened)
    return dg.DagsterInstance.ephemeral()


def materialized(instance: dg.DagsterInstance) -> dict[str, dict[str, Any]]:
    """Metadata by partition, the newest of each."""
    records = instance.fetch_materializations(KEY, limit=100, ascending=True).records
    found = [record.asset_materialization for record in records]
    return {
        each.partition or "": {name: value.value for name, value in each.metadata.items()} for each in found if each
    }


def test_the_job_compacts_what_is_due_and_says_so_by_the_hour(world: World, instance: dg.DagsterInstance) -> None:
    assert compact.execute_in_process(instance=instance, run_config=FULL).success
    found = materialized(instance)
    assert list(found) == ["2026-01-01-00:00"]
    facts = found["2026-01-01-00:00"]
    assert (facts["objects_before"], facts["objects_after"], facts["dagster/row_count"]) == (3, 1, 4)
    assert facts["bytes_before"] > 0
    assert facts["bytes_after"] > 0
    assert facts["seconds"] >= 0
    assert world.agreed("SELECT count(*) FROM curated_users") == [(4,)]
    assert compact.execute_in_process(instance=instance).success
    records = instance.fetch_materializations(KEY, limit=10).records
    assert [record.run_id for record in records] == [""]  # nothing was due again, and no run must stay for its sake


def test_an_hour_that_dagster_does_not_know_is_told_without_building_it(
    world: World, instance: dg.DagsterInstance
) -> None:
    list(Curation(world.lake, world.catalog, NAMING).due())
    for _ in range(2):
        assert compact.execute_in_process(instance=instance).success
    (record,) = instance.fetch_materializations(KEY, limit=10).records
    assert record.partition_key == "2026-01-01-00:00"
    facts = materialized(instance)["2026-01-01-00:00"]
    assert (facts["objects_before"], facts["objects_after"], facts["dagster/row_count"]) == (3, 1, 4)


@pytest.mark.parametrize("by", ["the job", "a backfill"])
def test_hours_are_told_as_soon_as_they_are_built(
    world: World, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    world.put("u-6", at=9, start=9)
    world.crawl()
    put = world.lake.put

    def dying(key: str, body: bytes, **named: Any) -> None:
        world.lake.is_down = "/hr=02/" in key
        put(key, body, **named)

    monkeypatch.setattr(world.lake, "put", dying)
    if by == "the job":
        done = compact.execute_in_process(instance=instance, raise_on_error=False)
    else:
        first, last = "2026-01-01-00:00", "2026-01-01-03:00"
        tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
        done = dg.materialize([curate_lake], instance=instance, selection=SELECTION, tags=tags, raise_on_error=False)
    assert not done.success
    assert list(materialized(instance)) == ["2026-01-01-00:00", "2026-01-01-01:00"]


def test_materialize_builds_an_hour_anew(world: World, instance: dg.DagsterInstance) -> None:
    for _ in range(2):
        done = dg.materialize([curate_lake], instance=instance, selection=SELECTION, partition_key="2026-01-01-00:00")
        assert done.success
    assert len(instance.fetch_materializations(KEY, limit=10).records) == 2
    assert materialized(instance)["2026-01-01-00:00"]["dagster/row_count"] == 4
    assert world.agreed("SELECT count(*) FROM curated_users") == [(4,)]


def test_a_backfill_builds_a_range_of_hours_in_one_run(world: World, instance: dg.DagsterInstance) -> None:
    world.lake.puts.clear()
    done = dg.materialize(
        [curate_lake],
        instance=instance,
        selection=SELECTION,
        tags={
            "dagster/asset_partition_range_start": "2026-01-01-00:00",
            "dagster/asset_partition_range_end": "2026-01-01-03:00",
        },
    )
    assert done.success
    rows = {partition: facts["dagster/row_count"] for partition, facts in materialized(instance).items()}
    assert rows == {
        "2026-01-01-00:00": 4, "2026-01-01-01:00": 1, "2026-01-01-02:00": 1, "2026-01-01-03:00": 0,
    }  # fmt: skip
    assert world.agreed("SELECT count(*) FROM curated_users") == [(6,)]
    assert len(world.lake.puts) == 6  # a file and a manifest for each


def test_an_object_that_does_not_fit_is_told_with_its_hour(world: World, instance: dg.DagsterInstance) -> None:
    key = world.put("bad", start=70)
    world.lake.objects[key] = b"no Avro"
    assert compact.execute_in_process(instance=instance).success
    facts = materialized(instance)["2026-01-01-00:00"]
    assert facts["incompatible_objects"] == 1
    (problem,) = facts["problems"].records
    assert problem.data == {"object": key, "reason": "the object is no Avro container file"}


@pytest.mark.parametrize("trouble", ["away", "refused"])
def test_trouble_is_one_sentence(
    world: World, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    def refuses() -> Curation:
        raise ConfigurationError("Set AWS_ENDPOINT_URL_GLUE.")

    world.lake.is_down = trouble == "away"
    if trouble == "refused":
        monkeypatch.setitem(definitions.compacted.__kwdefaults__, "opened", refuses)
    done = compact.execute_in_process(instance=instance, raise_on_error=False)
    (failure,) = done.filter_events(lambda event: event.event_type is dg.DagsterEventType.STEP_FAILURE)
    sentence = {"away": "S3 does not answer", "refused": "Set AWS_ENDPOINT_URL_GLUE."}[trouble]
    assert sentence in (failure.step_failure_data.error_display_string or "")


@pytest.mark.parametrize(("hour", "full"), [(3, False), (4, True), (5, False)])
def test_the_schedule_looks_at_every_hour_once_a_day(hour: int, full: bool) -> None:
    context = dg.build_schedule_context(scheduled_execution_time=datetime(2026, 1, 1, hour, 20, tzinfo=UTC))
    found = compact_lake(context)
    assert isinstance(found, dg.RunRequest)
    assert found.run_config == {"ops": {"compact_closed_hours": {"config": {"full": full}}}}


def test_a_catalog_that_forgot_the_curated_hours_is_told_of_them_once_it_knows_the_raw_ones(world: World) -> None:
    def tick(cursor: str | None) -> Any:
        context = dg.build_sensor_context(cursor=cursor)
        return lost_sensor(opened=lambda: Curation(world.lake, world.catalog, NAMING)).evaluate_tick(context)

    list(Curation(world.lake, world.catalog, NAMING).due())
    assert tick(None).run_requests == []
    for each in (world.catalog.tables, world.catalog.kept, world.catalog.views):
        each.clear()
    assert tick(None).run_requests == []  # no crawl has brought the raw hours back
    world.crawl()
    world.lake.is_down = True
    assert "S3 does not answer" in tick(None).skip_message
    world.lake.is_down = False
    missed = tick(None)
    assert len(missed.run_requests) == 1
    assert tick(missed.cursor).run_requests == []  # once
    list(Curation(world.lake, world.catalog, NAMING).due())
    assert tick(missed.cursor).cursor == "[]"


def test_hours_and_partitions_name_each_other() -> None:
    assert partition_key(FIRST) == "2026-01-01-00:00"
    assert hour_of("2026-01-01-00:00") == FIRST
    assert partition_key(("2025-12-31", "23")) is None
    assert HOURS.has_partition_key("2026-03-29-02:00")  # no hour is skipped: days are UTC's


def test_a_full_run_tidies_up_and_a_bucket_that_forbids_it_does_not_fail_it(
    world: World, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert compact.execute_in_process(instance=instance).success
    world.put("late", start=90)
    assert compact.execute_in_process(instance=instance).success
    before = len(world.lake.objects)

    def refuses(_: object) -> None:
        raise ConfigurationError("allow s3:DeleteObject.")

    with monkeypatch.context() as patch:
        patch.setattr(world.lake, "delete", refuses)
        assert compact.execute_in_process(instance=instance, run_config=FULL).success
    assert compact.execute_in_process(instance=instance, run_config=FULL).success
    assert len(world.lake.objects) == before - 2
