"""Every kind of rubbish between good neighbours: one dead letter each with its reason, the neighbours untouched."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from fraud_platform.adapters.avro import AvroWriter
from fraud_platform.adapters.registry import SchemaRegistry
from fraud_platform.core.json_value import MAX_DEPTH
from fraud_platform.core.privacy import Tokenizer
from fraud_platform.core.transaction import Transaction, parse_transaction, to_avro
from fraud_platform.runtime.drain import drain
from fraud_platform.settings import Settings
from fraud_platform.topology import (
    DOCUMENTS,
    INGESTION,
    LAKE,
    MAX_VALUE_BYTES,
    MIB,
    PROJECTION,
    VALIDATION,
    Stage,
    Topic,
)
from tests.adapters.hostile import hostile, obliging
from tests.builders import party, raw, transfer
from tests.failure.plain import Row
from tests.rows import decision, result, user
from tests.stages.flow import ledger_of, rows, send

pytestmark = pytest.mark.services

Kind = tuple[bytes | None, str, str]
"""The rubbish, its error type, its reason."""

SENDER = b'"sender_details": {'


def amount(text: str) -> bytes:
    return raw(amount="AMOUNT").replace(b'"AMOUNT"', text.encode())


def without(field: str) -> bytes:
    return json.dumps({name: value for name, value in transfer().items() if name != field}).encode()


def noted(note: bytes) -> bytes:
    """A good transfer with something in a field that nobody reads."""
    return raw()[:-1] + b', "note": ' + note + b"}"


DEEP = f"the value is nested deeper than {MAX_DEPTH} levels"
TOO_LARGE = f"the value has {{}} bytes, {MAX_VALUE_BYTES} are allowed"
JSON_RUBBISH: dict[str, Kind] = {
    "tombstone": (None, "tombstone", "the record has no value"),
    "empty": (b"", "invalid-json", "the value is empty"),
    "not JSON": (b"transaction_id;amount", "invalid-json", "JSON is malformed: invalid character (byte 4)"),
    "half": (raw()[:100], "invalid-json", "Input data was truncated"),
    "two values": (raw() + raw(), "invalid-json", f"JSON is malformed: trailing characters (byte {len(raw()) + 1})"),
    "no object": (b"[]", "schema", "Expected `object`, got `array`"),
    "bad UTF-8": (b"\xff\xfe{}", "invalid-utf8", "the value is not UTF-8: invalid start byte at byte 0"),
    "bad UTF-8 in an ignored field": (
        noted(b'"\xc3("'),
        "invalid-utf8",
        f"the value is not UTF-8: invalid continuation byte at byte {len(noted(b'')) }",
    ),
    "wrong type": (raw(sender_details=5), "schema", "Expected `object`, got `int` - at `$.sender_details`"),
    "id of a wrong type": (raw([1]), "schema", "Expected `int | str`, got `array` - at `$.transaction_id`"),
    "missing field": (without("amount"), "schema", "Object missing required field `amount`"),
    "null for a value": (raw(transfer_date=None), "schema", "Expected `str`, got `null` - at `$.transfer_date`"),
    "missing id": (raw(receiver_details={}), "schema", "Object missing required field `id` - at `$.receiver_details`"),
    "empty id": (raw(sender_details=party("")), "schema", "`$.sender_details.id` is empty"),
    "no date": (raw(transfer_date="yesterday"), "invalid-date", "`$.transfer_date` is not ISO 8601"),
    "NaN": (amount("NaN"), "invalid-json", "JSON is malformed: invalid character (byte {})"),
    "NaN as text": (amount('"NaN"'), "invalid-amount", "`$.amount` is not a finite number"),
    "Infinity": (amount('"-Infinity"'), "invalid-amount", "`$.amount` is not a finite number"),
    "1e999": (amount("1e999"), "invalid-amount", "`$.amount` has more than 29 digits before the point"),
    "1e999999": (amount("1e999999"), "invalid-amount", "`$.amount` has more than 29 digits before the point"),
    "negative": (amount("-0.01"), "invalid-amount", "`$.amount` is negative"),
    "too fine": (amount("0.1234567891"), "invalid-amount", "`$.amount` has more than 9 fraction digits"),
    "deep": (b"[" * 10_000 + b"]" * 10_000, "schema", "Expected `object`, got `array`"),
    "deep in an ignored field": (noted(b"[" * 10_000 + b"]" * 10_000), "invalid-json", DEEP),
    "a little too deep": (noted(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH), "invalid-json", DEEP),
    "repeated key": (raw().replace(b"{", b'{"amount": 1, ', 1), "duplicate-key", "`$.amount` is there more than once"),
    "repeated key of a party": (
        raw().replace(SENDER, SENDER + b'"\\u0073sn": "1", '),
        "duplicate-key",
        "`$.sender_details.ssn` is there more than once",
    ),
    "5 MB": (raw().ljust(5 * MIB), "too-large", TOO_LARGE.format(5 * MIB)),
    "20 MB": (raw().ljust(20 * MIB), "too-large", TOO_LARGE.format(20 * MIB)),
}  # fmt: skip


def between(bad: Sequence[bytes | None], good: Sequence[bytes]) -> list[tuple[str, bytes | None]]:
    """Good, bad, good, bad, ..., good, all on one partition."""
    assert len(good) == len(bad) + 1
    mixed = [value for pair in zip(good, bad, strict=False) for value in pair]
    return [("one key", value) for value in [*mixed, good[-1]]]


def raise_limit(settings: Settings, topic: Topic) -> None:
    """As a foreign owner of the topic might; our own limit is 8 MB."""
    client = AdminClient({"bootstrap.servers": settings.require("KAFKA_BOOTSTRAP_SERVERS")})
    entry = ConfigEntry("max.message.bytes", str(30 * MIB), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, settings.naming.topic(topic), incremental_configs=[entry])
    for future in client.incremental_alter_configs([resource]).values():
        future.result(20)


def letters(settings: Settings, stage: Stage) -> list[Row]:
    """The stage's dead letters in the order of their sources."""
    found = [row for row in rows(settings, Topic.DEAD_LETTERS) if row.headers["stage"] == stage.name]
    return sorted(found, key=lambda row: (row.headers["topic"], int(row.headers["offset"])))


