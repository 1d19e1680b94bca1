"""A real Dagster instance on disk, and runs in the states that a keeper meets."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus

from fraud_platform.orchestration import tags
from fraud_platform.settings import Settings
from fraud_platform.topology import Stage
from tests.fakes.cluster import FakeCluster
from tests.orchestration.live import home, live_settings, stack  # noqa: F401 - fixtures


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[DagsterInstance]:
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        yield instance


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_environment({"FRAUD_DATA_DIR": str(tmp_path / "data")})


def store_run(
    instance: DagsterInstance, stage: Stage, status: DagsterRunStatus, *, slot: int = 0, **more: str
) -> DagsterRun:
    """A run of the stage that has come as far as `status`, through the events that Dagster itself writes."""

    @dg.job(name=tags.job_name(stage))
    def job() -> None: ...

    run_tags = {tags.STAGE: stage.name, tags.SLOT: tags.slot_tag(stage, slot), **more}
    run = instance.create_run_for_job(job, tags=run_tags, status=DagsterRunStatus.NOT_STARTED)
    for event in _way_to(status):
        say(instance, run, event)
    return run


def _way_to(status: DagsterRunStatus) -> list[Any]:
    kinds = dg.DagsterEventType
    started = [kinds.RUN_STARTING, kinds.RUN_START]
    return {
        DagsterRunStatus.NOT_STARTED: [],
        DagsterRunStatus.STARTING: started[:1],
        DagsterRunStatus.STARTED: started,
        DagsterRunStatus.CANCELING: [*started, kinds.RUN_CANCELING],
        DagsterRunStatus.CANCELED: [*started, kinds.RUN_CANCELING, kinds.RUN_CANCELED],
        DagsterRunStatus.FAILURE: [*started, kinds.RUN_FAILURE],
        DagsterRunStatus.SUCCESS: [*started, kinds.RUN_SUCCESS],
    }[status]


def say(instance: DagsterInstance, run: DagsterRun, kind: Any) -> None:
    """Store an event of the run as Dagster's own processes do."""
    event = dg.DagsterEvent(event_type_value=kind.value, job_name=run.job_name)
    instance.report_dagster_event(event, run_id=run.run_id)
