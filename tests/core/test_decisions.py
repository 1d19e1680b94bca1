import json
from decimal import Decimal
from importlib.resources import files
from itertools import permutations
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud_platform.core.decisions import (
    Action,
    Decision,
    Hit,
    NotEvaluable,
    canonical,
    external_decision,
    gravest,
)


def schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(files("fraud_platform.schemas").joinpath("decision.avsc").read_text())
    return loaded


def field_type(record: dict[str, Any], name: str) -> Any:
    return next(field["type"] for field in record["fields"] if field["name"] == name)


def field_names(record: dict[str, Any]) -> list[str]:
    return [field["name"] for field in record["fields"]]


def test_a_decision_has_the_fields_of_its_schema_but_for_stage_and_time() -> None:
    kept_elsewhere = {"stage", "decided_at"}
    assert list(Decision.__struct_fields__) == [n for n in field_names(schema()) if n not in kept_elsewhere]


@pytest.mark.parametrize(("field", "struct"), [("hits", Hit), ("not_evaluable", NotEvaluable)])
def test_the_parts_of_a_decision_have_the_fields_of_the_schema(field: str, struct: type[msgspec.Struct]) -> None:
    assert set(struct.__struct_fields__) == set(field_names(field_type(schema(), field)["items"]))


def test_the_actions_are_those_of_the_schema() -> None:
    assert [action.value for action in Action] == field_type(schema(), "action")["symbols"]


def test_nothing_found_is_allowed() -> None:
    assert gravest([]) is Action.ALLOW
    assert not Decision(transaction_id="t-1", action=Action.ALLOW, rule_set_version="v1").is_fraudulent


@pytest.mark.parametrize("found", list(permutations([Action.REVIEW, Action.BLOCK, Action.ALLOW])))
def test_block_outranks_review_outranks_allow_in_any_order(found: tuple[Action, ...]) -> None:
    assert gravest(found) is Action.BLOCK
    assert gravest(action for action in found if action is not Action.BLOCK) is Action.REVIEW


def test_review_alone_is_fraudulent() -> None:
    assert Decision(transaction_id="t-1", action=Action.REVIEW, rule_set_version="v1").is_fraudulent


def test_a_foreign_yes_is_a_review_with_its_reason() -> None:
    decision = external_decision("t-1", is_fraudulent=True)
    assert (decision.action, decision.rule_set_version) == (Action.REVIEW, "external")
    assert [kept.rule_id for kept in decision.hits] == ["external"]


def test_a_foreign_no_is_allowed_without_hits() -> None:
    decision = external_decision("t-1", is_fraudulent=False)
    assert (decision.action, decision.hits, decision.rule_set_version) == (Action.ALLOW, (), "external")


@pytest.mark.parametrize(
    ("number", "spelled"),
    [
        ("10000", "10000"),
        ("1E+4", "10000"),
        ("12000.50", "12000.5"),
        ("0.000000001", "0.000000001"),
        ("0.00", "0"),
        ("-0", "0"),
        ("0E+999999", "0"),
        ("100", "100"),
        ("-12.30", "-12.3"),
        ("99999999999999999999999999999.999999999", "99999999999999999999999999999.999999999"),
    ],
)
def test_a_number_has_one_spelling(number: str, spelled: str) -> None:
    assert canonical(Decimal(number)) == spelled


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**28), max_value=10**28, places=9))
def test_the_spelling_keeps_the_number_exactly(number: Decimal) -> None:
    spelled = canonical(number)
    assert Decimal(spelled) == number
    assert canonical(Decimal(spelled)) == spelled
    assert "E" not in spelled
