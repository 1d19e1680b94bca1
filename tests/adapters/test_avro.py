import io
import random
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import fastavro
import pytest

from fraud_platform.adapters.avro import HEADER, AvroReader, AvroWriter, encoder
from fraud_platform.adapters.registry import SchemaRegistry, UnknownSchema, UnusableSchema, load_schema
from fraud_platform.core.outcome import Rejected
from fraud_platform.core.transaction import Transaction, parse_transaction, to_avro
from fraud_platform.settings import Settings
from fraud_platform.topology import MAX_VALUE_BYTES, Topic
from tests.builders import raw
from tests.rows import decision, result, user

OURS = 1
NODE = {"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"]}]}


class Registry(SchemaRegistry):
    """Knows the transaction's schema as id 1, and whatever a test adds."""

    def __init__(self, **more: Any) -> None:
        self.schemas: dict[int, Any] = {OURS: load_schema("transaction")}
        self.schemas |= {int(name.removeprefix("id")): schema for name, schema in more.items()}

    def schema(self, schema_id: int) -> Any:
        if schema_id not in self.schemas:
            raise UnknownSchema(schema_id)
        return self.schemas[schema_id]


def value() -> dict[str, Any]:
    transaction = parse_transaction(raw())
    assert isinstance(transaction, Transaction)
    return to_avro(transaction, sender_ssn="tok_s", receiver_ssn=None)


GOOD = encoder(Topic.FRAUDULENT, OURS)(value())


def written(schema: Any, datum: Any, schema_id: int = 7) -> bytes:
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(schema), datum)
    return HEADER.pack(0, schema_id) + buffer.getvalue()


def read(raw_value: bytes | None, **more: Any) -> dict[str, Any] | Rejected:
    return AvroReader(Registry(**more)).decoder(Topic.FRAUDULENT)(raw_value)


def fault(raw_value: bytes | None, **more: Any) -> Rejected:
    found = read(raw_value, **more)
    assert isinstance(found, Rejected), found
    return found


def test_a_good_value_is_read() -> None:
    assert read(GOOD) == value()


@pytest.mark.parametrize(
    ("raw_value", "error_type", "said"),
    [
        (None, "tombstone", "the record has no value"),
        (b"", "invalid-avro", "the value is empty"),
        (b"{}", "invalid-avro", "magic byte"),
        (b"\x01" + GOOD[1:], "invalid-avro", "magic byte"),
        (GOOD[:4], "invalid-avro", "magic byte and schema id"),
        (GOOD + b"\x00", "invalid-avro", "bytes left over"),
        (HEADER.pack(0, 99) + GOOD[5:], "unknown-schema", "id 99"),
        (GOOD + b" " * MAX_VALUE_BYTES, "too-large", f"{MAX_VALUE_BYTES} are allowed"),
    ],
)
def test_each_fault_has_a_name(raw_value: bytes | None, error_type: str, said: str) -> None:
    found = fault(raw_value)
    assert found.error_type == error_type
    assert said in found.reason


def test_a_record_cut_off_anywhere_is_rejected() -> None:
    for length in range(5, len(GOOD)):
        assert fault(GOOD[:length]).error_type == "invalid-avro"


def test_whatever_the_bytes_become_there_is_an_answer() -> None:
    dice = random.Random(1)
    read_one = AvroReader(Registry()).decoder(Topic.FRAUDULENT)
    for _ in range(3_000):
        mutated = bytearray(GOOD)
        for _ in range(dice.randint(1, 4)):
            mutated[dice.randrange(5, len(mutated))] = dice.randrange(256)
        found = read_one(bytes(mutated))
        assert isinstance(found, Rejected) or found.keys() == value().keys()


def test_a_value_of_another_topic_does_not_fit() -> None:
    foreign = written(load_schema("result"), result("canary"))
    assert fault(foreign, id7=load_schema("result")) == Rejected(
        "schema-mismatch", "the schema with id 7 is none of the topic's"
    )


def test_a_later_schema_is_read_as_ours() -> None:
    ours = load_schema("transaction")
    later = {**ours, "fields": [*ours["fields"], {"name": "channel", "type": "string"}]}
    assert read(written(later, value() | {"channel": "mobile"}), id7=later) == value()
    assert isinstance(value()["amount"], Decimal)


