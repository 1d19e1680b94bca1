"""Stored decisions read by their parts say what the full decoding says."""

from datetime import UTC, datetime
from typing import Any

import pytest

from fraud_platform.adapters.avro import topic_schema
from fraud_platform.adapters.avro_decoder import compile_decoder
from fraud_platform.adapters.avro_encoder import compile_encoder
from fraud_platform.adapters.stored_decision import DecisionReader
from fraud_platform.core.outcome import Rejected
from fraud_platform.replay.compare import decision_of
from fraud_platform.topology import Topic
from tests.rows import decision

HEADER = b"\x00\x00\x00\x00\x07"
HIT = {
    "rule_id": "high", "criterion": "HIGH", "observed": "1", "limit": None, "window": "PT10S", "contributing_count": 3,
    "late": True, "action": "BLOCK",
}  # fmt: skip
UNCLEAR = {"rule_id": "other", "reason": "the transaction has no time"}
encode = compile_encoder(topic_schema(Topic.DECISIONS), header=HEADER)
_run = compile_decoder(topic_schema(Topic.DECISIONS))


class Decoding:
    """Full decodings, counted."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, value: bytes | None) -> dict[str, Any] | Rejected:
        self.count += 1
        if value is None or len(value) < 20:
            return Rejected("invalid-avro", "the value is empty")
        row: dict[str, Any] = _run(value, len(HEADER))[0]
        return row


ROWS = [
    decision(transaction_id="a"),
    decision(transaction_id="b"),
    decision(transaction_id="c", hits=[HIT]),
    decision(transaction_id="d", hits=[HIT], not_evaluable=[UNCLEAR]),
    decision(transaction_id="x" * 200),
    decision(transaction_id="é🙂"),
    decision(transaction_id=""),
    decision(transaction_id="e", rule_set_version="external"),
]


def reading() -> tuple[DecisionReader, Decoding]:
    decoding = Decoding()
    return DecisionReader(decoding, "validation", ["monitoring"]), decoding


def key(row: dict[str, Any]) -> bytes:
    return str(row["transaction_id"]).encode()


@pytest.mark.parametrize("row", ROWS, ids=range(len(ROWS)))
def test_the_second_reading_says_what_the_first_said(row: dict[str, Any]) -> None:
    reader, decoding = reading()
    found = [reader.read(key(row), encode(row)) for _ in range(2)]
    assert found == [(row["transaction_id"], decision_of(row))] * 2
    assert decoding.count == (2 if len(row["transaction_id"]) > 63 else 1)


def test_each_rest_is_decoded_once_whatever_id_and_time_stand_before_it() -> None:
    reader, decoding = reading()
    later = {"transaction_id": "new", "decided_at": datetime(2050, 1, 1, tzinfo=UTC)}
    for row in (*ROWS[:4], *(each | later for each in ROWS[:4])):
        assert reader.read(key(row), encode(row)) == (row["transaction_id"], decision_of(row))
    assert decoding.count == 3  # the first two say the same


def test_what_another_stage_decided_is_not_decoded() -> None:
    reader, decoding = reading()
    row = decision(stage="monitoring", hits=[HIT])
    assert reader.read(key(row), encode(row)) is None
    assert decoding.count == 0
    assert reader.read(b"another key", encode(row)) is None
    assert decoding.count == 1


def test_a_key_of_another_writer_is_not_believed() -> None:
    reader, decoding = reading()
    for other in (b"b", b"", b"aa", None):
        assert reader.read(other, encode(ROWS[0])) == ("a", decision_of(ROWS[0]))
    assert decoding.count == 4


def test_another_schema_id_is_another_layout() -> None:
    reader, decoding = reading()
    for header in (HEADER, b"\x00\x00\x00\x00\x08"):
        reader.read(b"a", header + encode(ROWS[0])[len(HEADER) :])
    assert decoding.count == 2


@pytest.mark.parametrize("value", [None, b"", b"\x00", HEADER, HEADER + b"\x02", HEADER + b"\xff" * 4])
@pytest.mark.parametrize("name", [None, b"", b"a", b"\xff"])
def test_what_is_no_decision_is_left_to_the_decoder_to_refuse(name: bytes | None, value: bytes | None) -> None:
    reader, _ = reading()
    assert isinstance(reader.read(name, value), Rejected)
