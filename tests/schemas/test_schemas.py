"""The schemas alone carry the books and the explanation: nothing else is needed to compute either."""

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import fastavro
import pytest

from fraud_platform.adapters.registry import load_schema
from fraud_platform.core import ledger
from fraud_platform.core.ledger import Entry
from fraud_platform.core.projection import result_row, user_row
from fraud_platform.core.transaction import Transaction, parse_transaction, to_avro
from fraud_platform.topology import TOPICS, Topic
from tests.builders import raw

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
NAMES = sorted({spec.schema for spec in TOPICS.values() if spec.schema})


def through_avro(name: str, value: dict[str, Any]) -> dict[str, Any]:
    """Write and read a value with the schema file alone."""
    schema = fastavro.parse_schema(load_schema(name))
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, schema, value)
    buffer.seek(0)
    return fastavro.schemaless_reader(buffer, schema, None)  # type: ignore[return-value]


def transaction(identity: str, evaluation: str) -> dict[str, Any]:
    parsed = parse_transaction(raw(identity, evaluation=evaluation))
    assert isinstance(parsed, Transaction)
    return through_avro("transaction", to_avro(parsed, sender_ssn="tok_1_a", receiver_ssn=None))


def decision(identity: str, action: str, hits: list[dict[str, Any]]) -> dict[str, Any]:
    return through_avro("decision", {
        "transaction_id": identity, "stage": "validation", "decided_at": AT, "action": action, "hits": hits,
        "rule_set_version": "abc", "not_evaluable": [{"rule_id": "r9", "reason": "no history"}],
    })  # fmt: skip


def entry(stage: str, topic: str, start: int, end: int, outcomes: dict[str, int]) -> dict[str, Any]:
    return through_avro("ledger", {
        "stage": stage, "slot": "0", "run_id": "r", "code_version": "1", "committed_at": AT,
        "inputs": [{"topic": topic, "partition": 0, "from": start, "to": end, "count": sum(outcomes.values())}],
        "outcomes": outcomes,
    })  # fmt: skip


HIT = {
    "rule_id": "high-amount", "criterion": "HIGH_TRANSACTION_AMOUNT", "observed": "12000", "limit": "10000",
    "window": None, "contributing_count": 1, "late": False, "action": "REVIEW",
}  # fmt: skip


@pytest.fixture
def log() -> dict[str, list[Any]]:
    """What the topics hold after six transfers: projected, hit, legitimate, discarded, dead and one waiting."""
    inputs = [
        raw("projected", evaluation="fraudulent"),
        raw("hit", evaluation="unidentified", amount=12000),
        raw("fine", evaluation="unidentified"),
        raw("own", evaluation="legitimate"),
        raw("broken", amount="NaN"),
        raw("waiting", evaluation="unidentified"),
    ]
    projected, hit, fine, waiting = (
        transaction("projected", "fraudulent"),
        *(transaction(identity, "unidentified") for identity in ("hit", "fine", "waiting")),
    )
    results = [
        through_avro("result", result_row(projected, "projection")),
        through_avro("result", result_row(hit, "validation")),
    ]
    parties = [t[side] for t in (projected, hit) for side in ("sender_details", "receiver_details")]
    users = [through_avro("user", user_row(each, "projection")) for each in parties]
    return {
        Topic.BANK_TRANSACTIONS: inputs,
        Topic.FRAUDULENT: [projected],
        Topic.UNIDENTIFIED: [hit, fine, waiting],
        Topic.RESULT: results,
        Topic.USERS: users,
        Topic.DECISIONS: [decision("hit", "REVIEW", [HIT]), decision("fine", "ALLOW", [])],
        Topic.DEAD_LETTERS: [{"stage": "ingestion", "topic": "bank-transactions", "partition": 0, "offset": 4,
                              "error_type": "invalid-amount", "reason": "`$.amount` is not a finite number"}],
        Topic.LEDGER: [
            entry("ingestion", "bank-transactions", 0, 6, {
                "accepted.fraudulent": 1, "accepted.unidentified": 3,
                "discarded.evaluation:legitimate": 1, "dead-lettered": 1}),
            entry("projection", "fraudulent-transactions", 0, 2, {"accepted.projected": 1}),
            entry("validation", "unidentified-transactions", 0, 3,
                  {"accepted.fraudulent": 1, "discarded.legitimate": 1}),
        ],
    }  # fmt: skip


def test_written_per_topic_follows_from_the_ledger(log: dict[str, list[Any]]) -> None:
    entries = [Entry.from_avro(value) for value in log[Topic.LEDGER]]
    written = ledger.written(entries)
    counted = {topic: len(log[topic]) for topic in written}
    assert written == counted


