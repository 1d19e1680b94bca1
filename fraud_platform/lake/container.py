"""Avro container files whose bytes depend on their rows and name alone.

The runtime may write a planned range twice, the second time after the first writer was fenced; only
equal bytes make the order of the two writes meaningless. So the sync marker, which the format wants
to be unlikely rather than random, is derived from the object's key.
"""

import hashlib
import io
from typing import Any

import fastavro
import msgspec
from fastavro.write import Writer

from fraud_platform.adapters.avro import body_encoder, topic_schema
from fraud_platform.core.results import Encode
from fraud_platform.topology import Topic

CODEC = "snappy"  # DuckDB, Athena and Spark all read it; a third of deflate's time
BLOCK_BYTES = 256 * 1024

_POSITION_FIELDS = (
    {"name": "kafka_partition", "type": "int", "doc": "where the row lay in Kafka"},
    {"name": "kafka_offset", "type": "long"},
    {"name": "kafka_timestamp", "type": {"type": "long", "logicalType": "timestamp-millis"}},
)


def row_schema(topic: Topic) -> dict[str, Any]:
    """The topic's schema and the row's position in Kafka.

    Raises:
        ValueError: the topic carries no Avro.
    """
    schema = topic_schema(topic)
    return {**schema, "fields": [*schema["fields"], *_POSITION_FIELDS]}


class RowFormat(msgspec.Struct, frozen=True):
    """How rows of one topic are written: the parsed schema of their objects, and its encoder."""

    schema: Any
    encode: Encode

    @classmethod
    def of(cls, topic: Topic) -> "RowFormat":
        """The format of the topic's rows; raises as `row_schema` does."""
        schema = row_schema(topic)
        return cls(fastavro.parse_schema(schema), body_encoder(schema))


class _Block:
    """Encoded rows, in the shape that fastavro's `write_block` takes."""

    def __init__(self) -> None:
        self.bytes_ = io.BytesIO()
        self.num_records = 0


class Container:
    """One object in the making. Rows are encoded as they come, so no more than a block is held twice."""

    def __init__(self, key: str, rows: RowFormat) -> None:
        """Begin the object `key`."""
        self._encode = rows.encode
        self._file = io.BytesIO()
        self._block = _Block()
        marker = hashlib.sha256(key.encode()).digest()[:16]
        self._writer = Writer(self._file, rows.schema, codec=CODEC, sync_marker=marker)

    def append(self, row: dict[str, Any]) -> None:
        """Add a row, whole or not at all; fields that it lacks take the schema's defaults.

        Raises:
            Exception: whatever fastavro makes of a row that does not fit the schema.
        """
        block = self._block
        block.bytes_.write(self._encode(row))
        block.num_records += 1
        if block.bytes_.tell() >= BLOCK_BYTES:
            self._close_block()

    def to_bytes(self) -> bytes:
        """The finished file; one without rows is valid too."""
        if self._block.num_records:
            self._close_block()
        self._writer.flush()
        return self._file.getvalue()

    def _close_block(self) -> None:
        self._writer.write_block(self._block)
        self._block = _Block()
