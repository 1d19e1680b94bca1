"""What is read of a file, and how little of it."""

import io
from typing import Any

import fastavro
import pytest

from fraud_platform.catalog.header import FIRST_BYTES, JUMP, READ_AHEAD, Header, read_header
from fraud_platform.core.outcome import Rejected

SCHEMA = {"type": "record", "name": "R", "fields": [{"name": "text", "type": "string"}]}


def avro(rows: int, *, text: str = "x" * 100, block: int = 16_000, schema: Any = SCHEMA) -> bytes:
    file = io.BytesIO()
    fastavro.writer(file, fastavro.parse_schema(schema), [{"text": text}] * rows, sync_interval=block, codec="null")
    return file.getvalue()


class Reads:
    """A file's bytes, and how many of them were read."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.bytes = 0
        self.calls = 0

    def __call__(self, start: int, length: int) -> bytes:
        found = self.data[start : start + length]
        self.calls, self.bytes = self.calls + 1, self.bytes + len(found)
        return found


@pytest.mark.parametrize("rows", [0, 1, 50, 1000, 5000])
def test_rows_of_short_blocks_are_counted_with_two_requests(rows: int) -> None:
    reads = Reads(avro(rows))
    found = read_header(reads, len(reads.data))
    assert isinstance(found, Header)
    assert found.rows == rows
    assert found.schema["fields"][0]["name"] == "text"
    assert reads.calls <= 2


def test_requests_grow_with_the_bytes_and_not_with_the_blocks() -> None:
    reads = Reads(avro(95, text="x" * 100_000, block=1))
    found = read_header(reads, len(reads.data))
    assert isinstance(found, Header)
    assert found.rows == 95
    assert reads.calls <= 2 + len(reads.data) // READ_AHEAD


def test_long_blocks_are_jumped_over() -> None:
    reads = Reads(avro(12, text="x" * JUMP, block=1))
    found = read_header(reads, len(reads.data))
    assert isinstance(found, Header)
    assert found.rows == 12
    assert reads.bytes <= FIRST_BYTES + READ_AHEAD + 20 * reads.calls


def test_an_object_that_shrank_since_it_was_listed_is_cut_off() -> None:
    data = avro(50)
    found = read_header(Reads(data), len(data) + 5)
    assert isinstance(found, Rejected)
    assert found.error_type == "truncated"


def test_a_small_file_is_asked_once() -> None:
    reads = Reads(avro(50))
    read_header(reads, len(reads.data))
    assert reads.calls == 1


def test_a_long_header_is_read_further() -> None:
    schema = {**SCHEMA, "doc": "d" * (2 * FIRST_BYTES)}
    data = avro(3, schema=schema)
    found = read_header(Reads(data), len(data))
    assert isinstance(found, Header)
    assert found.rows == 3


@pytest.mark.parametrize("length", [5, 40, 300])
def test_a_cut_file_is_told_so(length: int) -> None:
    data = avro(50)[:length]
    found = read_header(Reads(data), len(data))
    assert isinstance(found, Rejected)
    assert "cut off" in found.reason


@pytest.mark.parametrize(
    ("data", "kind"),
    [(b"", "not-avro"), (b"{}", "not-avro"), (b"Obj\x01\x00" + b"s" * 16, "no-schema")],
)
def test_what_is_no_avro_file_is_refused(data: bytes, kind: str) -> None:
    found = read_header(Reads(data), len(data))
    assert isinstance(found, Rejected)
    assert found.error_type == kind
