"""Avro container files whose bytes depend on rows and name alone."""

import io
import os
import subprocess
import sys
from decimal import Decimal
from typing import Any

import fastavro
import pytest

from fraud_platform.adapters.registry import load_schema
from fraud_platform.lake.container import BLOCK_BYTES, CODEC, Container, RowFormat, row_schema
from fraud_platform.topology import RESULT_TOPICS, TOPICS, Topic
from tests.rows import result

ROWS = RowFormat.of(Topic.RESULT)


def positioned(offset: int, **changes: Any) -> dict[str, Any]:
    position = {"kafka_partition": 0, "kafka_offset": offset, "kafka_timestamp": 1_767_268_800_123}
    return result(f"t-{offset}", **changes) | position


def file_of(*rows: dict[str, Any], key: str = "k") -> bytes:
    container = Container(key, ROWS)
    for row in rows:
        container.append(row)
    return container.to_bytes()


def read(body: bytes) -> list[Any]:
    return list(fastavro.reader(io.BytesIO(body)))


def test_rows_come_back_with_their_position() -> None:
    (found,) = read(file_of(positioned(7, AMOUNT=Decimal("12.500000001"))))
    assert found["AMOUNT"] == Decimal("12.500000001")
    assert (found["kafka_partition"], found["kafka_offset"]) == (0, 7)
    assert found["kafka_timestamp"].isoformat() == "2026-01-01T12:00:00.123000+00:00"


def test_equal_rows_under_one_name_make_equal_bytes() -> None:
    rows = [positioned(offset) for offset in range(2000)]
    assert file_of(*rows) == file_of(*rows)


def test_another_process_makes_the_same_bytes() -> None:
    """Neither hash seeds nor random markers may show."""
    code = (
        "import sys; from tests.lake.test_container import file_of, positioned;"
        "sys.stdout.buffer.write(file_of(positioned(1), positioned(2)))"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1] == file_of(positioned(1), positioned(2))


def test_files_of_other_names_are_told_apart_by_their_marker() -> None:
    assert file_of(key="a") != file_of(key="b")


def test_a_file_without_rows_is_valid() -> None:
    assert read(file_of()) == []


def test_many_rows_are_split_into_blocks() -> None:
    rows = [positioned(offset, STATUS="x" * 1000) for offset in range(3 * BLOCK_BYTES // 1000)]
    blocks = list(fastavro.block_reader(io.BytesIO(file_of(*rows))))
    assert len(blocks) > 2
    assert sum(block.num_records for block in blocks) == len(rows)


def test_the_codec_is_one_that_every_engine_reads() -> None:
    assert fastavro.reader(io.BytesIO(file_of())).metadata["avro.codec"] == CODEC == "snappy"


def test_a_row_that_does_not_fit_leaves_no_trace() -> None:
    container = Container("k", ROWS)
    container.append(positioned(1))
    with pytest.raises((TypeError, ValueError, KeyError)):
        container.append(positioned(2, SOURCE_PROCESS=object()))
    container.append(positioned(3))
    assert container.to_bytes() == file_of(positioned(1), positioned(3))


def test_fields_that_an_older_writer_did_not_know_take_their_defaults() -> None:
    row = positioned(1)
    del row["STATUS"]
    assert read(file_of(row))[0]["STATUS"] is None


@pytest.mark.parametrize("topic", RESULT_TOPICS)
def test_a_row_holds_the_topics_fields_and_the_position(topic: Topic) -> None:
    names = [field["name"] for field in row_schema(topic)["fields"]]
    assert names[-3:] == ["kafka_partition", "kafka_offset", "kafka_timestamp"]
    schema = TOPICS[topic].schema
    assert schema is not None
    assert names[:-3] == [field["name"] for field in load_schema(schema)["fields"]]


def test_a_topic_without_avro_has_no_rows() -> None:
    with pytest.raises(ValueError, match="carries no Avro"):
        row_schema(Topic.BANK_TRANSACTIONS)
