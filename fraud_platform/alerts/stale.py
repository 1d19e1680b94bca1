"""Data that no longer move: an input that got nothing new, or a stage that makes no progress though it has input."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from fraud_platform.alerts.lag import TIMEOUT_S
from fraud_platform.alerts.problem import Problem, Severity, Sight
from fraud_platform.alerts.sensor import Scene
from fraud_platform.alerts.wording import duration
from fraud_platform.orchestration.control import keeper
from fraud_platform.orchestration.inputs import expected_inputs
from fraud_platform.topology import STAGES, Stage, Topic

HOLD_S = 120.0
"""After a start the banks and the stages get this long."""
_SHOWN = 3

Offsets = Mapping[tuple[Topic, int], int]


class Still(msgspec.Struct, frozen=True):
    """A place (an offset), and since when it has been there (Unix seconds)."""

    at: int
    since: float


Places = Mapping[str, tuple[int, int]]
"""Position and lag of one stage by partition, as `users/3`."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Offsets now: the sum of the ends of each input, and where each stage that is to work stands."""

    ends: Mapping[Topic, int]
    stages: Mapping[str, Places]


def remember(before: Mapping[str, Still], flow: Flow, *, now: float) -> dict[str, Still]:
    """Since when each place has been where it is; a partition without lag has nothing to move for."""
    places = {f"input:{topic}": end for topic, end in flow.ends.items()}
    places |= {
        f"stage:{stage}:{partition}": position
        for stage, partitions in flow.stages.items()
        for partition, (position, lag) in partitions.items()
        if lag
    }
    return {name: before[name] if _is_same(before.get(name), at) else Still(at, now) for name, at in places.items()}


def _is_same(still: Still | None, at: int) -> bool:
    return still is not None and still.at == at


def judge(flow: Flow, stills: Mapping[str, Still], *, limit_s: float, now: float) -> list[Problem]:
    """What has not moved for `limit_s` though it should; an input that never had a record is not expected to."""
    quiet = {topic: now - stills[f"input:{topic}"].since for topic, end in flow.ends.items() if end}
    found = [_quiet(topic, seconds) for topic, seconds in quiet.items() if seconds >= limit_s]
    for stage, places in flow.stages.items():
        waits = {each: now - stills[f"stage:{stage}:{each}"].since for each, (_, lag) in places.items() if lag}
        if stuck := {each: seconds for each, seconds in waits.items() if seconds >= limit_s}:
            found.append(_stuck(stage, stuck, sum(places[each][1] for each in stuck)))
    return found


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


def _stuck(stage: str, stuck: Mapping[str, float], lag: int) -> Problem:
    named = sorted(stuck)
    where = ", ".join(named[:_SHOWN]) + (f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else "")
    return Problem(
        key=f"stale:{stage}",
        title=(
            f"{stage} has made no progress for {duration(max(stuck.values()))},"
            f" with {lag:,} records before it in {where}"
        ),
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
    topics = dict.fromkeys([*inputs, *(topic for stage in on for topic in stage.reads)])
    begins = admin.begin_offsets(scene.settings, topics, timeout_s=scene.timeout(TIMEOUT_S))
    # Commits before ends: a later end can only be higher.
    committed = {
        stage.name: admin.committed_offsets(scene.settings, stage, timeout_s=scene.timeout(TIMEOUT_S)) for stage in on
    }
    ends = admin.end_offsets(scene.settings, topics, timeout_s=scene.timeout(TIMEOUT_S))
    sums = {topic: sum(end for (name, _), end in ends.items() if name is topic) for topic in inputs}
    return Flow(sums, {stage.name: _places(stage, begins, committed[stage.name], ends) for stage in on})


def _places(stage: Stage, begins: Offsets, committed: Offsets, ends: Offsets) -> Places:
    """Without a commit a stage stands where the log begins, which is 0 no longer once retention has cut it."""
    at = {place: committed.get(place, begins.get(place, 0)) for place in ends if place[0] in stage.reads}
    return {f"{topic}/{number}": (here, max(0, ends[topic, number] - here)) for (topic, number), here in at.items()}
