import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from fraud_platform.core.outcome import Rejected
from fraud_platform.core.questions import (
    ERROR_TYPES,
    MAX_QUESTION_BYTES,
    Facts,
    Question,
    as_published,
    encode_question,
    facts_of,
    parse_question,
)
from tests.validator_api.builders import question

CANARY = "canary-4711"


def raw(**changes: Any) -> bytes:
    return json.dumps(question(**changes)).encode()


def with_amount(text: str) -> bytes:
    return raw(amount="AMOUNT").replace(b'"AMOUNT"', text.encode())


def facts(**changes: Any) -> Facts:
    """What a good request comes to."""
    found = parse_question(raw(**changes))
    assert isinstance(found, Facts), found
    return found


def test_a_good_request_gives_the_facts() -> None:
    details = json.dumps({"id": "u-2", "name": "Ada", "bank_account": "ACC-2", "ssn": "tok_1_ab"})
    assert facts(receiver_details=details, amount="12.50", transfer_date="2026-01-31T12:00:00+01:00") == Facts(
        transaction_id="t-1",
        sender_account="ACC-1",
        sender_bank="First Bank",
        receiver_account="ACC-2",
        receiver_name="Ada",
        amount=Decimal("12.50"),
        at=datetime(2026, 1, 31, 11, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T12:00:00", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00:00.123456Z", datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)),
        ("20260131T120000-0530", datetime(2026, 1, 31, 17, 30, tzinfo=UTC)),
        (None, None),
    ],
)
def test_the_date_is_iso_8601_and_without_a_zone_it_is_utc(written: str | None, at: datetime | None) -> None:
    assert facts(transfer_date=written).at == at


@pytest.mark.parametrize("written", ["", "yesterday", "2026-02-30", "31.01.2026", "1769860800", "2026-01-31T25:00"])
def test_a_date_that_is_none_is_rejected(written: str) -> None:
    assert parse_question(raw(transfer_date=written)) == Rejected("invalid-date", "`$.transfer_date` is not ISO 8601")


def test_the_receiver_s_account_is_the_one_that_the_money_goes_to() -> None:
    details = json.dumps({"bank_account": "ACC-2"})
    assert facts(receiver_details=details, receiver_bank_account="ACC-3").receiver_account == "ACC-3"
    assert facts(receiver_details="{}", receiver_bank_account="ACC-3").receiver_account == "ACC-3"
    assert facts(receiver_details=details, receiver_bank_account=None).receiver_account == "ACC-2"


def test_what_is_left_out_is_not_on_the_wire() -> None:
    whole = Question("t-1", "ACC-1", "{}", None, Decimal("1.50"), "ACC-2", "2026-01-31")
    assert parse_question(encode_question(whole)) == facts_of(whole)
    assert json.loads(encode_question(as_published(whole))) == {
        "transaction_id": "t-1", "sender_bank_account": "ACC-1", "receiver_details": "{}", "sender_bank": None,
        "amount": 1.5,
    }  # fmt: skip


@pytest.mark.parametrize("text", ["0.1", '"0.1"', "1e-1", '"1E-1"'])
def test_the_amount_is_exact_as_number_and_as_string(text: str) -> None:
    found = parse_question(with_amount(text))
    assert isinstance(found, Facts)
    assert found.amount == Decimal("0.1")


def test_the_sender_bank_may_be_null_and_unknown_fields_are_ignored() -> None:
    assert facts(sender_bank=None, extra={"$gt": ""}).sender_bank is None


def test_a_receiver_without_account_and_name_is_no_fault() -> None:
    found = facts(receiver_details="{}")
    assert (found.receiver_account, found.receiver_name) == (None, None)


def test_a_numeric_account_is_taken_as_text() -> None:
    account = facts(receiver_details='{"bank_account": 12345678901234567890}').receiver_account
    assert account == "12345678901234567890"


@pytest.mark.parametrize(
    "amount",
    [
        "-1",
        "-0.01",
        '"NaN"',
        '"Infinity"',
        '"-inf"',
        "1e999",
        '"1E+999999"',
        "0.1234567891",
        '"1e-10"',
        "1" + "0" * 29,
    ],
)
def test_an_amount_that_cannot_be_kept_exactly_is_rejected(amount: str) -> None:
    rejected = parse_question(with_amount(amount))
    assert isinstance(rejected, Rejected)
    assert rejected.error_type == "invalid-amount"


