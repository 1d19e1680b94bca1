"""A stored decision beside the one that the same record gets in the replay."""

from collections.abc import Mapping
from typing import Any

from fraud_platform.core.decisions import Action, Decision, Hit, NotEvaluable
from fraud_platform.rules.criterion import PARTIAL

_ACTIONS: Mapping[str, Action] = {action.value: action for action in Action}


def decision_of(row: Mapping[str, Any]) -> Decision:
    """What a decoded value of `schemas/decision.avsc` says; of whom is left out, as many say the same."""
    return Decision(
        transaction_id="",
        action=_ACTIONS[row["action"]],
        hits=tuple([Hit(**{**hit, "action": _ACTIONS[hit["action"]]}) for hit in row["hits"]]),
        rule_set_version=row["rule_set_version"],
        not_evaluable=tuple([NotEvaluable(**each) for each in row["not_evaluable"]]),
    )


def is_same(before: Decision, now: Decision) -> bool:
    """Whether they say the same: action, each hit with what it saw, each rule not evaluable and why.

    Written with the same id, stage, time and version they are then the same bytes.
    """
    return before.action is now.action and before.hits == now.hits and before.not_evaluable == now.not_evaluable


def has_same_outcome(before: Decision, now: Decision) -> bool:
    """Whether action and the rules that hit are the same, whatever is said about them."""
    return before.action is now.action and [each.rule_id for each in before.hits] == [each.rule_id for each in now.hits]


def is_by_history(before: Decision, now: Decision) -> bool:
    """Whether they differ in no more than rules that one of both had too little history for."""
    excused = _partial(before) | _partial(now)
    return bool(excused) and _without(before, excused) == _without(now, excused)


def _partial(decision: Decision) -> set[str]:
    open_rules = {each.rule_id for each in decision.not_evaluable if each.reason == PARTIAL.reason}
    return open_rules | {hit.rule_id for hit in decision.hits if hit.late}


def _without(decision: Decision, rules: set[str]) -> tuple[list[Hit], list[NotEvaluable]]:
    hits = [hit for hit in decision.hits if hit.rule_id not in rules]
    return hits, [each for each in decision.not_evaluable if each.rule_id not in rules]
