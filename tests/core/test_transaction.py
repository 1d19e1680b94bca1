import io
import json
from decimal import Decimal
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud_platform.adapters.registry import load_schema
from fraud_platform.core.outcome import Rejected
from fraud_platform.core.transaction import Transaction, parse_transaction, to_avro
from fraud_platform.topology import MAX_VALUE_BYTES
from tests.builders import party, raw, transfer

CANARY = "canary-4711"
SCHEMA = fastavro.parse_schema(load_schema("transaction"))
REQUIRED = (
    "transaction_id", "sender_bank_account", "sender_details", "receiver_bank_account", "receiver_details", "amount",
    "evaluation", "transfer_date",
)  # fmt: skip


def parsed(value: bytes) -> Transaction:
    transaction = parse_transaction(value)
    assert isinstance(transaction, Transaction), transaction
    return transaction


def rejected(value: bytes | None) -> Rejected:
    fault = parse_transaction(value)
    assert isinstance(fault, Rejected), fault
    return fault


def avro(value: bytes) -> dict[str, Any]:
    """The value after a round trip through its schema."""
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, SCHEMA, to_avro(parsed(value), sender_ssn="tok_s", receiver_ssn=None))
    decoded = fastavro.schemaless_reader(io.BytesIO(buffer.getvalue()), SCHEMA, None)
    assert isinstance(decoded, dict)
    return decoded


def with_amount(text: str) -> bytes:
    """The amount as its sender wrote it, which no Python float could carry."""
    return raw(amount="AMOUNT").replace(b'"AMOUNT"', text.encode())


def test_a_whole_transfer_survives_the_schema() -> None:
    expected = transfer() | {"amount": Decimal("12.5")}
    expected["sender_details"] |= {"ssn": "tok_s"}
    expected["receiver_details"] |= {"ssn": None}
    assert avro(raw()) == expected


@pytest.mark.parametrize("text", ["0.1", '"0.1"', "1e-1", '"0.100000000"'])
def test_money_is_exact_however_it_is_written(text: str) -> None:
    assert avro(with_amount(text))["amount"] == Decimal("0.1")


@pytest.mark.parametrize("text", ["0", "12", "-0", "0.50", "1e2", "1E+2", "1.5e-3", "12345678901234567890"])
def test_an_amount_may_be_text_that_is_written_as_a_json_number(text: str) -> None:
    assert parsed(with_amount(f'"{text}"')).amount == parsed(with_amount(text)).amount == Decimal(text)


OTHER_SPELLINGS = (
    "1_000",
    "1_0.5",
    " 12",
    "12 ",
    "12\\n",
    "+5",
    ".5",
    "5.",
    "007",
    "\uff11\uff12",
    "\\u0661",
    "1\\u005f0",
)


@pytest.mark.parametrize("text", OTHER_SPELLINGS)
def test_an_amount_in_any_other_spelling_is_refused_whatever_python_would_read_in_it(text: str) -> None:
    fault = rejected(with_amount(f'"{text}"'))
    assert fault == Rejected("invalid-amount", "`$.amount` is text that is not written as a JSON number")


@pytest.mark.parametrize(
    "key", [b'"amount" :', b'"amount"\n:\t', b'"\\u0061mount":'], ids=["spaced", "lines", "escaped"]
)
def test_the_spelling_counts_however_the_key_is_written(key: bytes) -> None:
    value = with_amount('"1_000"').replace(b'"amount":', key, 1)
    assert value != with_amount('"1_000"')
    assert rejected(value).error_type == "invalid-amount"


def test_integers_are_good_ids() -> None:
    value = avro(raw(transaction_id=7, sender_bank_account=8, receiver_details=party("u", id=9, bank_account=10)))
    assert (value["transaction_id"], value["sender_bank_account"]) == ("7", "8")
    assert (value["receiver_details"]["id"], value["receiver_details"]["bank_account"]) == ("9", "10")


@pytest.mark.parametrize(("website", "stored"), [("a", ["a"]), (["a", "b"], ["a", "b"]), (None, None), ([], [])])
def test_websites_are_a_list_from_here_on(website: Any, stored: list[str] | None) -> None:
    assert avro(raw(sender_details=party("u", website=website)))["sender_details"]["website"] == stored


def test_unknown_fields_are_ignored() -> None:
    assert parsed(raw(note={"deep": [1]})) == parsed(raw())


def test_only_the_id_of_a_party_is_required() -> None:
    value = avro(raw(sender_details={"id": "u"}, receiver_details={"id": "v"}, status=None, sender_bank=None))
    assert set(value["receiver_details"].values()) == {"v", None}


@pytest.mark.parametrize("date", ["2026-01-01", "2026-01-01T12:00:00Z", "2026-01-01 12:00:00.123+05:30", "20260101"])
def test_dates_stay_as_received(date: str) -> None:
    assert avro(raw(transfer_date=date))["transfer_date"] == date