def told(letter: Row) -> tuple[str, str]:
    return letter.headers["error_type"], letter.headers["reason"]


def is_balanced(settings: Settings, stage: Stage, count: int) -> bool:
    entries = ledger_of(settings, stage)
    read = sum(i["count"] for entry in entries for i in entry["inputs"])
    return read == count == sum(sum(entry["outcomes"].values()) for entry in entries)


def test_each_bad_transfer_becomes_one_dead_letter_and_its_neighbours_pass(settings: Settings) -> None:
    raise_limit(settings, Topic.BANK_TRANSACTIONS)
    bad = [value for value, _, _ in JSON_RUBBISH.values()]
    good = [raw(f"good-{n}") for n in range(len(bad) + 1)]
    send(settings, Topic.BANK_TRANSACTIONS, between(bad, good))
    report = drain(settings, INGESTION)
    assert dict(report.outcomes) == {"dead-lettered": len(bad), "accepted.fraudulent": len(good)}
    found = letters(settings, INGESTION)
    nan = amount("NaN").index(b"NaN")
    expected = [(kind, reason.format(nan)) for _, kind, reason in JSON_RUBBISH.values()]
    assert [told(letter) for letter in found] == expected
    assert [letter.value for letter in found] == [value if value is None else value[: 8 * MIB] for value in bad]
    assert [int(letter.headers["offset"]) for letter in found] == list(range(1, 2 * len(bad), 2))
    assert [row.value for row in rows(settings, Topic.FRAUDULENT)] == [in_avro(settings, value) for value in good]
    assert is_balanced(settings, INGESTION, len(bad) + len(good))


def in_avro(settings: Settings, value: bytes) -> bytes:
    """What ingestion makes of a transfer, the token apart."""
    transaction = parse_transaction(value)
    assert isinstance(transaction, Transaction)
    token = Tokenizer(["a key for tests"]).token
    parties = transaction.sender_details, transaction.receiver_details
    sender, receiver = (token(each.ssn) for each in parties)
    return encoded(settings, Topic.FRAUDULENT, to_avro(transaction, sender_ssn=sender, receiver_ssn=receiver))


_writers: dict[str, AvroWriter] = {}


def encoded(settings: Settings, topic: Topic, value: dict[str, Any]) -> bytes:
    writer = _writers.setdefault(settings.prefix, AvroWriter(SchemaRegistry(settings)))
    return writer.encoder(topic)(value)