def test_an_earlier_schema_is_read_with_our_defaults() -> None:
    ours = load_schema("transaction")
    earlier = {**ours, "fields": [field for field in ours["fields"] if field["name"] != "sender_bank"]}
    assert read(written(earlier, value()), id7=earlier) == value() | {"sender_bank": None}


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (NODE, "holds itself"),
        ({**NODE, "name": "a.b.Node"}, "holds itself"),
        ({"type": "record", "name": "T", "fields": [{"name": "n", "type": {"type": "map", "values": NODE}}]}, "itself"),
        ({"type": "record", "name": "T", "fields": []}, "parts without bytes"),
        (
            {"type": "record", "name": "T", "fields": [{"name": "x", "type": {"type": "array", "items": "null"}}]},
            "parts without bytes",
        ),
        ({"type": "record", "name": "T", "fields": [{"name": "x", "type": "Elsewhere"}]}, "not Avro on its own"),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, "no record"),
        ("string", "no record"),
        (7, "no record"),
    ],
    ids=["self", "self by namespace", "self in a map", "empty", "nulls", "reference", "enum", "text", "number"],
)
def test_a_schema_that_cannot_be_trusted_is_a_fault_of_the_record(schema: Any, said: str) -> None:
    """The first would end the process, the array of nulls would keep it busy for hours."""
    found = fault(HEADER.pack(0, 7) + b"\x02" * 500_000, id7=schema)
    assert found.error_type == "unusable-schema"
    assert said in found.reason


def test_a_schema_of_another_kind_is_a_fault_of_the_record() -> None:
    class Protobuf(Registry):
        def schema(self, schema_id: int) -> Any:
            raise UnusableSchema("is not Avro")

    found = AvroReader(Protobuf()).decode(GOOD)
    assert found == Rejected("unusable-schema", "the schema with id 1 is not Avro")


@pytest.mark.parametrize("name", ["transaction", "result", "user", "decision", "ledger"])
def test_our_own_schemas_are_trusted(name: str) -> None:
    reader = AvroReader(Registry(id7=load_schema(name)))
    found = reader.decode(HEADER.pack(0, 7))
    assert isinstance(found, Rejected)
    assert found.error_type == "invalid-avro"


def nested(depth: int, schema: Any) -> Any:
    """Arrays of arrays of `schema`."""
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return {"type": "record", "name": "Deep", "fields": [{"name": "f", "type": schema}]}


@pytest.mark.parametrize("depth", [11, 100])
def test_a_deep_schema_of_a_stranger_is_read_like_any_other(depth: int) -> None:
    datum: Any = "x"
    for _ in range(depth):
        datum = [datum]
    schema = nested(depth, "string")
    reader = AvroReader(Registry(id7=schema))
    assert reader.decode(written(schema, {"f": datum})) == {"f": datum}


def test_a_schema_too_deep_for_anybody_is_of_no_use() -> None:
    found = AvroReader(Registry(id7=nested(5000, "string"))).decode(HEADER.pack(0, 7) + b"\0")
    assert isinstance(found, Rejected)
    assert found.error_type == "unusable-schema"


@pytest.mark.parametrize("schema", [{"type": "record", "name": "N"}, {"type": "record", "name": "N", "fields": ["x"]}])
def test_a_schema_with_parts_missing_is_of_no_use(schema: Any) -> None:
    found = AvroReader(Registry(id7=schema)).decode(HEADER.pack(0, 7) + b"\0")
    assert isinstance(found, Rejected)
    assert found.error_type == "unusable-schema"


def test_an_unknown_id_is_not_asked_for_again_at_each_record() -> None:
    asked = []

    class Counting(Registry):
        def schema(self, schema_id: int) -> Any:
            asked.append(schema_id)
            return super().schema(schema_id)

    reader = AvroReader(Counting())
    found = [reader.decode(HEADER.pack(0, 99) + b"x") for _ in range(100)]
    assert {each.error_type for each in found if isinstance(each, Rejected)} == {"unknown-schema"}
    assert asked == [99]


FAST = {
    Topic.UNIDENTIFIED: value(),
    Topic.RESULT: result(),
    Topic.USERS: user(),
    Topic.DECISIONS: decision(decided_at=datetime(2026, 1, 1, 12, tzinfo=UTC)),
}


@pytest.mark.services
@pytest.mark.parametrize("topic", FAST)
def test_our_schemas_are_ours_in_the_words_of_the_registry_too(
    topic: Topic, platform_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registry leaves out what a schema need not say; fastavro must have no part in reading our own values."""
    wire = AvroWriter(SchemaRegistry(platform_settings)).encoder(topic)(FAST[topic])
    monkeypatch.setattr(fastavro, "schemaless_reader", None)
    for read_one in (
        AvroReader(SchemaRegistry(platform_settings)).decoder(topic),
        AvroReader(SchemaRegistry(platform_settings)).decode,
    ):
        found = read_one(wire)
        assert isinstance(found, dict)
        assert found.items() >= FAST[topic].items()