@pytest.mark.parametrize("field", REQUIRED)
def test_a_missing_or_null_field_is_named(field: str) -> None:
    without = {name: value for name, value in transfer().items() if name != field}
    for value in (without, without | {field: None}):
        fault = rejected(json.dumps(value).encode())
        assert fault.error_type == "schema"
        assert field in fault.reason


FAULTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "id of a wrong type": ({"transaction_id": [CANARY]}, "schema", "$.transaction_id"),
    "empty id": ({"transaction_id": ""}, "schema", "`$.transaction_id` is empty"),
    "empty account": ({"sender_bank_account": ""}, "schema", "`$.sender_bank_account` is empty"),
    "party of a wrong type": ({"sender_details": CANARY}, "schema", "$.sender_details"),
    "empty party id": ({"receiver_details": party("")}, "schema", "`$.receiver_details.id` is empty"),
    "bad receiver": ({"receiver_details": party("u", ssn=[CANARY])}, "schema", "$.receiver_details.ssn"),
    "text as amount": ({"amount": CANARY}, "schema", "$.amount"),
    "truth as amount": ({"amount": True}, "schema", "$.amount"),
    "negative": ({"amount": "-4711.4711"}, "invalid-amount", "is negative"),
    "too fine": ({"amount": "0.47114711471"}, "invalid-amount", "9 fraction digits"),
    "too large": ({"amount": "4711E+400000"}, "invalid-amount", "29 digits"),
    "not a number": ({"amount": "NaN"}, "invalid-amount", "finite"),
    "bad date": ({"transfer_date": CANARY}, "invalid-date", "`$.transfer_date` is not ISO 8601"),
    "bad birthdate": (
        {"sender_details": party("u", birthdate=CANARY)},
        "invalid-date",
        "`$.sender_details.birthdate` is not ISO 8601",
    ),
    "verdict of a wrong type": ({"evaluation": 4711}, "schema", "$.evaluation"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named_and_the_value_is_not_told(name: str) -> None:
    changes, error_type, said = FAULTS[name]
    fault = rejected(raw(**changes))
    assert fault.error_type == error_type
    assert said in fault.reason
    assert "4711" not in fault.reason


def test_a_record_is_checked_whole_before_its_verdict_counts() -> None:
    assert rejected(raw(evaluation="legitimate", receiver_details=party(""))).error_type == "schema"


@pytest.mark.parametrize(
    ("value", "error_type"),
    [
        (None, "tombstone"),
        (b"", "invalid-json"),
        (b"{", "invalid-json"),
        (b'{"transaction_id": "' + CANARY.encode() + b'"', "invalid-json"),
        (b"[]", "schema"),
        (b"4711", "schema"),
        (b"\xff" + CANARY.encode(), "invalid-utf8"),
        (b'{"ignored": "\xff"}', "invalid-utf8"),
        (b'{"ignored": ' + b"[" * 100_000, "invalid-json"),
        (b'{"transaction_id": "\\ud800"}', "invalid-json"),
        (raw() + b" " * MAX_VALUE_BYTES, "too-large"),
    ],
    ids=["none", "empty", "open", "half", "list", "number", "bytes", "bytes-inside", "deep", "surrogate", "large"],
)
def test_what_is_no_record_is_rejected(value: bytes | None, error_type: str) -> None:
    fault = rejected(value)
    assert fault.error_type == error_type
    assert "4711" not in fault.reason


def test_a_value_of_exactly_the_limit_is_taken() -> None:
    assert parsed(raw().ljust(MAX_VALUE_BYTES))


@pytest.mark.parametrize("digits", [19, 20, 400, 5_000])
def test_an_endless_number_as_id_is_an_answer_and_no_crash(digits: int) -> None:
    value = raw(transaction_id="ID").replace(b'"ID"', b"1" * digits)
    outcome = parse_transaction(value)
    if isinstance(outcome, Transaction):
        assert avro(value)["transaction_id"] == "1" * digits


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(sorted(transfer())), anything)
def test_any_value_in_any_field_is_stored_or_rejected(field: str, value: Any) -> None:
    text = json.dumps(transfer() | {field: value}).encode()
    if isinstance(parse_transaction(text), Transaction):
        assert avro(text)


@given(st.sampled_from(sorted(party("u"))), anything)
def test_any_value_in_any_field_of_a_party_is_stored_or_rejected(field: str, value: Any) -> None:
    text = raw(receiver_details=party("u") | {field: value})
    if isinstance(parse_transaction(text), Transaction):
        assert avro(text)


@given(st.binary(max_size=200))
def test_any_bytes_get_an_answer(value: bytes) -> None:
    assert isinstance(parse_transaction(value), Rejected)
