"""Old runs leave Dagster's history whole, and what is newest of its kind stays."""

import io
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance, DagsterRunStatus
from dagster._core.storage.compute_log_manager import ComputeIOType
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from sqlalchemy import update

from fraud_platform.housekeeping.clean import Cleaned, clean
from fraud_platform.orchestration import tags
from tests.housekeeping.conftest import (
    chore,
    flow,
    is_whole,
    report_hour,
    run_check,
    run_chore,
    run_flow,
    run_hour,
    run_ids,
    soon,
)


def test_an_old_run_goes_and_the_newest_of_its_job_stays(instance: DagsterInstance) -> None:
    old, newest = run_chore(instance), run_chore(instance)
    assert clean(instance, before=soon()) == Cleaned(removed=1, kept=1)
    assert run_ids(instance) == {newest}
    assert instance.all_logs(old) == []
    assert instance.all_logs(newest) != []


def test_a_run_younger_than_the_moment_stays(instance: DagsterInstance) -> None:
    runs = {run_chore(instance), run_chore(instance)}
    assert clean(instance, before=soon() - timedelta(hours=1)) == Cleaned(removed=0, kept=0)
    assert run_ids(instance) == runs


@pytest.mark.parametrize(
    "status", [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING], ids=lambda s: s.value
)
def test_a_run_that_has_not_ended_stays_however_old(instance: DagsterInstance, status: DagsterRunStatus) -> None:
    lasting = instance.create_run_for_job(chore, status=status).run_id
    newest = run_chore(instance)
    assert clean(instance, before=soon()) == Cleaned(removed=0, kept=1)
    assert run_ids(instance) == {lasting, newest}


def test_the_newest_run_of_each_slot_stays(instance: DagsterInstance) -> None:
    run_chore(instance, **{tags.SLOT: "lake.0"})
    other = run_chore(instance, **{tags.SLOT: "lake.1"})
    newest = run_chore(instance, **{tags.SLOT: "lake.0"})
    clean(instance, before=soon())
    assert run_ids(instance) == {other, newest}


def test_the_run_that_holds_an_asset_s_newest_event_stays(instance: DagsterInstance) -> None:
    replaced, holder, newest = run_flow(instance), run_flow(instance), run_hour(instance, "2026-01-02-03:00")
    clean(instance, before=soon())
    assert run_ids(instance) == {holder, newest}
    event = instance.get_latest_materialization_event(flow.key)
    assert event is not None
    assert event.run_id == holder != replaced


def test_the_run_that_holds_a_partition_s_newest_event_stays(instance: DagsterInstance) -> None:
    replaced = run_hour(instance, "2026-01-02-03:00")
    holder = run_hour(instance, "2026-01-02-03:00")
    newest = run_hour(instance, "2026-01-02-04:00")
    clean(instance, before=soon())
    assert run_ids(instance) == {holder, newest}
    assert replaced not in run_ids(instance)
    partitions = instance.get_materialized_partitions(dg.AssetKey("by_hour"))
    assert partitions == {"2026-01-02-03:00", "2026-01-02-04:00"}


def test_the_newest_result_of_a_check_stays_with_its_run_and_older_ones_go(instance: DagsterInstance) -> None:
    replaced, holder, newest = run_check(instance), run_check(instance), run_hour(instance, "2026-01-02-03:00")
    clean(instance, before=soon())
    assert run_ids(instance) == {holder, newest}
    history = instance.event_log_storage.get_asset_check_execution_history(is_whole.check_key, limit=10)
    assert [record.run_id for record in history] == [holder] != [replaced]


def test_a_look_at_a_check_that_died_does_not_take_the_place_of_its_last_result(instance: DagsterInstance) -> None:
    holder, died = run_check(instance), run_check(instance)
    with instance.event_log_storage.index_connection() as connection:  # type: ignore[attr-defined]
        planned = update(AssetCheckExecutionsTable).where(AssetCheckExecutionsTable.c.run_id == died)
        connection.execute(planned.values(execution_status="PLANNED", evaluation_event=None))
    newest = run_hour(instance, "2026-01-02-03:00")
    clean(instance, before=soon())
    assert run_ids(instance) == {holder, died, newest}


def test_nothing_of_a_deleted_run_is_left_on_disk(tmp_path: Path) -> None:
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        old = run_chore(instance, colour="green")
        newest = run_chore(instance)
        for run in (old, newest):
            key = [run, "compute_logs", "do_nothing"]
            with instance.compute_log_manager.open_log_stream(key, ComputeIOType.STDOUT) as printed:
                assert isinstance(printed, io.TextIOBase)
                printed.write("a line of output")
        clean(instance, before=soon())
        assert not list(tmp_path.rglob(f"{old}*"))
        assert list(tmp_path.rglob("do_nothing.out"))
        assert instance.get_run_tags(["colour"]) == []


def test_more_runs_than_a_page_are_cleaned_in_one_go(
    instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fraud_platform.housekeeping.clean._PAGE", 2)
    kept = run_chore(instance, **{tags.SLOT: "lake.1"})
    for _ in range(4):
        run_chore(instance)
    newest = run_chore(instance)
    assert clean(instance, before=soon()) == Cleaned(removed=4, kept=2)
    assert run_ids(instance) == {kept, newest}


def test_a_clean_up_that_dies_in_the_middle_is_finished_by_the_next(
    instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_chore(instance)
    newest = run_chore(instance)
    with monkeypatch.context() as patch:
        patch.setattr(type(instance.run_storage), "delete_run", _die)
        with pytest.raises(MemoryError):
            clean(instance, before=soon())
    clean(instance, before=soon())
    assert run_ids(instance) == {newest}


def _die(*_: object) -> None:
    raise MemoryError


def test_a_stop_ends_it_between_two_runs(instance: DagsterInstance) -> None:
    for _ in range(4):
        run_chore(instance)
    answers = iter((False, False, True))
    assert clean(instance, before=soon(), stop=lambda: next(answers)) == Cleaned(removed=1, kept=1)
    assert len(run_ids(instance)) == 3


def test_history_stops_growing_once_a_day_goes_for_each_that_comes(instance: DagsterInstance, tmp_path: Path) -> None:
    """Days of three runs and of six hours that are told of without a run; one day is kept."""
    sizes = []
    for day in range(1, 5):
        yesterday_ends = soon() - timedelta(seconds=5)
        run_flow(instance)
        run_check(instance)
        run_chore(instance, day="a tag of the run")
        for hour in range(6):
            report_hour(instance, f"2026-01-0{day}-{hour:02d}:00")
        clean(instance, before=yesterday_ends)
        sizes.append(sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()))
    assert sizes[3] <= 1.1 * sizes[2]
    assert len(run_ids(instance)) <= 3 + 3
    assert len(instance.get_materialized_partitions(dg.AssetKey("by_hour"))) == 4 * 6


def test_a_run_whose_hour_was_told_of_again_without_a_run_goes(instance: DagsterInstance) -> None:
    replaced = run_hour(instance, "2026-01-02-03:00")
    newest = run_hour(instance, "2026-01-02-04:00")
    report_hour(instance, "2026-01-02-03:00")
    clean(instance, before=soon())
    assert run_ids(instance) == {newest} != {replaced}
    assert len(instance.get_materialized_partitions(dg.AssetKey("by_hour"))) == 2
