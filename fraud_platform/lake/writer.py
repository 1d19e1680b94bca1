"""Writes a planned range: one object per hour, each named after the range's first offset."""

from collections.abc import Callable, Sequence
from typing import Any

from fraud_platform.adapters.s3 import ObjectStore
from fraud_platform.core.outcome import Outcome, Record, Rejected
from fraud_platform.core.partitioning import HOUR_MS, hour_of, object_key
from fraud_platform.failpoints import Point, reach
from fraud_platform.lake.container import Container, RowFormat
from fraud_platform.runtime.planned import Range, RangeWriter
from fraud_platform.runtime.scribe import dead
from fraud_platform.topology import MAX_VALUE_BYTES, Naming, Stage

Decode = Callable[[bytes | None], dict[str, Any] | Rejected]

AVRO = "application/avro"
STORED = Outcome("stored")


class LakeWriter(RangeWriter):
    """Turns ranges of result topics into objects. `claim` is asked before the first write of a run."""

    def __init__(
        self, store: ObjectStore, decode: Decode, naming: Naming, stage: Stage, *,
        claim: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self._store = store
        self._decode = decode
        self._claim = claim
        self._formats = {naming.topic(topic): RowFormat.of(topic) for topic in stage.reads}

    def write(self, planned: Range) -> Sequence[Outcome]:
        """Put one object per hour that the range touches; see `RangeWriter.write`.

        An hour whose records are all bad gets an empty object: an earlier version may have stored rows there.
        """
        self._claim()
        objects: dict[int, tuple[str, Container]] = {}
        outcomes = [self._add(planned, record, objects) for record in planned.records]
        for key, container in objects.values():
            self._store.put(key, container.to_bytes(), content_type=AVRO)
            reach(Point.AFTER_S3_PUT)
        return outcomes

    def _add(self, planned: Range, record: Record, objects: dict[int, tuple[str, Container]]) -> Outcome:
        number = record.timestamp_ms // HOUR_MS
        if number not in objects:  # the hour's date and the object's name take as long as encoding a row
            hour = hour_of(record.timestamp_ms)
            if isinstance(hour, Rejected):
                return dead(hour)
            key = object_key(record.topic, record.partition, planned.start, hour)
            objects[number] = key, Container(key, self._formats[record.topic])
        fault = self._append(objects[number][1], record)
        return STORED if fault is None else dead(fault)

    def _append(self, container: Container, record: Record) -> Rejected | None:
        size = len(record.value or b"")
        if size > MAX_VALUE_BYTES:
            return Rejected("too-large", f"the value has {size} bytes, {MAX_VALUE_BYTES} are allowed")
        row = self._decode(record.value)
        if isinstance(row, Rejected):
            return row
        row["kafka_partition"] = record.partition
        row["kafka_offset"] = record.offset
        row["kafka_timestamp"] = record.timestamp_ms
        try:
            container.append(row)
        except Exception as error:  # noqa: BLE001 - fastavro raises whatever an ill-fitting row leads it to
            return Rejected("schema-mismatch", f"the value does not fit its topic ({type(error).__name__})")
        return None
