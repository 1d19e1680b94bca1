"""The doctor's question to those who judge, by a table."""

from datetime import UTC, datetime, timedelta

import pytest

from fraud_platform.commands.active_rules import ActiveRules
from fraud_platform.commands.finding import Level
from fraud_platform.commands.rules_in_force import rules_in_force
from fraud_platform.commands.status import Report, StageRow

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def report(minutes: float = 10, *, filling: tuple[str, ...] = (), is_known: bool = True) -> Report:
    since = NOW - timedelta(minutes=minutes)
    active = ActiveRules(version="new", number=2, how="published", since=since, by="ada")
    stage = StageRow(name="monitoring", slots_wanted=1, makes_ready=dict.fromkeys(filling, "new (35 %)"))
    return Report(services=[], stages=[stage], dead_letters=None, rules=active if is_known else None)


@pytest.mark.parametrize(
    ("given", "judges", "level"),
    [
        (report(), {"the validator": "new", "monitoring.0": "new"}, Level.OK),
        (report(), {"the validator": "new", "monitoring.0": "old"}, Level.PROBLEM),
        (report(filling=("monitoring.0",)), {"the validator": "new", "monitoring.0": "old"}, Level.OK),
        (report(minutes=0.5), {"the validator": "old"}, Level.OK),
        (report(), {}, None),
        (report(is_known=False), {"the validator": "old"}, None),
    ],
)
def test_who_does_not_use_the_active_set_is_found(given: Report, judges: dict[str, str], level: Level | None) -> None:
    assert [each.level for each in rules_in_force(given, judges, NOW)] == ([] if level is None else [level])


def test_it_names_who_and_by_what_and_the_way_out() -> None:
    (found,) = rules_in_force(report(), {"the validator": "old", "monitoring.0": "new"}, NOW)
    assert "not used by the validator (by old): who cannot" in found.says
    assert "rules rollback" in found.mend
