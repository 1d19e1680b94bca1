"""Runs that failed: of slots, of the crawl, of checks, of anything else in Dagster."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from dagster import DagsterInstance, DagsterRunStatus, RunRecord, RunsFilter
from dagster._core.storage.tags import PARTITION_NAME_TAG

from fraud_platform.alerts.problem import Problem, Sight
from fraud_platform.alerts.sensor import Scene
from fraud_platform.alerts.wording import clock
from fraud_platform.orchestration import tags
from fraud_platform.orchestration.control import keeper
from fraud_platform.topology import STAGES

PREFIX = "run:"
WINDOW_S = 24 * 3600.0
"""How far back failures are looked for; one that a person knows of is followed for longer."""
NEWS_S = 120.0
"""A failure stays a problem for so long at least, or one that was mended between two looks would never be told."""
MAX_RUNS = 200
AD_HOC_JOB = "__ASSET_JOB"
"""Dagster's job for what somebody materializes or checks by hand."""
_AD_HOC = "ad-hoc:"
_NEWEST = 10
_ID = 8
_STATUSES = [
    DagsterRunStatus.FAILURE, DagsterRunStatus.SUCCESS, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELED,
]  # fmt: skip


class Kind(StrEnum):
    """What a run is a run of."""

    SLOT = "slot"
    JOB = "job"
    AD_HOC = "ad hoc work on"


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRuns:
    """The last failure of one slot, job or ad hoc work, and whether a later run of it works or has succeeded."""

    name: str
    kind: Kind
    run_id: str
    failed_at: float
    reason: str
    has_recovered: bool


def judge(found: Iterable[LastRuns], *, now: float) -> list[Problem]:
    """The failures that nothing has made good, and those that are news."""
    return [_problem(each) for each in found if not each.has_recovered or now - each.failed_at < NEWS_S]


def _problem(last: LastRuns) -> Problem:
    reason = f" ({last.reason.rstrip('.')})" if last.reason else ""
    after = (
        "Its keeper starts it again."
        if last.kind is Kind.SLOT
        else "Start it again from that page once the cause is gone; it counts as over when a run of it succeeds."
    )
    mark = _AD_HOC if last.kind is Kind.AD_HOC else ""
    return Problem(
        key=f"{PREFIX}{mark}{last.name}",
        title=f"A run of the {last.kind} {last.name} failed at {clock(last.failed_at)}{reason}",
        text=f"Run {last.run_id[:_ID]} in Dagster's list of runs says why. {after}",
    )


# Looking --------------------------------------------------------------------------------------------


def look(scene: Scene) -> Sight:
    """The failures of the last day, and the later fate of those that a person knows of."""
    since = datetime.fromtimestamp(scene.now - WINDOW_S, UTC)
    wanted = RunsFilter(statuses=[DagsterRunStatus.FAILURE], updated_after=since)
    failed = scene.instance.get_run_records(wanted, limit=MAX_RUNS)
    names = {_name(record) for record in failed if not _is_ad_hoc(record)}
    names |= {key.removeprefix(PREFIX) for key in scene.told if key.startswith(PREFIX)}
    named = [_last(scene.instance, name) for name in sorted(names) if _is_wanted(scene, name)]
    ad_hoc = _ad_hoc(scene.instance, since) if any(_is_ad_hoc(record) for record in failed) else []
    return Sight(problems=judge([*(each for each in named if each), *ad_hoc], now=scene.now))


def _name(record: RunRecord) -> str:
    return record.dagster_run.tags.get(tags.SLOT) or record.dagster_run.job_name


def _is_slot(name: str) -> bool:
    """Slots are `stage.number`; no job has a dot in its name."""
    return "." in name


def _is_ad_hoc(record: RunRecord) -> bool:
    return record.dagster_run.job_name == AD_HOC_JOB


def _is_wanted(scene: Scene, name: str) -> bool:
    """Whether anybody still expects it to run: not a removed job, a stopped stage, or a slot too many."""
    if not _is_slot(name):
        return not name.startswith(_AD_HOC) and (scene.jobs is None or name in scene.jobs)
    stage_name, _, slot = name.partition(".")
    stage = STAGES.get(stage_name)
    if stage is None or not keeper(scene.instance, stage).is_on:
        return False
    return not slot.isdecimal() or int(slot) < scene.settings.slots(stage)


def _last(instance: DagsterInstance, name: str) -> LastRuns | None:
    mine = RunsFilter(
        tags={tags.SLOT: name} if _is_slot(name) else None,
        job_name=None if _is_slot(name) else name,
        statuses=_STATUSES,
    )
    has_recovered = False
    for record in instance.get_run_records(mine, limit=_NEWEST):  # newest first
        if record.dagster_run.status is DagsterRunStatus.FAILURE:
            # Its keeper has switched itself off for this, and that has an alert of its own.
            is_told_elsewhere = record.dagster_run.tags.get(tags.ENDED_BY) == tags.CONFIGURATION
            kind = Kind.SLOT if _is_slot(name) else Kind.JOB
            return None if is_told_elsewhere else _failure(record, name, kind, has_recovered=has_recovered)
        has_recovered |= _makes_good(record, is_slot=_is_slot(name))
    return None


def _makes_good(record: RunRecord, *, is_slot: bool) -> bool:
    """Whether this later run ends the trouble: it worked, or whoever cancelled it wanted the slot so."""
    run = record.dagster_run
    if run.status is DagsterRunStatus.SUCCESS or tags.WORKING in run.tags:
        return True
    return is_slot and run.status is DagsterRunStatus.CANCELED


def _failure(record: RunRecord, name: str, kind: Kind, *, has_recovered: bool) -> LastRuns:
    run = record.dagster_run
    return LastRuns(
        name=name,
        kind=kind,
        run_id=run.run_id,
        failed_at=record.end_time or record.update_timestamp.replace(tzinfo=UTC).timestamp(),
        # A sentence of ours; the text of any other error may quote a record, and stays in Dagster.
        reason=run.tags.get(tags.REASON, ""),
        has_recovered=has_recovered,
    )


# Ad hoc work ----------------------------------------------------------------------------------------


def _ad_hoc(instance: DagsterInstance, since: datetime) -> list[LastRuns]:
    """Each piece of ad hoc work that failed in the window, by what it was about; after that it is over."""
    wanted = RunsFilter(
        job_name=AD_HOC_JOB, statuses=[DagsterRunStatus.FAILURE, DagsterRunStatus.SUCCESS], updated_after=since
    )
    found: dict[str, LastRuns] = {}
    made: list[tuple[set[str], str]] = []
    for record in instance.get_run_records(wanted, limit=MAX_RUNS):  # newest first
        parts, partition = _about(record)
        if record.dagster_run.status is DagsterRunStatus.SUCCESS:
            made.append((set(parts), partition))
            continue
        name = " ".join([", ".join(parts) or AD_HOC_JOB, *([partition] if partition else [])])
        has_recovered = any(covered.issuperset(parts) and partition == of for covered, of in made)
        found.setdefault(name, _failure(record, name, Kind.AD_HOC, has_recovered=has_recovered))
    return list(found.values())


def _about(record: RunRecord) -> tuple[Sequence[str], str]:
    """Assets and checks of the run, and its partition."""
    run = record.dagster_run
    assets = [key.to_user_string() for key in run.asset_selection or ()]
    checks = [f"{key.asset_key.to_user_string()}:{key.name}" for key in run.asset_check_selection or ()]
    return sorted([*assets, *checks]), run.tags.get(PARTITION_NAME_TAG, "")
