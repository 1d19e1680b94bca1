"""Takes finished runs out of Dagster's history once they are old."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

from fraud_platform.housekeeping import tables
from fraud_platform.housekeeping.needed import Needed

_PAGE = 200
_FINISHED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]


@dataclass(frozen=True, slots=True)
class Cleaned:
    """Runs that were deleted, and old ones that stay because something still shows them."""

    removed: int
    kept: int


def clean(instance: DagsterInstance, *, before: datetime, stop: Callable[[], bool] = lambda: False) -> Cleaned:
    """Delete the finished runs whose last change lies before the moment, but for those that are `Needed`.

    Restartable: what a stop or a crash leaves undone is done by the next call.
    """
    needed = Needed(instance)
    old = RunsFilter(statuses=_FINISHED, updated_before=before)
    removed = kept = 0
    cursor: str | None = None
    while page := instance.get_run_records(old, limit=_PAGE, cursor=cursor):
        for run in (record.dagster_run for record in page):
            if stop():
                return Cleaned(removed, kept)
            if run in needed:
                kept += 1
                cursor = run.run_id  # of a deleted run Dagster would know no place
            else:
                tables.delete_run(instance, run.run_id)
                removed += 1
    return Cleaned(removed, kept)
