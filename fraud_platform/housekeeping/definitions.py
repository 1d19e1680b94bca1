"""What Dagster shows of the clean-up: one job and its daily schedule."""

from datetime import UTC, datetime, timedelta

import dagster as dg
from pydantic import Field

from fraud_platform.housekeeping.clean import clean
from fraud_platform.orchestration import tags
from fraud_platform.runtime.stop import stop_on_signals

DAILY = "50 2 * * *"
"""Before the night's full crawl and compaction."""
KEPT_DAYS = 7


class CleanConfig(dg.Config):
    """How much history to keep."""

    days: int = Field(KEPT_DAYS, ge=1, description="finished runs of the last days stay, with all their events")


@dg.op(name="delete_old_runs", description="Deletes finished runs and their events, unless a page still needs them.")
def delete_old_runs(context: dg.OpExecutionContext, config: CleanConfig) -> None:
    """Says in its log how many went and how many had to stay."""
    with stop_on_signals() as stop:
        done = clean(context.instance, before=datetime.now(UTC) - timedelta(days=config.days), stop=stop)
    context.log.info("%d runs deleted; %d old ones stay, since they hold what is newest", done.removed, done.kept)
    if stop():
        raise dg.DagsterExecutionInterruptedError


@dg.job(
    name="clean_history",
    description=f"Deletes finished runs and their events after {KEPT_DAYS} days; what is newest of its kind stays.",
    tags={tags.BATCH: "clean"},
)
def clean_history() -> None:
    """What the schedule runs."""
    delete_old_runs()


clean_history_daily = dg.ScheduleDefinition(
    name="clean_history_daily",
    job=clean_history,
    cron_schedule=DAILY,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Keeps Dagster's history small: finished runs go after a week.",
)

defs = dg.Definitions(jobs=[clean_history], schedules=[clean_history_daily])
