"""Problems, messages and scenes, one keyword away from the case at hand."""

import time
from pathlib import Path
from typing import Any

from dagster import DagsterInstance

from fraud_platform.alerts.book import Kind, Message
from fraud_platform.alerts.problem import Problem, Severity, Sight
from fraud_platform.alerts.sensor import Scene
from fraud_platform.settings import Settings

T0 = 1_767_268_800.0  # 2026-01-01T12:00:00Z


def problem(key: str = "lag:lake", **changes: Any) -> Problem:
    return Problem(**{"key": key, "title": f"{key} is wrong", "text": "Look at `fraud-platform status`."} | changes)


def message(kind: Kind = Kind.RAISED, **changes: Any) -> Message:
    usual = {
        "kind": kind,
        "key": "lag:lake",
        "severity": Severity.ERROR,
        "title": "lake is 120,000 records behind",
        "text": "Look at `fraud-platform status`.",
        "since": T0 - 300,
        "at": T0,
    }
    return Message(**usual | changes)


def settings(tmp_path: Path, **environment: str) -> Settings:
    return Settings.from_environment({"FRAUD_DATA_DIR": str(tmp_path), **environment}, embedded={})


def scene(instance: DagsterInstance, tmp_path: Path, **changes: Any) -> Scene:
    usual = {"settings": settings(tmp_path), "instance": instance, "now": time.time()}
    return Scene(**usual | changes)


def found(sight: Sight) -> list[str]:
    return sorted(each.key for each in sight.problems)
