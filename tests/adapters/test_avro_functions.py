"""The functions written for one schema: fastavro's bytes, fastavro's values, fastavro's refusals."""

import io
import struct
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud_platform.adapters.avro import AvroReader, body_encoder, topic_schema
from fraud_platform.adapters.avro_decoder import compile_decoder
from fraud_platform.adapters.avro_encoder import compile_encoder
from fraud_platform.adapters.avro_source import Numbers, Unsupported, zigzag
from fraud_platform.adapters.registry import SchemaRegistry
from fraud_platform.core.outcome import Rejected
from fraud_platform.topology import Topic
from tests.rows import decision, reader, result, user, wire

TEXT = st.text(st.characters(codec="utf-8"), max_size=80)
MONEY = st.integers(-(10**38) + 1, 10**38 - 1).map(lambda number: Decimal(number).scaleb(-9, Context(prec=38)))
HIT = {
    "rule_id": "high", "criterion": "HIGH", "observed": "1", "limit": None, "window": None, "contributing_count": 1,
    "late": True, "action": "BLOCK",
}  # fmt: skip
ODD = {
    "type": "record",
    "name": "Odd",
    "fields": [
        {"name": "flag", "type": "boolean"},
        {"name": "number", "type": ["long", "null"]},
        {"name": "at", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}]},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["A", "B"]}},
        {"name": "nested", "type": {"type": "array", "items": {"type": "array", "items": ["null", "string"]}}},
        {"name": "again", "type": ["null", "Kind"]},
    ],
}


def by_fastavro(schema: Any, value: Mapping[str, Any]) -> bytes:
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(schema), value)
    return buffer.getvalue()


def read_by_fastavro(schema: Any, body: bytes) -> Any:
    return fastavro.schemaless_reader(io.BytesIO(body), fastavro.parse_schema(schema), None)


VALUES = [
    (topic_schema(Topic.RESULT), result()),
    (topic_schema(Topic.RESULT), result(STATUS=None, SENDER_BANK="é" * 5000, AMOUNT=Decimal(-3))),
    (topic_schema(Topic.USERS), user() | dict.fromkeys(("ADDRESS", "EMAIL", "SSN"), "\x00\n$.🙂")),
    (topic_schema(Topic.USERS), user(WEBSITE=[])),
    (topic_schema(Topic.DECISIONS), decision(decided_at=datetime(2026, 1, 1, 0, 0, 0, 5999, UTC))),
    (topic_schema(Topic.DECISIONS), decision(hits=[HIT, HIT | {"contributing_count": -(2**63)}])),
    (topic_schema(Topic.DECISIONS), decision(not_evaluable=[{"rule_id": "a", "reason": "b"}] * 70)),
    (ODD, {"flag": True, "number": 2**63 - 1, "at": 1, "kind": "B", "nested": [[None, "x"], []], "again": "A"}),
    (ODD, {"flag": False, "number": None, "at": None, "kind": "A", "nested": [], "again": None}),
]


@pytest.mark.parametrize(("schema", "value"), VALUES)
def test_bytes_and_values_are_those_of_fastavro(schema: Any, value: dict[str, Any]) -> None:
    expected = by_fastavro(schema, value)
    full = read_by_fastavro(schema, expected)
    assert compile_encoder(schema, header=b"h")(full) == b"h" + expected
    assert compile_decoder(schema)(b"h" + expected, 1) == (full, 1 + len(expected))


@given(text=TEXT, maybe=st.none() | TEXT, money=MONEY)
def test_any_text_and_money_comes_back(text: str, maybe: str | None, money: Decimal) -> None:
    schema = topic_schema(Topic.RESULT)
    value = result(text, STATUS=maybe, AMOUNT=money)
    body = compile_encoder(schema)(value)
    assert body == by_fastavro(schema, value)
    assert compile_decoder(schema)(body, 0) == (value, len(body))


@given(st.integers(-(2**63), 2**63 - 1))
def test_numbers_are_written_as_fastavro_writes_them(number: int) -> None:
    assert zigzag(number) == by_fastavro("long", number)  # type: ignore[arg-type]