def test_downstream_read_is_upstream_written_minus_what_waits(log: dict[str, list[Any]]) -> None:
    entries = [Entry.from_avro(value) for value in log[Topic.LEDGER]]
    by_stage = {e.stage: ledger.records_read([e]) for e in entries}
    waiting = sum(t["transaction_id"] == "waiting" for t in log[Topic.UNIDENTIFIED])
    assert by_stage["validation"] == ledger.written(entries)[Topic.UNIDENTIFIED] - waiting
    assert by_stage["projection"] == ledger.written(entries)[Topic.FRAUDULENT]


def test_the_entries_balance(log: dict[str, list[Any]]) -> None:
    assert ledger.faults(Entry.from_avro(value) for value in log[Topic.LEDGER]) == []


def way_of(identity: str, log: dict[str, list[Any]]) -> Iterator[str]:
    """The whole way of one id, from nothing but what the topics hold."""
    offset, received = next(
        (o, json.loads(v))
        for o, v in enumerate(log[Topic.BANK_TRANSACTIONS])
        if json.loads(v)["transaction_id"] == identity
    )
    letter = next((d for d in log[Topic.DEAD_LETTERS] if d["offset"] == offset), None)
    if letter:
        yield f"dead-lettered by {letter['stage']}: {letter['reason']}"
        return
    routed = [t for t in (Topic.FRAUDULENT, Topic.UNIDENTIFIED) if identity in {r["transaction_id"] for r in log[t]}]
    yield f"routed to {routed[0]}" if routed else f"discarded: the bank says {received['evaluation']}"
    for d in log[Topic.DECISIONS]:
        if d["transaction_id"] == identity:
            reasons = [f"{h['criterion']} {h['observed']} >= {h['limit']}" for h in d["hits"]]
            yield f"{d['action']} by rule set {d['rule_set_version']}: {reasons}, open: {len(d['not_evaluable'])}"
    for row in log[Topic.RESULT]:
        if row["TRANSACTION_ID"] == identity:
            yield f"result of {row['SOURCE_PROCESS']}"


@pytest.mark.parametrize(
    ("identity", "way"),
    [
        ("projected", ["routed to fraudulent-transactions", "result of projection"]),
        ("hit", ["routed to unidentified-transactions",
                 "REVIEW by rule set abc: ['HIGH_TRANSACTION_AMOUNT 12000 >= 10000'], open: 1",
                 "result of validation"]),
        ("fine", ["routed to unidentified-transactions", "ALLOW by rule set abc: [], open: 1"]),
        ("own", ["discarded: the bank says legitimate"]),
        ("broken", ["dead-lettered by ingestion: `$.amount` is not a finite number"]),
        ("waiting", ["routed to unidentified-transactions"]),
    ],
)  # fmt: skip
def test_the_way_of_each_id_can_be_told(identity: str, way: list[str], log: dict[str, list[Any]]) -> None:
    assert list(way_of(identity, log)) == way


@pytest.mark.parametrize("name", NAMES)
def test_each_schema_is_a_valid_record(name: str) -> None:
    assert fastavro.parse_schema(load_schema(name))["type"] == "record"


@pytest.mark.parametrize("name", NAMES)
def test_optional_fields_have_a_default_so_that_they_can_be_added_and_dropped(name: str) -> None:
    nullable = [f for f in load_schema(name)["fields"] if isinstance(f["type"], list) and f["type"][0] == "null"]
    assert all("default" in field for field in nullable)


@pytest.mark.parametrize("name", ["transaction", "result"])
def test_money_is_decimal_38_9_on_16_fixed_bytes(name: str) -> None:
    field = next(f for f in load_schema(name)["fields"] if f["name"].lower() == "amount")
    assert {k: field["type"][k] for k in ("type", "size", "logicalType", "precision", "scale")} == {
        "type": "fixed", "size": 16, "logicalType": "decimal", "precision": 38, "scale": 9
    }  # fmt: skip


def test_money_survives_to_the_last_digit() -> None:
    amount = Decimal("12345678901234567890123456789.123456789")
    value = transaction("t", "fraudulent") | {"amount": amount}
    assert through_avro("transaction", value)["amount"] == amount


@pytest.mark.parametrize("amount", ["-0", "-0.0", "0E+9", "-0E-9"])
def test_a_zero_stays_zero_whatever_its_sign(amount: str) -> None:
    parsed = parse_transaction(raw("t", amount=amount))
    assert isinstance(parsed, Transaction)
    stored = through_avro("transaction", to_avro(parsed, sender_ssn=None, receiver_ssn=None))["amount"]
    assert (stored, stored.is_signed()) == (0, False)
