"""Objects of the lake, written as the lake writes them, and files that it would never write."""

import copy
import io
from datetime import datetime, timedelta
from typing import Any

import fastavro

from fraud_platform.adapters.s3 import ObjectStore
from fraud_platform.core.partitioning import object_key
from fraud_platform.lake.container import Container, RowFormat, row_schema
from fraud_platform.topology import Naming, Topic
from tests.builders import NOON
from tests.rows import result, user

START = datetime.fromisoformat("2026-01-01T00:00:00+00:00")
_FORMATS: dict[Topic, RowFormat] = {}


def hour(number: int) -> datetime:
    """The hour that begins so many hours after START."""
    return START + timedelta(hours=number)


def put(
    store: ObjectStore, naming: Naming, topic: Topic, rows: list[dict[str, Any]], *, at: int = 0,
    partition: int = 0, start: int = 0,
) -> str:  # fmt: skip
    """Store rows as the lake does; `at` = hours after START. Returns the key."""
    wire = naming.topic(topic)
    key = object_key(wire, partition, start, hour(at))
    container = Container(key, _FORMATS.setdefault(topic, RowFormat.of(topic)))
    for number, row in enumerate(rows):
        container.append(row | {"kafka_partition": partition, "kafka_offset": start + number, "kafka_timestamp": NOON})
    store.put(key, container.to_bytes())
    return key


def put_changed(
    store: ObjectStore, naming: Naming, topic: Topic, row: dict[str, Any], *, fields: dict[str, Any],
    at: int = 0, partition: int = 0, start: int = 0,
) -> str:  # fmt: skip
    """Store one row of a schema whose `fields` are added or retyped (name -> Avro type)."""
    schema = copy.deepcopy(row_schema(topic))
    kept = [field for field in schema["fields"] if field["name"] not in fields]
    schema["fields"] = [*kept, *({"name": name, "type": kind} for name, kind in fields.items())]
    key = object_key(naming.topic(topic), partition, start, hour(at))
    file = io.BytesIO()
    whole = row | {"kafka_partition": partition, "kafka_offset": start, "kafka_timestamp": NOON}
    fastavro.writer(file, fastavro.parse_schema(schema), [whole], codec="snappy")
    store.put(key, file.getvalue())
    return key


def users(*ids: str, **changes: Any) -> list[dict[str, Any]]:
    return [user(each, **changes) for each in ids]


def results(*ids: str, **changes: Any) -> list[dict[str, Any]]:
    return [result(each, **changes) for each in ids]
