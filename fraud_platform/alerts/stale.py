"""Data that no longer move: an input that got nothing new, or a stage that makes no progress though it has input."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from fraud_platform.alerts.lag import TIMEOUT_S
from fraud_platform.alerts.problem import Problem, Severity, Sight
from fraud_platform.alerts.sensor import Scene
from fraud_platform.alerts.wording import duration
from fraud_platform.orchestration.control import keeper
from fraud_platform.orchestration.inputs import expected_inputs
from fraud_platform.topology import STAGES, Topic

HOLD_S = 120.0
"""After a start the banks and the stages get this long."""


class Still(msgspec.Struct, frozen=True):
    """A place (a sum of offsets), and since when it has been there (Unix seconds)."""

    at: int
    since: float


@dataclass(frozen=True, slots=True)
class Flow:
    """Sums of offsets now: the ends of inputs, and per stage its position and lag; None = it is not to work."""

    ends: Mapping[Topic, int]
    stages: Mapping[str, tuple[int, int]]


def remember(before: Mapping[str, Still], flow: Flow, *, now: float) -> dict[str, Still]:
    """Since when each place has been where it is."""
    places = {f"input:{topic}": end for topic, end in flow.ends.items()}
    places |= {f"stage:{stage}": position for stage, (position, _) in flow.stages.items()}
    return {name: before[name] if _is_same(before.get(name), at) else Still(at, now) for name, at in places.items()}


def _is_same(still: Still | None, at: int) -> bool:
    return still is not None and still.at == at


def judge(flow: Flow, stills: Mapping[str, Still], *, limit_s: float, now: float) -> list[Problem]:
    """What has not moved for `limit_s` though it should; an input that never had a record is not expected to."""
    quiet = {topic: now - stills[f"input:{topic}"].since for topic, end in flow.ends.items() if end}
    stuck = {stage: now - stills[f"stage:{stage}"].since for stage, (_, lag) in flow.stages.items() if lag}
    return [
        *[_quiet(topic, seconds) for topic, seconds in quiet.items() if seconds >= limit_s],
        *[_stuck(stage, seconds, flow.stages[stage][1]) for stage, seconds in stuck.items() if seconds >= limit_s],
    ]


def _quiet(topic: Topic, seconds: float) -> Problem:
    return Problem(
        key=f"stale:{topic}",
        title=f"{topic} has got no record for {duration(seconds)}",
        text=(
            "Whoever sends them is away, or cannot reach Kafka. When such pauses are usual, set"
            " FRAUD_ALERT_STALE_MINUTES to more."
        ),
        severity=Severity.WARNING,
        hold_s=HOLD_S,
    )


def _stuck(stage: str, seconds: float, lag: int) -> Problem:
    return Problem(
        key=f"stale:{stage}",
        title=f"{stage} has made no progress for {duration(seconds)}, with {lag:,} records before it",
        text=(
            "Its last run in Dagster says what it waits for; `fraud-platform doctor` looks at the services behind it."
        ),
        hold_s=HOLD_S,
    )


# Looking --------------------------------------------------------------------------------------------


def look(scene: Scene) -> Sight:
    """How far inputs and stages have come.

    Raises:
        BrokerUnavailable: Kafka does not answer.
    """
    flow = _flow(scene)
    stills = remember(_decode(scene.memory), flow, now=scene.now)
    problems = judge(flow, stills, limit_s=scene.settings.alert_stale_minutes * 60, now=scene.now)
    return Sight(problems=problems, memory=msgspec.json.encode(stills).decode())


def _decode(memory: str) -> dict[str, Still]:
    try:
        return msgspec.json.decode(memory or "{}", type=dict[str, Still])
    except msgspec.DecodeError:
        return {}


def _flow(scene: Scene) -> Flow:
    from fraud_platform.adapters import admin

    inputs = expected_inputs(scene.settings, scene.instance)
    on = [stage for stage in STAGES.values() if stage.consumes and keeper(scene.instance, stage).is_on]
    committed = {stage.name: admin.committed_offsets(scene.settings, stage, timeout_s=TIMEOUT_S) for stage in on}
    topics = dict.fromkeys([*inputs, *(topic for stage in on for topic in stage.reads)])
    ends = admin.end_offsets(scene.settings, topics, timeout_s=TIMEOUT_S)
    stages = {
        stage.name: (sum(committed[stage.name].values()), _left(stage.reads, committed[stage.name], ends))
        for stage in on
    }
    return Flow({topic: sum(end for (name, _), end in ends.items() if name is topic) for topic in inputs}, stages)


def _left(
    reads: Sequence[Topic], committed: Mapping[tuple[Topic, int], int], ends: Mapping[tuple[Topic, int], int]
) -> int:
    return sum(max(0, end - committed.get(place, 0)) for place, end in ends.items() if place[0] in reads)
