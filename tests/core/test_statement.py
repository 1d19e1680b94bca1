import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import fastavro
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fraud_platform.adapters.registry import load_schema
from fraud_platform.core.json_value import MAX_DEPTH
from fraud_platform.core.outcome import Rejected
from fraud_platform.core.statement import (
    AHEAD_MS,
    FIELDS,
    Statement,
    canonical_key,
    parse_statement,
    time_fault,
    to_json,
    to_row,
)
from fraud_platform.rules.event import scaled
from fraud_platform.rules.events import event_of_statement
from fraud_platform.topology import MAX_VALUE_BYTES
from tests.builders import NOON, line, raw_line

CANARY = "canary-4711"
SCHEMA = fastavro.parse_schema(load_schema("fraud_result"))
REASONS = {"hitStatus": ["HIT"], "monitorAction": "REVIEW", "monitoringCriteriaType": ["R"], "hits": []}
AMOUNTS = ("depositAmount", "withdrawalAmount", "balanceAmount")
REQUIRED = ("transactionId", "accountNumber", "bankId", "transactionTimestamp")


def parsed(value: bytes) -> Statement:
    statement = parse_statement(value)
    assert isinstance(statement, Statement), statement
    return statement


def rejected(value: bytes | None) -> Rejected:
    fault = parse_statement(value)
    assert isinstance(fault, Rejected), fault
    return fault


def avro(value: bytes) -> dict[str, Any]:
    """The line's fields after a round trip through the schema of its result."""
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, SCHEMA, to_row(parsed(value)) | REASONS)
    decoded = fastavro.schemaless_reader(io.BytesIO(buffer.getvalue()), SCHEMA, None)
    assert isinstance(decoded, dict)
    return {name: decoded[name] for name in FIELDS}


def written(field: str, text: str) -> bytes:
    """The field as its sender wrote it, which no Python float could carry."""
    return raw_line(**{field: "VALUE"}).replace(b'"VALUE"', text.encode())


def test_a_whole_line_survives_the_schema_of_its_result() -> None:
    amounts = {"depositAmount": Decimal(0), "withdrawalAmount": Decimal("12.5"), "balanceAmount": Decimal("183876.79")}
    assert avro(raw_line()) == line() | amounts


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ('"12.50"', "12.5"),
        ("12.50", "12.5"),
        ("1e2", "100"),
        ('"1.5E+2"', "150"),
        ('"183,876.79"', "183876.79"),
        ('"1,83,876.79"', "183876.79"),
        ('" 1,000 "', "1000"),
        ('"12,34,56,789"', "123456789"),
        ('"\\u0031,000.00"', "1000"),
        ('""', "0"),
        ('"  "', "0"),
        ('"-0.00"', "0"),
        ("0E+999999", "0"),
        ("null", "0"),
        ('"' + "9" * 29 + '.999999999"', "9" * 29 + ".999999999"),
    ],
)
def test_money_is_exact_however_it_is_written(text: str, amount: str) -> None:
    found = parsed(written("withdrawalAmount", text)).withdrawal
    assert (found, found.is_signed()) == (Decimal(amount), False)


OTHER_SPELLINGS = (
    "1,00", "1,0000", "10,0000", ",100", "100,", "1,,000", "0,100", "1,000,00", "1,00,00", "1.000,00", "1_000", "+5",
    ".5", "5.", "007", "NaN", "sNaN", "Infinity", "-Infinity", "(12.00)", "12.00 Cr", "$12", "0x10", "\uff11\uff12",
    "1\xa0000", "12\\u0000",
)  # fmt: skip


@pytest.mark.parametrize("field", AMOUNTS)
@pytest.mark.parametrize("text", OTHER_SPELLINGS)
def test_an_amount_in_any_other_spelling_is_refused_and_never_guessed(field: str, text: str) -> None:
    fault = rejected(written(field, f'"{text}"'))
    assert fault == Rejected("invalid-amount", f"`$.{field}` is text that is not written as a number")


@pytest.mark.parametrize(
    ("text", "error_type", "said"),
    [
        ("1e999999", "invalid-amount", "has more than 29 digits before the point"),
        ("1e-999999", "invalid-amount", "has more than 9 fraction digits"),
        ("1e99999999999999999999", "invalid-amount", "is out of range"),
        ("1" * 5000, "invalid-amount", "has more than 29 digits before the point"),
        ('"' + "1" * 500_000 + '"', "invalid-amount", "has more than 29 digits before the point"),
        ('"0.0000000001"', "invalid-amount", "has more than 9 fraction digits"),
        ("true", "schema", "is neither a number nor text"),
        ("[4711]", "schema", "is neither a number nor text"),
        ('{"value": 4711}', "schema", "is neither a number nor text"),
    ],
)
@pytest.mark.parametrize("field", AMOUNTS)
def test_an_amount_that_cannot_be_kept_is_refused(field: str, text: str, error_type: str, said: str) -> None:
    fault = rejected(written(field, text))
    assert fault.error_type == error_type
    assert fault.reason.startswith(f"`$.{field}` ")
    assert said in fault.reason
    assert "4711" not in fault.reason


