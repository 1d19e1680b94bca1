"""Ranges become objects: one per hour, complete, and the same each time."""

import io
from typing import Any

import fastavro
import pytest

from fraud_platform.core.log import Partition
from fraud_platform.core.outcome import Outcome, Record
from fraud_platform.core.partitioning import HOUR_MS
from fraud_platform.errors import StoreUnavailable
from fraud_platform.lake.writer import LakeWriter
from fraud_platform.runtime.planned import Range
from fraud_platform.topology import LAKE, MAX_VALUE_BYTES, Topic
from tests.builders import NOON
from tests.fakes.bucket import FakeBucket
from tests.rows import NAMING, decision, monitored, reader, result, stored, user, wire

FOLDER = "fraudulent-transactions/p-fraudulent-transactions-result/dt=2026-01-01"
NAME = "p-fraudulent-transactions-result+0+00000000000000000010.avro"


@pytest.fixture
def bucket() -> FakeBucket:
    return FakeBucket()


@pytest.fixture
def writer(bucket: FakeBucket) -> LakeWriter:
    return LakeWriter(bucket, reader().decode, NAMING, LAKE)


def of(*records: Record, start: int = 10, topic: Topic = Topic.RESULT) -> Range:
    return Range(Partition(NAMING.topic(topic), 0), start, start + 100, records)


def rows(bucket: FakeBucket, key: str) -> list[Any]:
    return list(fastavro.reader(io.BytesIO(bucket.objects[key])))


def names(outcomes: Any) -> list[str]:
    return [outcome.name for outcome in outcomes]


def test_an_hour_becomes_one_object_named_after_the_ranges_start(writer: LakeWriter, bucket: FakeBucket) -> None:
    outcomes = writer.write(of(stored(Topic.RESULT, result("t-1"), offset=12)))
    assert outcomes == [Outcome("stored")]
    (row,) = rows(bucket, f"{FOLDER}/hr=12/{NAME}")
    assert (row["TRANSACTION_ID"], row["kafka_offset"]) == ("t-1", 12)


def test_a_range_over_two_hours_becomes_two_objects_of_one_name(writer: LakeWriter, bucket: FakeBucket) -> None:
    times = (NOON - 1, NOON, NOON + HOUR_MS - 1, NOON - HOUR_MS)  # order of offsets, not of times
    records = [stored(Topic.RESULT, result(f"t-{n}"), offset=10 + n, at_ms=at) for n, at in enumerate(times)]
    writer.write(of(*records))
    assert sorted(bucket.objects) == [f"{FOLDER}/hr=11/{NAME}", f"{FOLDER}/hr=12/{NAME}"]
    found = {key: [row["kafka_offset"] for row in rows(bucket, key)] for key in bucket.objects}
    assert found == {f"{FOLDER}/hr=11/{NAME}": [10, 13], f"{FOLDER}/hr=12/{NAME}": [11, 12]}


def test_writing_a_range_again_writes_the_same_bytes(writer: LakeWriter, bucket: FakeBucket) -> None:
    planned = of(*(stored(Topic.RESULT, result(f"t-{n}"), offset=n, at_ms=NOON + n * 60_000) for n in range(100)))
    writer.write(planned)
    first = dict(bucket.objects)
    writer.write(planned)
    assert bucket.objects == first


def test_a_bad_record_is_a_dead_letter_and_its_neighbours_are_stored(writer: LakeWriter, bucket: FakeBucket) -> None:
    good = stored(Topic.RESULT, result("t-1"), offset=10)
    bad = stored(Topic.RESULT, b"\x00\x00\x00\x00\x01rubbish", offset=11)
    assert names(writer.write(of(good, bad, good))) == ["stored", "dead-lettered", "stored"]
    assert len(rows(bucket, f"{FOLDER}/hr=12/{NAME}")) == 2


def test_an_hour_of_bad_records_gets_an_empty_object(writer: LakeWriter, bucket: FakeBucket) -> None:
    writer.write(of(stored(Topic.RESULT, b"rubbish", offset=10)))
    assert rows(bucket, f"{FOLDER}/hr=12/{NAME}") == []


@pytest.mark.parametrize(
    ("value", "error_type"),
    [
        (None, "tombstone"),
        (b"", "invalid-avro"),
        (b"\x00\x00\x00\x00\x63x", "unknown-schema"),
        (b"\x00" * (MAX_VALUE_BYTES + 1), "too-large"),
        (wire(Topic.USERS, user()), "schema-mismatch"),
    ],
)
def test_each_fault_has_a_name(writer: LakeWriter, value: bytes | None, error_type: str) -> None:
    (outcome,) = writer.write(of(stored(Topic.RESULT, value)))
    assert outcome.rejected is not None
    assert outcome.rejected.error_type == error_type


def test_a_record_without_a_possible_hour_is_a_dead_letter(writer: LakeWriter, bucket: FakeBucket) -> None:
    (outcome,) = writer.write(of(stored(Topic.RESULT, result(), at_ms=2**62)))
    assert outcome.name == "dead-lettered"
    assert bucket.objects == {}


def test_a_dead_letters_reason_never_holds_a_value(writer: LakeWriter) -> None:
    value = wire(Topic.USERS, user(NAME="Ada Secret"))
    (outcome,) = writer.write(of(stored(Topic.RESULT, value)))
    assert outcome.rejected is not None
    assert "Secret" not in outcome.rejected.reason


@pytest.mark.parametrize(
    ("topic", "value"),
    [
        (Topic.USERS, user()),
        (Topic.MONITORED, monitored()),
        (Topic.DECISIONS, decision()),
        (Topic.RESULT, result()),
    ],
)
def test_every_result_topic_has_its_own_folder(
    writer: LakeWriter, bucket: FakeBucket, topic: Topic, value: dict[str, Any]
) -> None:
    assert names(writer.write(of(stored(topic, value, offset=10), topic=topic))) == ["stored"]
    (key,) = bucket.objects
    assert key.startswith(f"fraudulent-transactions/p-{topic.value}/dt=2026-01-01/hr=12/")


def test_a_store_that_is_away_is_told_to_the_runtime(writer: LakeWriter, bucket: FakeBucket) -> None:
    bucket.is_down = True
    with pytest.raises(StoreUnavailable):
        writer.write(of(stored(Topic.RESULT, result())))


def test_the_claim_is_asked_before_anything_is_written(bucket: FakeBucket) -> None:
    def refuse() -> None:
        raise StoreUnavailable("not now")

    writer = LakeWriter(bucket, reader().decode, NAMING, LAKE, claim=refuse)
    with pytest.raises(StoreUnavailable, match="not now"):
        writer.write(of(stored(Topic.RESULT, result())))
    assert bucket.puts == []
