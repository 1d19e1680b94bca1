"""The doctor's question to those who judge: does each of them use the rule set that is active?"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from fraud_platform.commands.finding import Finding, ok, problem
from fraud_platform.commands.status import Report

PATIENCE = timedelta(seconds=60)
"""After a publication: six times what a switch takes at most."""


def rules_in_force(report: Report, judges: Mapping[str, str], now: datetime) -> list[Finding]:
    """Nothing where no set is known or nobody can be asked; who fills windows for the active set is on the way.

    `judges`: the version by which each judges, by their names.
    """
    active = report.rules
    if active is None or not judges:
        return []
    filling = {slot for stage in report.stages for slot in stage.makes_ready}
    late = {name: version for name, version in judges.items() if version != active.version and name not in filling}
    if not late or now - active.since < PATIENCE:
        return [ok("Rules", f"{active.version} is active, and {len(judges) - len(late)} of {len(judges)} judge by it")]
    names = ", ".join(f"{name} (by {version})" for name, version in late.items())
    return [
        problem(
            "Rules",
            f"{active.version} is active since {active.since:%Y-%m-%d %H:%M:%S} UTC, and not used by {names}: who"
            " cannot use a set keeps the one before and says why in its log.",
            "`fraud-platform logs validator`, or monitoring's run in Dagster; `fraud-platform rules rollback` takes it"
            " back.",
        )
    ]
