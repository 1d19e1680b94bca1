"""Slots that nobody fills, stages that have switched themselves off, and a Kafka that does not answer."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from dagster import DagsterInstance

from fraud_platform.alerts.problem import Problem, Severity, Sight
from fraud_platform.alerts.sensor import Scene
from fraud_platform.errors import ConfigurationError, Retryable
from fraud_platform.orchestration import runs, tags
from fraud_platform.orchestration.cluster import TIMEOUT_S
from fraud_platform.orchestration.control import StageState, keeper
from fraud_platform.settings import Settings
from fraud_platform.topology import STAGES, Stage

Members = Mapping[str, Collection[str]]
"""Live slots by stage."""
HOLD_S = 60.0
"""A killed slot is back after 10 to 26 s, a planned hand-over takes 4 to 11 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSlots:
    """The slots of one stage. `live` None = Kafka does not tell; `why_off` = why it has switched itself off."""

    stage: str
    is_on: bool
    why_off: str
    wanted: Sequence[str]
    live: Collection[str] | None


def judge(stages: Sequence[StageSlots], refusal: str = "") -> Sight:
    """What is down though it is wanted; `refusal` = what Kafka says when it answers, but not to us."""
    found = [_switched_off(each) for each in stages if not each.is_on and each.why_off]
    down = [_down(each.stage, slot) for each in stages for slot in _missing(each)]
    if all(each.live is not None for each in stages):
        return Sight(problems=[*found, *down])
    away = Problem(
        key="kafka",
        title="Kafka refuses us" if refusal else "Kafka does not answer",
        text=f"{refusal} The stages wait and lose nothing. `fraud-platform doctor` says more.".lstrip(),
        hold_s=HOLD_S,
    )
    return Sight(problems=[away, *found, *down], unsure=[f"slot:{each.stage}." for each in stages if each.live is None])


def _missing(stage: StageSlots) -> list[str]:
    if not stage.is_on or stage.live is None:
        return []
    return [slot for slot in stage.wanted if slot not in stage.live]


def _down(stage: str, slot: str) -> Problem:
    return Problem(
        key=f"slot:{slot}",
        title=f"The slot {slot} is down, and its keeper has not brought it back",
        text=(
            f"Its last run in Dagster and the ticks of {tags.keeper_name(STAGES[stage])} say why;"
            f" `fraud-platform restart {stage}` starts all slots of the stage anew."
        ),
        hold_s=HOLD_S,
    )


def _switched_off(stage: StageSlots) -> Problem:
    is_operators = "by an operator" in stage.why_off
    return Problem(
        key=f"stage:{stage.stage}",
        title=f"{stage.stage} has switched itself off: {stage.why_off.rstrip('.')}",
        text=f"Its records wait in Kafka; once the cause is gone, `fraud-platform start {stage.stage}` goes on.",
        severity=Severity.WARNING if is_operators else Severity.ERROR,
    )


# Looking --------------------------------------------------------------------------------------------


def look(scene: Scene) -> Sight:
    """Every stage's switch, runs and group members."""
    members, refusal = _members(scene.settings)
    stages = [stage_slots(scene.instance, scene.settings, members, stage) for stage in STAGES.values()]
    return judge(stages, refusal)


def _members(settings: Settings) -> tuple[Members | None, str]:
    """The members, or None and Kafka's refusal, if it is one.

    Asked for all stages at once: a broker that is away costs its time limit once, not once a stage.
    """
    from fraud_platform.adapters import admin

    try:
        return admin.live_members(settings, timeout_s=TIMEOUT_S), ""
    except Retryable:
        return None, ""
    except ConfigurationError as error:
        return None, str(error)


def stage_slots(instance: DagsterInstance, settings: Settings, members: Members | None, stage: Stage) -> StageSlots:
    """The stage as the instance knows it, and the live members of all groups."""
    switch = keeper(instance, stage)
    is_on = switch.is_on
    # More slots than partitions stand by, and may do so outside of Dagster's sight.
    wanted = [tags.slot_tag(stage, n) for n in range(min(settings.slots(stage), settings.partitions))]
    return StageSlots(
        stage=stage.name,
        is_on=is_on,
        why_off="" if is_on else switch.last_words,
        wanted=wanted,
        live=_live(instance, members, stage, wanted, is_on=is_on),
    )


def _live(
    instance: DagsterInstance, members: Members | None, stage: Stage, wanted: Sequence[str], *, is_on: bool
) -> Collection[str] | None:
    if not is_on:
        return ()
    if stage.consumes:
        return None if members is None else members.get(stage.name, ())
    state = StageState(stage.name, is_on, "", len(wanted), tuple(runs.in_progress(instance, stage)))
    return wanted[: state.working]
