"""Which records are the transaction's, and what of them may be told."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from fraud_platform.core.outcome import Rejected
from fraud_platform.topology import Topic
from fraud_platform.trace.recognize import Found, Recognizer
from fraud_platform.trace.seen import Seen
from tests.builders import line, raw

DECISION = {"transaction_id": "t-1", "stage": "validation", "action": "ALLOW", "hits": [], "rule_set_version": "v1"}


def decode(value: bytes | None) -> Mapping[str, Any] | Rejected:
    """JSON in place of Avro."""
    try:
        found: Mapping[str, Any] = json.loads(value or b"")
    except ValueError:
        return Rejected("not-avro", "it is none")
    return found


def look(where: Topic, value: bytes | None, /, transaction_id: str = "t-1", **headers: str) -> Seen | None:
    recognize = Recognizer(transaction_id, decode, lambda _: 3)
    return recognize(Found(where, 3, 7, 1000, value, headers))


def facts(where: Topic, value: bytes | None, /, **given: Any) -> Mapping[str, Any]:
    seen = look(where, value, **given)
    assert seen is not None
    assert (seen.place, seen.at_ms) == ((where, 3, 7), 1000)
    return seen.facts


def test_a_transfer_is_known_by_its_id_and_tells_the_bank_s_own_word() -> None:
    assert facts(Topic.BANK_TRANSACTIONS, raw("t-1", evaluation="legitimate")) == {"evaluation": "legitimate"}
    assert look(Topic.BANK_TRANSACTIONS, raw("t-10")) is None
    assert look(Topic.BANK_TRANSACTIONS, raw("t-2", status="t-1")) is None


def test_a_word_that_could_be_somebody_s_is_not_told() -> None:
    assert facts(Topic.BANK_TRANSACTIONS, raw("t-1", evaluation="900-12-3456")) == {"evaluation": "other"}


def test_ids_are_numbers_too_and_may_be_spelled_with_escapes() -> None:
    assert facts(Topic.BANK_TRANSACTIONS, raw(17), transaction_id="17")
    escaped = raw("t-1").replace(b'"t-1"', b'"t\\u002d1"')
    assert facts(Topic.BANK_TRANSACTIONS, escaped)


def test_an_id_with_blanks_around_it_is_known_as_it_was_given() -> None:
    assert look(Topic.BANK_TRANSACTIONS, raw(" t-1 "), transaction_id=" t-1 ") is not None
    assert look(Topic.STATEMENTS, json.dumps(line(" s-1 ")).encode(), transaction_id="s-1") is not None


def test_broken_bytes_are_known_by_the_word_that_stands_in_them() -> None:
    assert facts(Topic.BANK_TRANSACTIONS, raw("t-1")[:60]) == {}
    assert look(Topic.BANK_TRANSACTIONS, raw("t-10")[:60]) is None
    assert look(Topic.BANK_TRANSACTIONS, None) is None


def test_a_statement_line_says_whether_it_lies_where_its_account_belongs() -> None:
    value = json.dumps(line("s-1")).encode()
    assert facts(Topic.STATEMENTS, value, transaction_id="s-1") == {"is_home": True}
    elsewhere = Recognizer("s-1", decode, lambda _: 0)(Found(Topic.STATEMENTS, 3, 7, 1000, value))
    assert elsewhere is not None
    assert elsewhere.facts == {"is_home": False}


def test_rows_of_ours_tell_who_wrote_them_and_nothing_of_a_person() -> None:
    row = {"TRANSACTION_ID": "t-1", "SENDER_BANK_ACCOUNT": "ACC-1", "SOURCE_PROCESS": "projection"}
    assert facts(Topic.RESULT, json.dumps(row).encode()) == {"source": "projection"}
    transfer = {"transaction_id": "t-1", "sender_details": {"name": "Ada"}}
    assert facts(Topic.UNIDENTIFIED, json.dumps(transfer).encode()) == {}
    monitored = {"transactionId": "t-1", "accountNumber": "1", "monitorAction": "BLOCK"}
    assert facts(Topic.MONITORED, json.dumps(monitored).encode()) == {"action": "BLOCK"}
    assert look(Topic.RESULT, b'{"TRANSACTION_ID": "t-2", "STATUS": "t-1"}') is None
    assert look(Topic.RESULT, b"t-1, but no row") is None


def test_a_decision_is_told_whole() -> None:
    assert facts(Topic.DECISIONS, json.dumps(DECISION).encode()) == {
        name: value for name, value in DECISION.items() if name != "transaction_id"
    }


@pytest.mark.parametrize("topic", ["bank-transactions", "my.bank-transactions"])
def test_a_dead_letter_names_the_record_that_it_stands_for_and_why(topic: str) -> None:
    headers = {
        "stage": "ingestion", "topic": topic, "partition": "2", "offset": "145", "error_type": "invalid-amount",
        "reason": "`$.amount` is negative",
    }  # fmt: skip
    assert facts(Topic.DEAD_LETTERS, raw("t-1", amount=-1), **headers) == {
        "stage": "ingestion", "topic": Topic.BANK_TRANSACTIONS, "partition": 2, "offset": 145,
        "why": "invalid-amount: `$.amount` is negative",
    }  # fmt: skip


def test_a_dead_letter_of_a_row_is_known_by_the_row_s_id() -> None:
    where = {"stage": "lake", "topic": "decisions"}
    assert look(Topic.DEAD_LETTERS, json.dumps(DECISION).encode(), **where) is not None
    assert look(Topic.DEAD_LETTERS, json.dumps({**DECISION, "transaction_id": "t-2"}).encode(), **where) is None
    assert look(Topic.DEAD_LETTERS, b"broken t-1 row", **where) is not None


def test_a_foreign_dead_letter_without_headers_is_told_as_it_is() -> None:
    found = facts(Topic.DEAD_LETTERS, b"t-1")
    assert (found["stage"], found["topic"], found["why"]) == ("unknown", None, "unknown: unknown")
