"""Avro values in the Confluent wire format: byte 0, the schema's id in 4 bytes, the body."""

import io
import struct
import time
from collections.abc import Callable, Collection
from typing import Any

import fastavro
from fastavro.read import SchemaResolutionError
from fastavro.schema import SchemaParseException, UnknownType

from fraud_platform.adapters.avro_decoder import DecodeBody, compile_decoder
from fraud_platform.adapters.avro_encoder import compile_encoder
from fraud_platform.adapters.avro_source import Unsupported
from fraud_platform.adapters.foreign_schemas import trouble
from fraud_platform.adapters.registry import SchemaRegistry, UnknownSchema, UnusableSchema, load_schema
from fraud_platform.core.outcome import Rejected
from fraud_platform.core.results import Encode
from fraud_platform.topology import MAX_VALUE_BYTES, TOPICS, Topic

Assemble = Callable[[tuple[Any, ...]], bytes]
Decode = Callable[[bytes | None], dict[str, Any] | Rejected]

MAGIC = 0
HEADER = struct.Struct(">bI")
REFUSED_S = 1.0
"""How long an id that is unknown or of no use is not asked for again."""


# What a function written for one schema raises at a value or at bytes that it leaves to fastavro.
_STUMBLES = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)


def encoder(topic: Topic, schema_id: int) -> Encode:
    """A function that turns a value of the topic's schema into wire bytes."""
    return body_encoder(topic_schema(topic), header=HEADER.pack(MAGIC, schema_id))


def topic_schema(topic: Topic) -> dict[str, Any]:
    """The schema of the topic's values.

    Raises:
        ValueError: the topic carries no Avro.
    """
    name = TOPICS[topic].schema
    if name is None:
        raise ValueError(f"{topic} carries no Avro")
    return load_schema(name)


def body_encoder(schema: dict[str, Any], *, header: bytes = b"") -> Encode:
    """A function that turns a value of the record `schema` into Avro behind `header`.

    It raises whatever fastavro makes of a value that does not fit; fields that a value lacks take their defaults.
    """
    parsed = fastavro.parse_schema(schema)
    write = fastavro.schemaless_writer

    def slow(value: dict[str, Any]) -> bytes:
        buffer = io.BytesIO()
        buffer.write(header)
        write(buffer, parsed, value)
        return buffer.getvalue()

    try:
        fast = compile_encoder(schema, header=header)
    except Unsupported:
        return slow

    def encode(value: dict[str, Any]) -> bytes:
        try:
            return fast(value)
        except _STUMBLES:
            return slow(value)

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

    def assembler(self, topic: Topic, parts: Collection[str]) -> Assemble:
        """As `encoder`, for tuples of the fields' values in the schema's order.

        The fields named in `parts` are Avro bytes already (see `part_encoder`).
        """
        header = HEADER.pack(MAGIC, self._registry.register(topic))
        return compile_encoder(topic_schema(topic), header=header, encoded=parts, in_order=True)


def part_encoder(topic: Topic, part: str) -> Encode:
    """The encoder of the record in the field `part` of the topic's values."""
    (schema,) = (field["type"] for field in topic_schema(topic)["fields"] if field["name"] == part)
    return body_encoder(schema)


class AvroReader:
    """Decodes wire bytes with the writer's schema.

    Whether a value is bad depends on its bytes alone, and every reader raises RegistryUnavailable when the
    writer's schema cannot be looked up now: the caller waits.
    """

    def __init__(self, registry: SchemaRegistry) -> None:
        self._registry = registry
        self._writers: dict[int, tuple[Any, DecodeBody | None]] = {}
        self._readers: dict[tuple[Topic, int], Any] = {}
        self._refused_id, self._refused_until = -1, 0.0
        self._refusal = Rejected("unknown-schema", "")

    def decode(self, value: bytes | None) -> dict[str, Any] | Rejected:
        """The value as a dict (money as Decimal, timestamps as aware datetime), or why it is none."""
        return self._read(value, lambda _: None)

    def decoder(self, topic: Topic) -> Decode:
        """As `decode`, and what comes out has the fields of the topic's schema, whoever wrote it with what schema."""
        ours = fastavro.parse_schema(topic_schema(topic))

        def reader(schema_id: int) -> Any:
            if (topic, schema_id) not in self._readers:
                writer, _ = self._writer(schema_id)
                self._readers[topic, schema_id] = None if writer == ours else ours
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
        if fault := _wire_fault(value):
            return fault
        (_, schema_id) = HEADER.unpack_from(value)
        if schema_id == self._refused_id and time.monotonic() < self._refused_until:
            return self._refusal
        try:
            writer, fast = self._writer(schema_id)
            ours = reader(schema_id)
        except UnknownSchema:
            return self._refuse(schema_id, "unknown-schema", f"the registry knows no schema with id {schema_id}")
        except UnusableSchema as error:
            return self._refuse(schema_id, "unusable-schema", f"the schema with id {schema_id} {error}")
        decoded = _quickly(value, fast) if fast is not None and ours is None else None
        return _body(value, schema_id, writer, ours) if decoded is None else decoded

    def _refuse(self, schema_id: int, error_type: str, reason: str) -> Rejected:
        """Keep the answer for a moment: asked for each record of a batch, the group would lose its member."""
        self._refused_id, self._refused_until = schema_id, time.monotonic() + REFUSED_S
        self._refusal = Rejected(error_type, reason)
        return self._refusal

    def _writer(self, schema_id: int) -> tuple[Any, DecodeBody | None]:
        if schema_id not in self._writers:
            schema = self._registry.schema(schema_id)
            try:
                if fault := trouble(schema):
                    raise UnusableSchema(fault)
                parsed = fastavro.parse_schema(schema)
                self._writers[schema_id] = parsed, _fast_decoder(parsed)
            except (SchemaParseException, UnknownType, LookupError, TypeError, ValueError, RecursionError):
                raise UnusableSchema("is not Avro on its own") from None
        return self._writers[schema_id]


def _wire_fault(value: bytes) -> Rejected | None:
    if not value:
        return Rejected("invalid-avro", "the value is empty")
    if value[0] != MAGIC or len(value) < HEADER.size:
        return Rejected("invalid-avro", "the value does not start with the wire format's magic byte and schema id")
    return None


def _fast_decoder(parsed: Any) -> DecodeBody | None:
    """A function for a schema of our own; a stranger's could be too deep, or too much, to write one for.

    Schemas are compared as fastavro parses them: a registry may write the same one in other words.
    """
    every = (load_schema(spec.schema) for spec in TOPICS.values() if spec.schema is not None)
    ours = next((schema for schema in every if fastavro.parse_schema(schema) == parsed), None)
    try:
        return compile_decoder(ours) if ours is not None else None
    except Unsupported:
        return None


def _quickly(value: bytes, fast: DecodeBody) -> dict[str, Any] | None:
    try:
        decoded, end = fast(value, HEADER.size)
    except _STUMBLES:
        return None
    return decoded if end == len(value) else None


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