def avro_rubbish(good: bytes, foreign: bytes, large: bytes, mismatch: tuple[str, str]) -> list[Kind]:
    """Bad in every way that the wire format allows; `mismatch` = what the stage says about another topic's value."""
    schema_id = int.from_bytes(good[1:5], "big")
    follow = f"the value does not follow schema id {schema_id}"
    start = "the value does not start with the wire format's magic byte and schema id"
    return [
        (None, "tombstone", "the record has no value"),
        (b"", "invalid-avro", "the value is empty"),
        (b"\x01" + good[1:], "invalid-avro", start),
        (b'{"a": 1}', "invalid-avro", start),
        (good[:3], "invalid-avro", start),
        (b"\x00\x7f\xff\xff\xff" + good[5:], "unknown-schema", "the registry knows no schema with id 2147483647"),
        (b"\x00\xff\xff\xff\xff" + good[5:], "unknown-schema", "the registry knows no schema with id 4294967295"),
        (good[: len(good) // 2], "invalid-avro", follow),
        (good[:5], "invalid-avro", follow),
        (good + b"\x00", "invalid-avro", f"{follow} (bytes left over)"),
        (foreign, *mismatch),
        (large, "too-large", TOO_LARGE.format(len(large))),
    ]


def none_of_the_topics(value: bytes) -> tuple[str, str]:
    return "schema-mismatch", f"the schema with id {int.from_bytes(value[1:5], 'big')} is none of the topic's"


def avro_transfer(settings: Settings, name: str, **changes: Any) -> bytes:
    transaction = parse_transaction(raw(name))
    assert isinstance(transaction, Transaction)
    value = to_avro(transaction, sender_ssn=None, receiver_ssn=None)
    return encoded(settings, Topic.FRAUDULENT, value | changes)


def as_said(found: list[Row], expected: Sequence[Kind]) -> bool:
    """Whether the letters hold the rubbish in order, with the reasons (their beginnings, where the kind follows)."""
    assert len(found) == len(expected)
    for letter, (value, kind, reason) in zip(found, expected, strict=True):
        assert letter.value == value
        assert letter.headers["error_type"] == kind
        assert letter.headers["reason"].startswith(reason)
    return True


@pytest.mark.parametrize(
    ("stage", "topic", "accepted"),
    [(PROJECTION, Topic.FRAUDULENT, "accepted.projected"), (VALIDATION, Topic.UNIDENTIFIED, "discarded.legitimate")],
)
def test_each_bad_avro_transfer_becomes_one_dead_letter(
    settings: Settings, stage: Stage, topic: Topic, accepted: str
) -> None:
    foreign = encoded(settings, Topic.RESULT, result("canary"))
    large = avro_transfer(settings, "large", status="x" * 5 * MIB)
    rubbish = avro_rubbish(avro_transfer(settings, "bad"), foreign, large, none_of_the_topics(foreign))
    good = [avro_transfer(settings, f"good-{n}") for n in range(len(rubbish) + 1)]
    send(settings, topic, between([value for value, _, _ in rubbish], good))
    with hostile(obliging) as validator:
        asking = settings.model_copy(update={"validator_url": validator.url})
        report = drain(asking, stage)
    assert dict(report.outcomes) == {"dead-lettered": len(rubbish), accepted: len(good)}
    assert as_said(letters(settings, stage), rubbish)
    assert is_balanced(settings, stage, len(rubbish) + len(good))


def test_each_bad_row_becomes_one_dead_letter_of_each_sink(settings: Settings) -> None:
    make = {
        Topic.RESULT: result,
        Topic.USERS: user,
        Topic.DECISIONS: decision,
    }
    fields = {Topic.RESULT: "TRANSACTION_ID", Topic.USERS: "ID", Topic.DECISIONS: "stage"}
    large = {Topic.RESULT: "STATUS", Topic.USERS: "NAME", Topic.DECISIONS: "rule_set_version"}
    foreign = avro_transfer(settings, "canary")
    rubbish: dict[Topic, list[Kind]] = {}
    for topic, row in make.items():
        too_large = encoded(settings, topic, row("large") | {large[topic]: "x" * 5 * MIB})
        rubbish[topic] = avro_rubbish(encoded(settings, topic, row("bad")), foreign, too_large, ("", ""))
        good = [encoded(settings, topic, row(f"good-{n}")) for n in range(len(rubbish[topic]) + 1)]
        send(settings, topic, between([value for value, _, _ in rubbish[topic]], good))
    bad_count = sum(map(len, rubbish.values()))
    for stage in (LAKE, DOCUMENTS):
        report = drain(settings, stage)
        assert dict(report.outcomes) == {"dead-lettered": bad_count, "stored": bad_count + 3}
        for topic, kinds in rubbish.items():
            misfit = (
                ("schema-mismatch", "the value does not fit its topic")
                if stage is LAKE
                else ("missing-id", f"{fields[topic]} is missing or not text")
            )
            wanted = [(value, *misfit) if value == foreign else (value, kind, why) for value, kind, why in kinds]
            name = settings.naming.topic(topic)
            assert as_said([row for row in letters(settings, stage) if row.headers["topic"] == name], wanted)
        assert is_balanced(settings, stage, 2 * bad_count + 3)
