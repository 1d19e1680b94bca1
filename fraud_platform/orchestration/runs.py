"""A stage's runs as an instance stores them."""

from dataclasses import replace
from datetime import UTC, datetime

from dagster import DagsterInstance, DagsterRunStatus, RunRecord, RunsFilter
from dagster._core.errors import DagsterUserCodeUnreachableError

from fraud_platform.orchestration import tags
from fraud_platform.orchestration.keeper import SlotRun
from fraud_platform.topology import Stage

IN_PROGRESS = (
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
)
ENDED = (DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED)


def in_progress(instance: DagsterInstance, stage: Stage) -> list[SlotRun]:
    """The stage's long runs that have not ended, oldest first."""
    wanted = RunsFilter(job_name=tags.job_name(stage), statuses=list(IN_PROGRESS))
    found = [slot_run(record) for record in reversed(instance.get_run_records(wanted))]
    return [_marked(instance, run) if run.status is DagsterRunStatus.CANCELING else run for run in found]


def last_ended(instance: DagsterInstance, slot: str) -> SlotRun | None:
    """The slot's newest run that has ended."""
    wanted = RunsFilter(tags={tags.SLOT: slot}, statuses=list(ENDED))
    records = instance.get_run_records(wanted, limit=1)
    if not records:
        return None
    return _marked(instance, slot_run(records[0]))


def _marked(instance: DagsterInstance, run: SlotRun) -> SlotRun:
    """With `ENDED_BY` from the tag index: a writer beside ours can undo a tag in the run itself, never there."""
    if run.ended_by:
        return run
    for mark in (tags.PLATFORM, tags.KEEPER, tags.CONFIGURATION, tags.FENCED):
        if instance.get_run_records(RunsFilter(run_ids=[run.run_id], tags={tags.ENDED_BY: mark}), limit=1):
            return replace(run, ended_by=mark)
    return run


def slot_run(record: RunRecord) -> SlotRun:
    """What keepers look at of a stored run."""
    run = record.dagster_run
    return SlotRun(
        run_id=run.run_id,
        slot=run.tags.get(tags.SLOT, ""),
        status=run.status,
        created_at=_seconds(record.create_timestamp),
        updated_at=_seconds(record.update_timestamp),
        started_at=record.start_time,
        ended_at=record.end_time,
        heartbeat_at=_number(run.tags.get(tags.HEARTBEAT)),
        working_since=_number(run.tags.get(tags.WORKING)),
        process=run.tags.get(tags.PROCESS, ""),
        code=run.tags.get(tags.CODE, ""),
        leaves_at=_number(run.tags.get(tags.LEAVES_AT)),
        rules=run.tags.get(tags.RULES, ""),
        rules_coming=run.tags.get(tags.RULES_COMING, ""),
        ended_by=run.tags.get(tags.ENDED_BY, ""),
        reason=run.tags.get(tags.REASON, ""),
    )


def end(instance: DagsterInstance, run_id: str, status: DagsterRunStatus, why: str) -> None:
    """Write down that the run is over; its process, should it live, leaves when it next reads its status."""
    run = instance.get_run_by_id(run_id)
    if run is None or run.is_finished:
        return
    if status is DagsterRunStatus.CANCELED:
        instance.report_run_canceled(run, message=why)
    else:
        mark(instance, run_id, tags.KEEPER, why)
        instance.report_run_failed(run, message=why)


def ask_to_leave(instance: DagsterInstance, run_id: str, by: str) -> bool:
    """Ask a run to drain and leave; whether its code server passed that on at once.

    Otherwise the run finds it in its stored status within seconds.
    """
    run = instance.get_run_by_id(run_id)
    if run is None or run.is_finished:
        return True
    mark(instance, run_id, by, "")
    if run.status in (DagsterRunStatus.QUEUED, DagsterRunStatus.NOT_STARTED):
        instance.report_run_canceling(run)
        instance.report_run_canceled(run)
        return True
    try:
        return bool(instance.run_launcher.terminate(run_id))
    except DagsterUserCodeUnreachableError:
        return False


def mark(instance: DagsterInstance, run_id: str, by: str, reason: str) -> None:
    """Note on the run who ends it and why."""
    noted = {tags.ENDED_BY: by, **({tags.REASON: reason[: tags.MAX_REASON]} if reason else {})}
    instance.add_run_tags(run_id, noted)


def _seconds(at: datetime) -> float:
    return at.replace(tzinfo=at.tzinfo or UTC).timestamp()


def _number(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0
