import json
from typing import Any

import msgspec
import pytest

from fraud_platform.core.outcome import Rejected
from fraud_platform.rules.engine import Engine
from fraud_platform.validator_api.judging import judge_batch, judge_one
from fraud_platform.validator_api.wire import BatchReply
from tests.validator_api.builders import question
from tests.validator_api.rule_sets import DEFAULT, LARGE_AND_LISTED, MULE, compiled

RULES = compiled(LARGE_AND_LISTED)
TO_MULE = json.dumps({"bank_account": MULE, "name": "Mo Mule"})


def told(body: object, rules: Engine = RULES) -> dict[str, Any]:
    reply: dict[str, Any] = json.loads(msgspec.json.encode(judge_one(json.dumps(body).encode(), rules)))
    return reply


def batch(*items: object) -> list[dict[str, Any]]:
    reply = judge_batch(json.dumps(items).encode(), RULES)
    assert isinstance(reply, BatchReply)
    results: list[dict[str, Any]] = json.loads(msgspec.json.encode(reply))["results"]
    return results


def test_a_reply_has_exactly_the_fields_of_the_contract() -> None:
    assert list(told(question())) == [
        "transaction_id", "is_fraudulent_transaction", "action", "hits", "rule_set_version", "not_evaluable",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "action", "criteria"),
    [
        ({}, "ALLOW", []),
        ({"amount": "9999.99"}, "ALLOW", []),
        ({"amount": 10000}, "REVIEW", ["HIGH_TRANSACTION_AMOUNT"]),
        ({"receiver_details": TO_MULE}, "BLOCK", ["LISTED"]),
        ({"receiver_details": "{}", "receiver_bank_account": MULE}, "BLOCK", ["LISTED"]),
        ({"amount": 10000, "receiver_details": TO_MULE}, "BLOCK", ["HIGH_TRANSACTION_AMOUNT", "LISTED"]),
    ],
)
def test_a_transfer_is_judged_with_its_reasons(changes: dict[str, Any], action: str, criteria: list[str]) -> None:
    reply = told(question(**changes))
    assert reply["action"] == action
    assert reply["is_fraudulent_transaction"] is (action != "ALLOW")
    assert [hit["criterion"] for hit in reply["hits"]] == criteria


def test_a_hit_says_what_it_saw_and_what_its_limit_was() -> None:
    (hit,) = told(question(amount="10000.50"))["hits"]
    assert hit == {
        "rule_id": "large", "criterion": "HIGH_TRANSACTION_AMOUNT", "observed": "10000.5", "limit": "10000",
        "window": None, "contributing_count": 1, "late": False, "action": "REVIEW",
    }  # fmt: skip


def test_the_default_rules_leave_open_what_a_single_transfer_cannot_answer() -> None:
    reply = told(question(), DEFAULT)
    assert (reply["action"], reply["rule_set_version"]) == ("ALLOW", DEFAULT.rule_set.version)
    assert {each["rule_id"]: each["reason"] for each in reply["not_evaluable"]} == {
        "small-interval": "the account's history is not kept here",
        "specific-sector": "the transaction has no sector",
    }


def test_no_rule_that_is_there_repeats_an_account_or_a_name() -> None:
    everything = compiled(
        f"lists: {{l: {{accounts: [{MULE}, ACC-1], names: [Mo Mule]}}}}\nrules:\n"
        "- {id: a, criterion: LISTED, action: BLOCK, parameters: {list: l, fields: [account]}}\n"
        "- {id: b, criterion: LISTED, action: BLOCK, parameters: {list: l, fields: [counterparty_account]}}\n"
        "- {id: c, criterion: LISTED, action: BLOCK, parameters: {list: l, fields: [counterparty_name]}}\n"
        "- {id: d, criterion: HIGH_TRANSACTION_AMOUNT, action: REVIEW, parameters: {at_least: 0, side: WITHDRAWAL}}\n"
    )
    reply = told(question(receiver_details=TO_MULE), everything)
    assert [hit["rule_id"] for hit in reply["hits"]] == ["a", "b", "c", "d"]
    text = json.dumps(reply)
    assert not [word for word in (MULE, "Mo Mule", "ACC-1", "First Bank") if word.lower() in text.lower()]


def test_asking_again_gives_the_same_bytes() -> None:
    raw = json.dumps(question(amount=20000)).encode()
    assert msgspec.json.encode(judge_one(raw, RULES)) == msgspec.json.encode(judge_one(raw, RULES))


def test_a_batch_answers_in_order() -> None:
    results = batch(*(question(f"t-{number}") for number in range(1000)))
    assert [result["transaction_id"] for result in results] == [f"t-{number}" for number in range(1000)]


def test_a_bad_item_is_answered_in_its_place_and_its_neighbours_are_judged() -> None:
    results = batch(question("t-1"), question("t-2", amount=-1), question("t-3", amount=10000))
    assert [result.get("action") for result in results] == ["ALLOW", None, "REVIEW"]
    assert results[1] == {
        "transaction_id": "t-2",
        "error": {"type": "invalid-amount", "reason": "`$.amount` is negative"},
    }


@pytest.mark.parametrize("item", [3, None, [], {}, {"transaction_id": 5}])
def test_an_item_without_a_readable_id_gets_null(item: object) -> None:
    assert batch(item)[0]["transaction_id"] is None


def test_an_item_is_as_limited_in_a_batch_as_alone() -> None:
    (result,) = batch(question(extra="x" * 70_000))
    assert result["error"]["type"] == "too-large"


def test_bad_utf8_and_deep_nesting_spoil_their_own_item_only() -> None:
    good = json.dumps(question("good")).encode()
    bad_text = good.replace(b"First Bank", b"\xff")
    deep = b'{"transaction_id": "deep", "x": ' + b"[" * 500 + b"]" * 500 + b"}"
    reply = judge_batch(b"[" + b",".join([bad_text, deep, good]) + b"]", RULES)
    results = json.loads(msgspec.json.encode(reply))["results"]
    assert [result.get("action") for result in results] == [None, None, "ALLOW"]


def test_an_empty_batch_has_no_results() -> None:
    assert batch() == []


@pytest.mark.parametrize(
    ("body", "error_type"),
    [
        (b"{}", "schema"),
        (b"", "invalid-json"),
        (b"[1", "invalid-json"),
        (b"[" * 200_000 + b"]" * 200_000, "invalid-json"),
        (b"[" + b",".join([b"1"] * 1001) + b"]", "too-large"),
    ],
)
def test_a_body_that_is_no_batch_is_rejected_whole(body: bytes, error_type: str) -> None:
    rejected = judge_batch(body, RULES)
    assert isinstance(rejected, Rejected)
    assert rejected.error_type == error_type
