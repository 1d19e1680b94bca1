"""The keeper sensor of a stage: look, decide, act. It never consumes, and every question has a time limit."""

import json
import time
from collections.abc import Callable, Mapping

import dagster as dg
from dagster import DagsterInstance

from fraud_platform.errors import ConfigurationError
from fraud_platform.orchestration import runs, tags
from fraud_platform.orchestration.cluster import Cluster, KafkaCluster
from fraud_platform.orchestration.code import loaded_at, own_code
from fraud_platform.orchestration.keeper import Cancel, Decision, End, Launch, SwitchOff, View, decide
from fraud_platform.orchestration.processes import is_gone
from fraud_platform.orchestration.switches import OFF_MARK, Switch
from fraud_platform.settings import Settings, load
from fraud_platform.topology import Stage

INTERVAL_S = 10
"""5 s costs 0.25 core with a dozen keepers."""
NEW_S = 300.0
"""A run that started later may have waited for the slot when the run before it ended."""

MakeCluster = Callable[[Settings], Cluster]


def keeper_sensor(
    stage: Stage,
    job: dg.JobDefinition,
    *,
    settings: Callable[[], Settings] = load,
    make_cluster: MakeCluster = KafkaCluster,
    clock: Callable[[], float] = time.time,
) -> dg.SensorDefinition:
    """The sensor that keeps the slots of `stage` alive; it is also the stage's on/off switch."""

    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        try:
            current = settings()
            view = look(context, stage, current, make_cluster(current), now=clock())
        except ConfigurationError as error:
            return dg.SkipReason(str(error))
        return act(context.instance, stage, decide(view), switched_on_at=context.last_sensor_start_time)

    status = dg.DefaultSensorStatus.RUNNING if stage.consumes else dg.DefaultSensorStatus.STOPPED
    return dg.SensorDefinition(
        name=tags.keeper_name(stage),
        evaluation_fn=evaluate,
        job=job,
        minimum_interval_seconds=INTERVAL_S,
        default_status=status,
        description=(
            f"Keeps every slot of {stage.name} alive, and replaces one whose process is gone. "
            "This is the stage's on/off switch: it switches itself off when a run is cancelled "
            "or cannot work as configured."
        ),
        tags={tags.STAGE: stage.name},
    )


def look(
    context: dg.SensorEvaluationContext, stage: Stage, settings: Settings, cluster: Cluster, *, now: float
) -> View:
    """What the instance and the cluster know about the stage's slots."""
    slots = [tags.slot_tag(stage, number) for number in range(settings.slots(stage))]
    in_progress = runs.in_progress(context.instance, stage)
    settled = {run.slot for run in in_progress if run.started_at and run.started_at < now - NEW_S}
    ended = {slot: runs.last_ended(context.instance, slot) for slot in set(slots) - settled}
    return View(
        now=now,
        slots=slots,
        in_progress=in_progress,
        last_ended={slot: run for slot, run in ended.items() if run is not None},
        members=cluster.members(stage) if stage.consumes else frozenset(),
        seen=_remembered(context.cursor),
        gone={run.run_id for run in in_progress if is_gone(run.process)},
        switched_on_at=context.last_sensor_start_time or 0.0,
        uses_heartbeat=not stage.consumes,
        code=own_code(),
        code_since=loaded_at(),
    )


def act(
    instance: DagsterInstance, stage: Stage, decision: Decision, *, switched_on_at: float | None = None
) -> dg.SensorResult:
    """Carry a decision out; one that a person has overtaken by switching on again does not switch off."""
    said = list(decision.notes)
    requests: list[dg.RunRequest] = []
    for action in decision.actions:
        match action:
            case End(run_id, status, why):
                runs.end(instance, run_id, status, why)
                said.append(f"run {run_id[:8]}: {why}")
            case Cancel(run_id, why):
                runs.ask_to_leave(instance, run_id, tags.KEEPER)
                said.append(f"run {run_id[:8]}: {why}")
            case Launch():
                requests.append(_request(stage, action))
            case SwitchOff(why, leaving):
                switch = Switch(instance, tags.keeper_name(stage), on_by_default=stage.consumes)
                if switch.off(unless_on_since=switched_on_at):
                    said = [f"{OFF_MARK}{why}."]
                    for run_id in leaving:
                        runs.ask_to_leave(instance, run_id, tags.KEEPER)
    cursor = json.dumps(dict(decision.seen))
    if requests:
        return dg.SensorResult(run_requests=requests, cursor=cursor)
    return dg.SensorResult(skip_reason="; ".join(said) or "every slot has its run", cursor=cursor)


def _request(stage: Stage, launch: Launch) -> dg.RunRequest:
    return dg.RunRequest(run_key=launch.run_key, tags={tags.STAGE: stage.name, tags.SLOT: launch.slot})


def _remembered(cursor: str | None) -> Mapping[str, float]:
    try:
        found = json.loads(cursor or "{}")
    except json.JSONDecodeError:
        return {}
    return {str(run_id): float(at) for run_id, at in found.items()} if isinstance(found, dict) else {}
