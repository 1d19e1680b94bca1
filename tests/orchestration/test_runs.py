from collections.abc import Iterator
from contextlib import contextmanager

from dagster import DagsterInstance, DagsterRun, DagsterRunStatus

from fraud_platform.orchestration import runs, tags
from fraud_platform.topology import DOCUMENTS, LAKE
from tests.orchestration.conftest import store_run


def test_runs_in_progress_come_oldest_first(instance: DagsterInstance) -> None:
    older = store_run(instance, LAKE, DagsterRunStatus.STARTED, slot=1)
    newer = store_run(instance, LAKE, DagsterRunStatus.STARTING, slot=0)
    store_run(instance, LAKE, DagsterRunStatus.SUCCESS, slot=2)
    store_run(instance, DOCUMENTS, DagsterRunStatus.STARTED)
    assert [run.run_id for run in runs.in_progress(instance, LAKE)] == [older.run_id, newer.run_id]


def test_the_last_run_of_a_slot_is_its_newest_ended_one(instance: DagsterInstance) -> None:
    store_run(instance, LAKE, DagsterRunStatus.SUCCESS)
    newest = store_run(instance, LAKE, DagsterRunStatus.FAILURE)
    store_run(instance, LAKE, DagsterRunStatus.SUCCESS, slot=1)
    found = runs.last_ended(instance, "lake.0")
    assert (found.run_id, found.status) == (newest.run_id, DagsterRunStatus.FAILURE)
    assert found.ended_at >= found.started_at


def test_a_slot_without_an_ended_run_has_no_last_one(instance: DagsterInstance) -> None:
    store_run(instance, LAKE, DagsterRunStatus.STARTED)
    assert runs.last_ended(instance, "lake.0") is None


@contextmanager
def blind(instance: DagsterInstance, run: DagsterRun) -> Iterator[None]:
    """Whoever writes the run's status in here stores its tags as they were before, as Dagster's writers do."""
    storage = instance.run_storage
    read, stale = storage._get_run_by_id, storage._get_run_by_id(run.run_id)
    storage._get_run_by_id = lambda run_id: stale
    try:
        yield
    finally:
        storage._get_run_by_id = read


def test_a_mark_survives_a_writer_that_did_not_see_it(instance: DagsterInstance) -> None:
    run = store_run(instance, LAKE, DagsterRunStatus.STARTED)
    with blind(instance, run):
        runs.mark(instance, run.run_id, tags.CONFIGURATION, "FRAUD_VALIDATOR_URL answers 404.")
        instance.report_run_failed(run)
    assert tags.ENDED_BY not in instance.get_run_by_id(run.run_id).tags
    assert runs.last_ended(instance, "lake.0").ended_by == tags.CONFIGURATION


def test_a_mark_counts_while_its_run_is_being_cancelled(instance: DagsterInstance) -> None:
    run = store_run(instance, LAKE, DagsterRunStatus.STARTED)
    with blind(instance, run):
        runs.mark(instance, run.run_id, tags.KEEPER, "")
        instance.report_run_canceling(run)
    assert tags.ENDED_BY not in instance.get_run_by_id(run.run_id).tags
    (found,) = runs.in_progress(instance, LAKE)
    assert (found.status, found.ended_by) == (DagsterRunStatus.CANCELING, tags.KEEPER)


def test_an_ended_run_is_ended_once(instance: DagsterInstance) -> None:
    run = store_run(instance, LAKE, DagsterRunStatus.SUCCESS)
    runs.end(instance, run.run_id, DagsterRunStatus.FAILURE, "gone")
    assert instance.get_run_by_id(run.run_id).status is DagsterRunStatus.SUCCESS


def test_a_reason_is_kept_short(instance: DagsterInstance) -> None:
    run = store_run(instance, LAKE, DagsterRunStatus.STARTED)
    runs.mark(instance, run.run_id, tags.CONFIGURATION, "x" * 9_999)
    assert len(instance.get_run_by_id(run.run_id).tags[tags.REASON]) == tags.MAX_REASON