@pytest.mark.parametrize("field", ["depositAmount", "withdrawalAmount"])
def test_only_a_balance_may_be_negative(field: str) -> None:
    assert rejected(written(field, '"-4,711.00"')) == Rejected("invalid-amount", f"`$.{field}` is negative")
    assert parsed(written("balanceAmount", '"-4,711.50"')).balance == Decimal("-4711.5")
    assert avro(written("balanceAmount", "-0.5"))["balanceAmount"] == Decimal("-0.5")


def test_a_side_that_is_not_there_is_nothing_but_a_line_without_both_is_no_line() -> None:
    without = {name: value for name, value in line().items() if name not in AMOUNTS}
    one = parsed(json.dumps(without | {"depositAmount": 5}).encode())
    assert (one.deposit, one.withdrawal) == (Decimal(5), Decimal(0))
    fault = rejected(json.dumps(without | {"amount": 5}).encode())
    assert fault == Rejected("schema", "the line has neither `$.depositAmount` nor `$.withdrawalAmount`")


def test_a_balance_that_nobody_says_is_not_known_and_an_empty_one_is_zero() -> None:
    without = {name: value for name, value in line().items() if name != "balanceAmount"}
    assert parsed(json.dumps(without).encode()).balance is None
    assert parsed(raw_line(balanceAmount=None)).balance is None
    assert parsed(raw_line(balanceAmount="")).balance == 0


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("  2024-10-07 04:48:00", datetime(2024, 10, 7, 4, 48, tzinfo=UTC)),
        ("2024-10-07T04:48:00Z", datetime(2024, 10, 7, 4, 48, tzinfo=UTC)),
        ("2024-10-07T10:18:00.123456+05:30", datetime(2024, 10, 7, 4, 48, 0, 123456, tzinfo=UTC)),
        ("2024-10-07", datetime(2024, 10, 7, tzinfo=UTC)),
    ],
)
def test_a_time_without_a_zone_is_utc(text: str, at: datetime) -> None:
    statement = parsed(raw_line(transactionTimestamp=text))
    assert (statement.at, statement.at.utcoffset()) == (at, timedelta(0))
    assert statement.timestamp == text.strip()
    assert statement.at_us == int(at.timestamp()) * 1_000_000 + at.microsecond


@pytest.mark.parametrize("text", ["", "soon", "07/10/2024", "1728276480", "0001-01-01T00:00:00+05:00", "2024-02-30"])
def test_what_is_no_time_is_refused(text: str) -> None:
    fault = rejected(raw_line(transactionTimestamp=text))
    assert fault == Rejected("invalid-date", "`$.transactionTimestamp` is not ISO 8601")


def test_a_time_may_be_a_day_ahead_of_its_record_and_no_more() -> None:
    """Kafka's noon ----- a day ----- | the last good moment"""
    last = datetime.fromtimestamp((NOON + AHEAD_MS) / 1000, UTC)
    assert time_fault(parsed(raw_line(transactionTimestamp=last.isoformat())), NOON) is None
    ahead = parsed(raw_line(transactionTimestamp=(last + timedelta(microseconds=1)).isoformat()))
    fault = time_fault(ahead, NOON)
    assert fault is not None
    assert fault.error_type == "invalid-date"
    assert time_fault(parsed(raw_line(transactionTimestamp="0001-01-01")), NOON) is None


def test_ids_are_text_without_the_blanks_around_them() -> None:
    statement = parsed(raw_line(transactionId=" a ", accountNumber=409000000001, bankId="\t3"))
    assert (statement.transaction_id, statement.account_number, statement.bank_id) == ("a", "409000000001", "3")


@pytest.mark.parametrize("field", REQUIRED)
def test_a_missing_or_null_field_is_named(field: str) -> None:
    without = {name: value for name, value in line().items() if name != field}
    for value in (without, without | {field: None}):
        fault = rejected(json.dumps(value).encode())
        assert fault.error_type == "schema"
        assert field in fault.reason


@pytest.mark.parametrize("field", ["transactionId", "accountNumber", "bankId"])
@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_id_is_refused(field: str, text: str) -> None:
    assert rejected(raw_line(**{field: text})) == Rejected("schema", f"`$.{field}` is empty")


def test_the_rest_may_be_missing_and_unknown_fields_are_ignored() -> None:
    optional = ("chqNo", "transactionDetails", "valueDate", "transactionSector")
    few = {name: value for name, value in line().items() if name not in optional}
    statement = parsed(json.dumps(few | {"hitStatus": ["HIT"], "note": {"deep": [1]}}).encode())
    assert (statement.cheque_number, statement.details, statement.value_date, statement.sector) == (None,) * 4


