"""What lies between two rule sets."""

from typing import Any

from fraud_platform.rules.difference import Change, Difference, ListChange, RuleChange, difference
from fraud_platform.rules.rule_set import RuleSet
from tests.rules.building import rule, rule_set

HIGH = rule("HIGH_TRANSACTION_AMOUNT", "at_least: 10000", id="high")
SECTOR = rule("SPECIFIC_SECTOR", "sectors: [Other]", id="sector")


def between(old: RuleSet, new: RuleSet) -> Difference:
    found = difference(old, new)
    assert (found.before, found.after) == (old.version, new.version)
    return found


def ids(rules: Any) -> list[str]:
    return [each["id"] for each in rules]


def test_equal_sets_have_no_difference() -> None:
    assert not between(rule_set(HIGH, SECTOR), rule_set(SECTOR, HIGH))


def test_rules_come_and_go() -> None:
    found = between(rule_set(HIGH), rule_set(SECTOR))
    assert (ids(found.added), ids(found.removed), found.changed) == (["sector"], ["high"], ())


def test_a_change_names_what_changed_before_and_after() -> None:
    other = rule("HIGH_TRANSACTION_AMOUNT", "at_least: 5000", id="high", action="BLOCK")
    (change,) = between(rule_set(HIGH), rule_set(other)).changed
    assert change == RuleChange(
        "high", (Change("action", "REVIEW", "BLOCK"), Change("parameters.at_least", "10000", "5000"))
    )


def test_another_criterion_under_the_same_id_shows_both_sides_parameters() -> None:
    other = rule("SPECIFIC_SECTOR", "sectors: [Cash]", id="high")
    (change,) = between(rule_set(HIGH), rule_set(other)).changed
    assert {each.name: (each.before, each.after) for each in change.changes} == {
        "criterion": ("HIGH_TRANSACTION_AMOUNT", "SPECIFIC_SECTOR"),
        "parameters.at_least": ("10000", None),
        "parameters.side": ("EITHER", None),
        "parameters.sectors": (None, ["Cash"]),
    }


def test_the_lateness_is_part_of_it() -> None:
    found = between(rule_set(HIGH), rule_set(HIGH, head="lateness: 48h"))
    assert found.lateness is not None
    assert (found.lateness.before, found.lateness.after) != (None, None)
    assert found.changed == found.lists == ()


def test_lists_show_counts_and_never_an_entry() -> None:
    old = (
        "lists: {mules: {accounts: [GB1, GB2, {value: GB3, expires: 2027-01-01}], names: [Ada]}, gone: {names: [Bob]}}"
    )
    new = "lists: {mules: {accounts: [GB2, GB3, GB4], names: [Ada]}}"
    found = between(rule_set(HIGH, head=old), rule_set(HIGH, head=new))
    assert found.lists == (ListChange("gone", 0, 1, 0), ListChange("mules", 1, 1, 1))
    assert "GB" not in repr(found)