@pytest.mark.parametrize("amount", ["true", "null", "[]", "{}", '""', '"abc"', '"1,000"', "1e99999999999999999999"])
def test_an_amount_that_is_no_number_is_rejected(amount: str) -> None:
    rejected = parse_question(with_amount(amount))
    assert isinstance(rejected, Rejected)
    assert rejected.error_type == "schema"


@pytest.mark.parametrize(
    "field", ["transaction_id", "sender_bank_account", "receiver_details", "sender_bank", "amount"]
)
def test_each_field_is_required_and_named_when_missing(field: str) -> None:
    body = question()
    del body[field]
    rejected = parse_question(json.dumps(body).encode())
    assert rejected == Rejected("schema", f"Object missing required field `{field}`")


@pytest.mark.parametrize("wrong", [1, True, ["x"], {"$gt": ""}])
@pytest.mark.parametrize("field", [name for name in Question.__struct_fields__ if name != "amount"])
def test_a_wrong_type_is_rejected_and_the_field_named(field: str, wrong: object) -> None:
    rejected = parse_question(raw(**{field: wrong}))
    assert isinstance(rejected, Rejected)
    assert f"$.{field}" in rejected.reason


@pytest.mark.parametrize(
    ("body", "error_type"),
    [
        (b"", "invalid-json"),
        (b"{", "invalid-json"),
        (b"NaN", "invalid-json"),
        (b"null", "schema"),
        (b"[]", "schema"),
        (with_amount("NaN"), "invalid-json"),
        (raw(transaction_id=""), "schema"),
        (raw(transaction_id="\ud800"), "invalid-json"),
        (raw(transaction_id="X").replace(b"X", b"\xff"), "invalid-utf8"),
        (raw(extra="X").replace(b'"X"', b'"\xff"'), "invalid-utf8"),
        (raw(extra="X").replace(b'"X"', b"[" * 20_000 + b"]" * 20_000), "invalid-json"),
        (raw(extra="x" * MAX_QUESTION_BYTES), "too-large"),
    ],
)
def test_a_hostile_body_is_rejected(body: bytes, error_type: str) -> None:
    rejected = parse_question(body)
    assert isinstance(rejected, Rejected)
    assert rejected.error_type == error_type


@pytest.mark.parametrize(
    "details",
    [
        "",
        "x",
        "null",
        "[]",
        '"text"',
        "{",
        '{"name": 5}',
        '{"bank_account": {}}',
        '{"a": ' + "[" * 20_000 + "]" * 20_000 + "}",
    ],
)
def test_receiver_details_must_be_a_json_object(details: str) -> None:
    rejected = parse_question(raw(receiver_details=details))
    assert isinstance(rejected, Rejected)
    assert rejected.error_type == "invalid-receiver-details"


@pytest.mark.parametrize(
    "body",
    [
        raw(transaction_id=[CANARY]),
        raw(amount=CANARY),
        raw(amount=f"-{CANARY}"),
        raw(sender_bank={CANARY: CANARY}),
        raw(transfer_date=CANARY),
        raw(receiver_bank_account=[CANARY]),
        raw(receiver_details=CANARY),
        raw(receiver_details=json.dumps({"name": [CANARY]})),
        raw() + CANARY.encode(),
        raw(extra=CANARY).replace(CANARY.encode(), CANARY.encode() + b"\xff"),
    ],
)
def test_a_reason_never_holds_a_value_and_its_kind_is_a_known_one(body: bytes) -> None:
    rejected = parse_question(body)
    assert isinstance(rejected, Rejected)
    assert rejected.error_type in ERROR_TYPES
    assert CANARY not in rejected.reason


def test_a_typed_question_is_checked_like_its_bytes() -> None:
    typed = Question("t-1", "ACC-1", "{}", None, Decimal("-1"))
    assert facts_of(typed) == parse_question(raw(receiver_details="{}", sender_bank=None, amount=-1))