@pytest.mark.parametrize("field", FIELDS)
def test_a_key_that_comes_twice_is_refused(field: str) -> None:
    again = json.dumps({field: line()[field]}).encode()
    fault = rejected(raw_line()[:-1] + b", " + again[1:])
    assert fault == Rejected("duplicate-key", f"`$.{field}` is there more than once")


@pytest.mark.parametrize(
    ("value", "error_type"),
    [
        (None, "tombstone"),
        (b"", "invalid-json"),
        (b"{", "invalid-json"),
        (b"[]", "schema"),
        (b"4711", "schema"),
        (b"\xff" + CANARY.encode(), "invalid-utf8"),
        (raw_line()[:-1] + b', "ignored": "\xff"}', "invalid-utf8"),
        (raw_line()[:-1] + b', "ignored": ' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}", "invalid-json"),
        (raw_line()[:-1] + b', "ignored": ' + b"[" * 100_000, "invalid-json"),
        (written("depositAmount", "[" * 100_000), "invalid-json"),
        (written("transactionId", '"\\ud800"'), "invalid-json"),
        (written("depositAmount", '"\\ud800"'), "invalid-json"),
        (written("depositAmount", "12 13"), "invalid-json"),
        (raw_line(transactionId=[CANARY]), "schema"),
        (raw_line(accountNumber=1.5), "schema"),
        (raw_line(bankId=True), "schema"),
        (raw_line(transactionTimestamp=4711), "schema"),
        (raw_line(transactionSector=[CANARY]), "schema"),
        (raw_line() + b" " * MAX_VALUE_BYTES, "too-large"),
    ],
)
def test_what_is_no_line_is_rejected_without_telling_it(value: bytes | None, error_type: str) -> None:
    fault = rejected(value)
    assert fault.error_type == error_type
    assert "4711" not in fault.reason


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(FIELDS), anything)
@example("accountNumber", "\x00")
@example("transactionId", 10**4000)
def test_any_value_in_any_field_is_stored_or_rejected(field: str, value: Any) -> None:
    text = raw_line(**{field: value})
    if isinstance(parse_statement(text), Statement):
        assert avro(text)
        assert scaled(event_of_statement(parsed(text)).amount or Decimal(0)) >= 0


@given(st.binary(max_size=200))
def test_any_bytes_get_an_answer(value: bytes) -> None:
    assert isinstance(parse_statement(value), Rejected)


@given(
    st.decimals(min_value=0, max_value=10**15, places=2, allow_nan=False),
    st.sampled_from(["{:f}", "{:,f}", '"{:f}"', '"{:,f}"', '" {:,f}  "']),
)
def test_each_spelling_of_an_amount_means_the_same(amount: Decimal, form: str) -> None:
    text = form.format(amount)
    if "," in text and not text.startswith('"'):
        text = f'"{text}"'
    assert parsed(written("depositAmount", text)).deposit == amount


@given(
    st.builds(
        Statement,
        transaction_id=st.text(min_size=1).map(str.strip).filter(bool),
        account_number=st.text(min_size=1).map(str.strip).filter(bool),
        bank_id=st.just("3"),
        timestamp=st.just("2026-01-01"),
        at=st.just(datetime(2026, 1, 1, tzinfo=UTC)),
        deposit=st.decimals(min_value=0, max_value=10**20, places=9),
        withdrawal=st.decimals(min_value=0, max_value=10**20, places=0),
        balance=st.none() | st.decimals(min_value=-(10**20), max_value=10**20, places=3),
        details=st.none() | st.text(),
    )
)
def test_what_we_send_is_what_is_read(statement: Statement) -> None:
    sent = to_json(statement)
    assert parsed(sent) == statement
    assert all(isinstance(value, str) for value in json.loads(sent).values())


@pytest.mark.parametrize(
    ("account", "bank", "key"),
    [
        ("409000000001", "10", b'{"accountNumber":"409000000001","bankId":"10"}'),
        ('a"b\\c/', "\u00e9", b'{"accountNumber":"a\\"b\\\\c/","bankId":"\xc3\xa9"}'),
    ],
)
def test_the_key_is_the_same_to_the_byte_whoever_makes_it(account: str, bank: str, key: bytes) -> None:
    assert canonical_key(account, bank) == key


def test_a_rule_sees_the_larger_side_and_both() -> None:
    event = event_of_statement(parsed(raw_line(depositAmount="124.01", withdrawalAmount="10,000.00")))
    assert (event.amount, event.deposit, event.withdrawal) == (Decimal(10_000), Decimal("124.01"), Decimal(10_000))
    assert (event.account, event.bank, event.sector) == ("409000000001", "10", "Retail")
    assert (event.transaction_id, event.at, event.balance) == ("s-1", NOON * 1000, Decimal("183876.79"))
    assert event.counterparty_account is None
