"""Avro values in the Confluent wire format: byte 0, the schema's id in 4 bytes, the body."""

import io
import struct
from typing import Any

import fastavro

from fraud_platform.adapters.registry import SchemaRegistry, UnknownSchema, load_schema
from fraud_platform.core.outcome import Rejected
from fraud_platform.core.results import Encode
from fraud_platform.topology import TOPICS, Topic

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
    """Decodes wire bytes with the writer's schema."""

    def __init__(self, registry: SchemaRegistry) -> None:
        self._registry = registry
        self._parsed: dict[int, Any] = {}

    def decode(self, value: bytes | None) -> dict[str, Any] | Rejected:
        """The value as a dict (money as Decimal, timestamps as aware datetime), or why it is none.

        Whether a value is bad depends on its bytes alone.

        Raises:
            RegistryUnavailable: the writer's schema cannot be looked up now; the caller waits.
        """
        if value is None:
            return Rejected("tombstone", "the record has no value")
        if len(value) < HEADER.size or value[0] != MAGIC:
            return Rejected("invalid-avro", "the value does not start with the wire format's magic byte")
        (_, schema_id) = HEADER.unpack_from(value)
        try:
            schema = self._schema(schema_id)
        except UnknownSchema:
            return Rejected("unknown-schema", f"the registry knows no schema with id {schema_id}")
        body = io.BytesIO(value)
        body.seek(HEADER.size)
        try:
            decoded = fastavro.schemaless_reader(body, schema, None)
        except Exception as error:  # noqa: BLE001 - fastavro raises whatever the broken bytes lead it to
            return Rejected("invalid-avro", f"the value does not follow schema id {schema_id} ({type(error).__name__})")
        if body.tell() != len(value) or not isinstance(decoded, dict):
            return Rejected("invalid-avro", f"the value does not follow schema id {schema_id} (bytes left over)")
        return decoded

    def _schema(self, schema_id: int) -> Any:
        if schema_id not in self._parsed:
            self._parsed[schema_id] = fastavro.parse_schema(self._registry.schema(schema_id))
        return self._parsed[schema_id]
