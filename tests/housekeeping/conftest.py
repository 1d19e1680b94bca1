"""A real Dagster history on disk, and assets and checks that fill it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance

HOURS = dg.HourlyPartitionsDefinition(start_date=datetime(2026, 1, 1, tzinfo=UTC), timezone="UTC")


@dg.asset
def flow() -> dg.MaterializeResult[None]:
    """Something that every run tells of anew."""
    return dg.MaterializeResult(metadata={"dagster/row_count": 7, "padding": "x" * 2000})


@dg.asset(partitions_def=HOURS)
def by_hour() -> dg.MaterializeResult[None]:
    """Something that each run tells of for one hour."""
    return dg.MaterializeResult(metadata={"dagster/row_count": 7})


@dg.asset_check(asset=flow)
def is_whole() -> dg.AssetCheckResult:
    """A check of the asset."""
    return dg.AssetCheckResult(passed=True)


@dg.op
def do_nothing() -> None:
    """Leaves events of the run alone."""


@dg.job
def chore() -> None:
    """A job without assets."""
    do_nothing()


NO_LOGS = {
    "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
}


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[DagsterInstance]:
    """What runs print is not kept: that takes them half of their time."""
    with dg.instance_for_test(NO_LOGS, temp_dir=str(tmp_path)) as instance:
        yield instance


def soon() -> datetime:
    """A moment that all runs so far lie before."""
    return datetime.now(UTC) + timedelta(seconds=5)


def run_chore(instance: DagsterInstance, **tags: str) -> str:
    """One finished run of `chore`; its id."""
    return chore.execute_in_process(instance=instance, tags=tags).run_id


def run_flow(instance: DagsterInstance) -> str:
    """One finished run that materializes `flow` and checks it; its id."""
    return dg.materialize([flow, is_whole], instance=instance).run_id


def run_hour(instance: DagsterInstance, hour: str) -> str:
    """One finished run that materializes one partition; its id."""
    return dg.materialize([by_hour], instance=instance, partition_key=hour).run_id


def report_hour(instance: DagsterInstance, hour: str) -> None:
    """Tell of one partition without a run, as the compaction does."""
    event = dg.AssetMaterialization("by_hour", partition=hour, metadata={"padding": "x" * 500})
    instance.report_runless_asset_event(event)


def run_check(instance: DagsterInstance) -> str:
    """One finished run of the check alone; its id."""
    only = dg.AssetSelection.checks(is_whole)
    return dg.materialize([flow, is_whole], instance=instance, selection=only).run_id


def run_ids(instance: DagsterInstance) -> set[str]:
    """The runs that Dagster knows."""
    return {run.run_id for run in instance.get_runs()}
