import json
from typing import Any

import msgspec
import pytest

from fraud_platform.core.outcome import Rejected
from fraud_platform.core.rules import default_rule_set
from fraud_platform.core.watch_list import DEMO_MULE_ACCOUNTS
from fraud_platform.validator_api.judging import judge_batch, judge_one
from fraud_platform.validator_api.wire import BatchReply
from tests.validator_api.builders import question

RULES = default_rule_set()
MULE = json.dumps({"bank_account": DEMO_MULE_ACCOUNTS[0], "name": "Mo Mule"})


def told(body: object) -> dict[str, Any]:
    reply: dict[str, Any] = json.loads(msgspec.json.encode(judge_one(json.dumps(body).encode(), RULES)))
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
        ({"receiver_details": MULE}, "BLOCK", ["LISTED"]),
        ({"amount": 10000, "receiver_details": MULE}, "BLOCK", ["HIGH_TRANSACTION_AMOUNT", "LISTED"]),
    ],
)
def test_a_transfer_is_judged_with_its_reasons(changes: dict[str, Any], action: str, criteria: list[str]) -> None:
    reply = told(question(**changes))
    assert reply["action"] == action
    assert reply["is_fraudulent_transaction"] is (action != "ALLOW")
    assert [hit["criterion"] for hit in reply["hits"]] == criteria


def test_a_reply_repeats_no_account_and_no_name() -> None:
    text = json.dumps(told(question(receiver_details=MULE)))
    assert DEMO_MULE_ACCOUNTS[0] not in text
    assert "Mo Mule" not in text


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
