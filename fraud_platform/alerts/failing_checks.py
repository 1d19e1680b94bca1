"""Asset checks whose last evaluation failed."""

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg
from dagster import DagsterInstance
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus as Status

from fraud_platform.alerts.problem import Problem, Severity, Sight
from fraud_platform.alerts.sensor import Scene
from fraud_platform.topology import TOPICS

WITH_SENSOR = frozenset({"readers_keep_up", "dead_letters_are_few"})
"""Checks of what a sensor of its own looks at each minute: nobody is to be told twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """One failing check; `description` is the check's own sentence about what to do."""

    asset: str
    check: str
    is_warning: bool
    description: str


def judge(failed: Sequence[Failed]) -> list[Problem]:
    """One problem per failing check."""
    return [
        Problem(
            key=_key(each.asset, each.check),
            title=f"The check {each.check} of {each.asset} fails",
            text=each.description or "Its page in Dagster says more.",
            severity=Severity.WARNING if each.is_warning else Severity.ERROR,
        )
        for each in failed
    ]


def _key(asset: str, check: str) -> str:
    return f"check:{asset}:{check}"


def has_sensor(key: dg.AssetCheckKey) -> bool:
    """Whether another sensor tells what this check would."""
    inputs = {topic.value for topic, spec in TOPICS.items() if spec.external}
    is_of_input = key.name == "events_are_recent" and key.asset_key.path[-1] in inputs
    return key.name in WITH_SENSOR or is_of_input


def look(scene: Scene) -> Sight:
    """The newest evaluation of every check that is told here; one under way keeps what was said of it."""
    failed, running = evaluations(scene.instance, [key for key in scene.checks if not has_sensor(key)])
    return Sight(problems=judge(failed), unsure=running)


def evaluations(instance: DagsterInstance, keys: Sequence[dg.AssetCheckKey]) -> tuple[list[Failed], list[str]]:
    """The checks that failed last, and the problem keys of those whose result is still to come."""
    if not keys:
        return [], []
    found = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    failed: list[Failed] = []
    running: list[str] = []
    for key, record in sorted(found.items()):
        asset = key.asset_key.to_user_string()
        if record.status is Status.PLANNED:
            running.append(_key(asset, key.name))
        elif record.status is Status.FAILED and record.evaluation is not None:
            is_warning = record.evaluation.severity is dg.AssetCheckSeverity.WARN
            description = record.evaluation.description or ""
            failed.append(Failed(asset=asset, check=key.name, is_warning=is_warning, description=description))
    return failed, running
