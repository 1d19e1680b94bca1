"""Stages that fall behind, or whose place in a topic is gone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fraud_platform.alerts.problem import Problem, Sight
from fraud_platform.alerts.sensor import Scene
from fraud_platform.topology import STAGES

HOLD_S = 120.0
TIMEOUT_S = 3.0
"""The keepers wait for the same few threads of Dagster's daemon."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """Offsets between a stage and the end of its input; `lost` = partitions whose place is gone, `topic/number`."""

    lag: int
    lost: Sequence[str] = ()


def judge(backlogs: Mapping[str, Backlog], *, limit: int) -> list[Problem]:
    """The stages that are more than `limit` behind, and those that must wait for a person."""
    late = [_late(stage, each.lag, limit) for stage, each in backlogs.items() if each.lag > limit]
    return late + [_lost(stage, each.lost) for stage, each in backlogs.items() if each.lost]


def _late(stage: str, lag: int, limit: int) -> Problem:
    return Problem(
        key=f"lag:{stage}",
        title=f"{stage} is {lag:,} records behind its input",
        text=(
            f"More than {limit:,} (FRAUD_ALERT_LAG). Nothing is lost while the topics keep the records."
            f" `fraud-platform status` shows its rate; more slots for it come with FRAUD_REPLICAS={stage}=N."
        ),
        hold_s=HOLD_S,
    )


def _lost(stage: str, partitions: Sequence[str]) -> Problem:
    return Problem(
        key=f"lost:{stage}",
        title=f"{stage} waits: its place is no longer in {', '.join(partitions)}",
        text="It never goes on by itself; docs/operations.md tells under `A stage pauses` how it does.",
    )


def look(scene: Scene) -> Sight:
    """Where each group stands.

    Raises:
        BrokerUnavailable: Kafka does not answer.
    """
    from fraud_platform.adapters import admin

    found = {
        stage.name: admin.standing(scene.settings, stage, timeout_s=scene.timeout(TIMEOUT_S))
        for stage in STAGES.values()
        if stage.consumes
    }
    backlogs = {
        name: Backlog(sum(each.lag.values()), [f"{topic}/{number}" for topic, number in each.lost])
        for name, each in found.items()
    }
    return Sight(problems=judge(backlogs, limit=scene.settings.alert_lag))
