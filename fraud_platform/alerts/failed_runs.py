"""Runs that failed: of slots, of the crawl, of checks, of anything else in Dagster."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from dagster import DagsterInstance, DagsterRunStatus, RunRecord, RunsFilter

from fraud_platform.alerts.problem import Problem, Sight
from fraud_platform.alerts.sensor import Scene
from fraud_platform.alerts.wording import clock
from fraud_platform.orchestration import tags

PREFIX = "run:"
WINDOW_S = 24 * 3600.0
"""How far back failures are looked for; one that a person knows of is followed for longer."""
NEWS_S = 120.0
"""A failure stays a problem for so long at least, or one that was mended between two looks would never be told."""
MAX_RUNS = 200
_NEWEST = 10
_ID = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRuns:
    """The last failure of one slot or job, and whether a later run of it works or has succeeded."""

    name: str
    is_slot: bool
    run_id: str
    failed_at: float
    reason: str
    has_recovered: bool


def judge(found: Iterable[LastRuns], *, now: float) -> list[Problem]:
    """The failures that nothing has made good, and those that are news."""
    return [_problem(each) for each in found if not each.has_recovered or now - each.failed_at < NEWS_S]


def _problem(last: LastRuns) -> Problem:
    what = f"slot {last.name}" if last.is_slot else f"job {last.name}"
    reason = f" ({last.reason.rstrip('.')})" if last.reason else ""
    after = (
        "Its keeper starts it again."
        if last.is_slot
        else "Start it again from that page once the cause is gone; it counts as over when a run of it succeeds."
    )
    return Problem(
        key=f"{PREFIX}{last.name}",
        title=f"A run of the {what} failed at {clock(last.failed_at)}{reason}",
        text=f"Run {last.run_id[:_ID]} in Dagster's list of runs says why. {after}",
    )


# Looking --------------------------------------------------------------------------------------------


def look(scene: Scene) -> Sight:
    """The failures of the last day, and the later fate of those that a person knows of."""
    since = datetime.fromtimestamp(scene.now - WINDOW_S, UTC)
    wanted = RunsFilter(statuses=[DagsterRunStatus.FAILURE], updated_after=since)
    names = {_name(record) for record in scene.instance.get_run_records(wanted, limit=MAX_RUNS)}
    names |= {key.removeprefix(PREFIX) for key in scene.told if key.startswith(PREFIX)}
    found = (_last(scene.instance, name) for name in sorted(names))
    return Sight(problems=judge((each for each in found if each), now=scene.now))


def _name(record: RunRecord) -> str:
    return record.dagster_run.tags.get(tags.SLOT) or record.dagster_run.job_name


def _last(instance: DagsterInstance, name: str) -> LastRuns | None:
    statuses = [DagsterRunStatus.FAILURE, DagsterRunStatus.SUCCESS, DagsterRunStatus.STARTED]
    is_slot = True
    records = instance.get_run_records(RunsFilter(tags={tags.SLOT: name}, statuses=statuses), limit=_NEWEST)
    if not records:
        is_slot = False
        records = instance.get_run_records(RunsFilter(job_name=name, statuses=statuses), limit=_NEWEST)
    has_recovered = False
    for record in records:  # newest first
        run = record.dagster_run
        if run.status is DagsterRunStatus.FAILURE:
            return LastRuns(
                name=name,
                is_slot=is_slot,
                run_id=run.run_id,
                failed_at=record.end_time or record.update_timestamp.replace(tzinfo=UTC).timestamp(),
                # A sentence of ours; the text of any other error may quote a record, and stays in Dagster.
                reason=run.tags.get(tags.REASON, ""),
                has_recovered=has_recovered,
            )
        has_recovered |= run.status is DagsterRunStatus.SUCCESS or tags.WORKING in run.tags
    return None
