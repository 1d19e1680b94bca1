"""Avro values in the Confluent wire format: byte 0, the schema's id in 4 bytes, the body."""

import io
import struct
from collections.abc import Callable
from typing import Any

import fastavro
from fastavro.read import SchemaResolutionError
from fastavro.schema import SchemaParseException, UnknownType

from fraud_platform.adapters.foreign_schemas import trouble
from fraud_platform.adapters.registry import SchemaRegistry, UnknownSchema, UnusableSchema, load_schema
from fraud_platform.core.outcome import Rejected
from fraud_platform.core.results import Encode
from fraud_platform.topology import MAX_VALUE_BYTES, TOPICS, Topic

Decode = Callable[[bytes | None], dict[str, Any] | Rejected]

MAGIC = 0
HEADER = struct.Struct(">bI")


def encoder(topic: Topic, schema_id: int) -> Encode:
    """A function that turns a value of the topic's schema into wire bytes."""
    name = TOPICS[topic].schema
    if name is None:
        raise ValueError(f"{topic} carries no Avro")
    schema = fastavro.parse_schema(load_schema(name))
    header = HEADER.pack(MAGIC, schema_id)
    write = fastavro.schemaless_writer

    def encode(value: dict[str, Any]) -> bytes:
        buffer = io.BytesIO()
        buffer.write(header)
        write(buffer, schema, value)
        return buffer.getvalue()

    return encode


class AvroWriter:
    """Encoders of topics, their schemas registered at first use."""

    def __init__(self, registry: SchemaRegistry) -> None:
        self._registry = registry
        self._encoders: dict[Topic, Encode] = {}

    def encoder(self, topic: Topic) -> Encode:
        """The encoder of the topic's values; raises as `SchemaRegistry.register` does."""
        if topic not in self._encoders:
            self._encoders[topic] = encoder(topic, self._registry.register(topic))
        return self._encoders[topic]


class AvroReader:
    """Decodes wire bytes with the writer's schema.

    Whether a value is bad depends on its bytes alone, and every reader raises RegistryUnavailable when the
    writer's schema cannot be looked up now: the caller waits.
    """

    def __init__(self, registry: SchemaRegistry) -> None:
        self._registry = registry
        self._writers: dict[int, Any] = {}
        self._readers: dict[tuple[Topic, int], Any] = {}

    def decode(self, value: bytes | None) -> dict[str, Any] | Rejected:
        """The value as a dict (money as Decimal, timestamps as aware datetime), or why it is none."""
        return self._read(value, lambda _: None)

    def decoder(self, topic: Topic) -> Decode:
        """As `decode`, and what comes out has the fields of the topic's schema, whoever wrote it with what schema."""
        name = TOPICS[topic].schema
        if name is None:
            raise ValueError(f"{topic} carries no Avro")
        ours = load_schema(name)
        parsed = fastavro.parse_schema(ours)

        def reader(schema_id: int) -> Any:
            if (topic, schema_id) not in self._readers:
                is_same = self._registry.schema(schema_id) == ours
                self._readers[topic, schema_id] = None if is_same else parsed
            return self._readers[topic, schema_id]

        def decode(value: bytes | None) -> dict[str, Any] | Rejected:
            if value is not None and len(value) > MAX_VALUE_BYTES:
                return Rejected("too-large", f"the value has {len(value)} bytes, {MAX_VALUE_BYTES} are allowed")
            return self._read(value, reader)

        return decode

    def ready(self) -> bool:
        """Whether the registry answers."""
        return self._registry.ready()

    def _read(self, value: bytes | None, reader: Callable[[int], Any]) -> dict[str, Any] | Rejected:
        if value is None:
            return Rejected("tombstone", "the record has no value")
        if not value:
            return Rejected("invalid-avro", "the value is empty")
        if value[0] != MAGIC or len(value) < HEADER.size:
            return Rejected("invalid-avro", "the value does not start with the wire format's magic byte and schema id")
        (_, schema_id) = HEADER.unpack_from(value)
        try:
            schema = self._writer(schema_id)
            return _body(value, schema_id, schema, reader(schema_id))
        except UnknownSchema:
            return Rejected("unknown-schema", f"the registry knows no schema with id {schema_id}")
        except UnusableSchema as error:
            return Rejected("unusable-schema", f"the schema with id {schema_id} {error}")

    def _writer(self, schema_id: int) -> Any:
        if schema_id not in self._writers:
            schema = self._registry.schema(schema_id)
            if fault := trouble(schema):
                raise UnusableSchema(fault)
            try:
                self._writers[schema_id] = fastavro.parse_schema(schema)
            except (SchemaParseException, UnknownType, KeyError, TypeError, ValueError):
                raise UnusableSchema("is not Avro on its own") from None
        return self._writers[schema_id]


def _body(value: bytes, schema_id: int, writer: Any, reader: Any) -> dict[str, Any] | Rejected:
    body = io.BytesIO(value)
    body.seek(HEADER.size)
    try:
        decoded = fastavro.schemaless_reader(body, writer, reader)
    except SchemaResolutionError:
        return Rejected("schema-mismatch", f"the schema with id {schema_id} is none of the topic's")
    except Exception as error:  # noqa: BLE001 - fastavro raises whatever the broken bytes lead it to
        return Rejected("invalid-avro", f"the value does not follow schema id {schema_id} ({type(error).__name__})")
    if body.tell() != len(value) or not isinstance(decoded, dict):
        return Rejected("invalid-avro", f"the value does not follow schema id {schema_id} (bytes left over)")
    return decoded