def test_numbers_that_come_in_turn_are_not_taken_for_each_other() -> None:
    long = Numbers(b"\x02")
    assert [long[each] for each in (2**40, 7, 2**40, 2**41, 2**40)] == [
        b"\x02" + zigzag(each) for each in (2**40, 7, 2**40, 2**41, 2**40)
    ]


@pytest.mark.parametrize("cut", range(5, len(wire(Topic.RESULT, result()))))
def test_a_record_cut_anywhere_is_rejected(cut: int) -> None:
    outcome = reader().decode(wire(Topic.RESULT, result())[:cut])
    assert isinstance(outcome, Rejected)
    assert outcome.error_type == "invalid-avro"


@given(st.binary(max_size=40), st.integers(0, 80))
def test_broken_bytes_have_the_verdict_of_fastavro(noise: bytes, at: int) -> None:
    good = wire(Topic.DECISIONS, decision(hits=[HIT]))
    value = good[: 5 + at] + noise + good[5 + at + len(noise) :]
    assert reader().decode(value) == WithoutFunctions().decode(value)


class WithoutFunctions(AvroReader):
    """Reads by fastavro alone."""

    def __init__(self) -> None:
        super().__init__(reader()._registry)

    def _writer(self, schema_id: int) -> Any:
        return super()._writer(schema_id)[0], None


@pytest.mark.parametrize(
    "changes",
    [{"STATUS": 7}, {"AMOUNT": "1"}, {"AMOUNT": Decimal("1E-10")}, {"AMOUNT": Decimal(10) ** 30}, {"EVALUATION": None}],
)
def test_a_value_that_does_not_fit_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError, OverflowError, AttributeError)):
        body_encoder(topic_schema(Topic.RESULT))(result(**changes))


def test_zeros_behind_the_ninth_digit_are_no_reason_to_refuse() -> None:
    encode = body_encoder(topic_schema(Topic.RESULT))
    assert encode(result(AMOUNT=Decimal("0.1000000000"))) == encode(result(AMOUNT=Decimal("0.1")))


def test_a_field_that_is_not_given_takes_its_default() -> None:
    value = result()
    del value["STATUS"]
    assert body_encoder(topic_schema(Topic.RESULT))(value) == by_fastavro(topic_schema(Topic.RESULT), value)


def test_parts_that_are_bytes_already_are_taken_as_they_are() -> None:
    schema = topic_schema(Topic.RESULT)
    value = result()
    bank = b"\x02" + zigzag(len(value["SENDER_BANK"])) + value["SENDER_BANK"].encode()
    assert compile_encoder(schema, encoded={"SENDER_BANK"})(value | {"SENDER_BANK": bank}) == by_fastavro(schema, value)


def test_names_in_a_schema_are_never_code() -> None:
    class Foreign(SchemaRegistry):
        def __init__(self) -> None:
            pass

        def schema(self, schema_id: int) -> dict[str, Any]:
            return {"type": "record", "name": "R", "fields": [{"name": "a'] + exit() + v['", "type": "string"}]}

    assert isinstance(AvroReader(Foreign()).decode(struct.pack(">bI", 0, 1) + b"\x02x"), (Rejected, dict))


@pytest.mark.parametrize(
    "schema",
    [
        "string",
        {"type": "record", "name": "Empty", "fields": []},
        {"type": "record", "name": "M", "fields": [{"name": "m", "type": {"type": "map", "values": "long"}}]},
        {"type": "record", "name": "U", "fields": [{"name": "u", "type": ["null", "long", "string"]}]},
        {"type": "record", "name": "L", "fields": [{"name": "next", "type": ["null", "L"]}]},
    ],
)
def test_other_types_are_left_to_fastavro(schema: Any) -> None:
    with pytest.raises(Unsupported):
        compile_encoder(schema)
    with pytest.raises(Unsupported):
        compile_decoder(schema)


def test_the_ledger_is_written_by_fastavro() -> None:
    value = {
        "stage": "s", "slot": "0", "run_id": "r", "code_version": "1", "committed_at": datetime(2026, 1, 1, tzinfo=UTC),
        "inputs": [], "outcomes": {"stored": 1},
    }  # fmt: skip
    schema = topic_schema(Topic.LEDGER)
    assert body_encoder(schema)(value) == by_fastavro(schema, value)
