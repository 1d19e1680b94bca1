"""Problems and messages, one keyword away from the case at hand."""

from typing import Any

from fraud_platform.alerts.book import Kind, Message
from fraud_platform.alerts.problem import Problem, Severity

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
