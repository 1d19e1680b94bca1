"""A customer that comes again is known by the bytes; what comes out is what fastavro reads, every time."""

import io
from decimal import Decimal
from typing import Any

import fastavro
import pytest

from fraud_platform.adapters import avro_decoder
from fraud_platform.adapters.avro import body_encoder, topic_schema
from fraud_platform.adapters.avro_decoder import DecodeBody, KnownRecords, compile_decoder
from fraud_platform.topology import Topic
from tests.builders import party, transfer

SCHEMA = topic_schema(Topic.UNIDENTIFIED)
encode = body_encoder(SCHEMA)


def body(**changes: Any) -> bytes:
    return encode(transfer(**{"amount": Decimal("12.5"), **changes}))


def by_fastavro(data: bytes) -> Any:
    return fastavro.schemaless_reader(io.BytesIO(data), fastavro.parse_schema(SCHEMA), None)


@pytest.fixture
def decode() -> DecodeBody:
    return compile_decoder(SCHEMA)


PEOPLE = [
    party("u-1"),
    party("u-1", name="Ada Else"),
    party("u-1", username="ada2", bank_account=None),
    party("u-10"),
    party("", name=None),
    party("é" * 31),
    party("x" * 64),
    party("x" * 64 + "y"),
    party("u-2", address="a" * 2000),
]


def test_customers_in_any_order_come_out_as_fastavro_reads_them(decode: DecodeBody) -> None:
    for sender in PEOPLE:
        for receiver in [*PEOPLE, sender]:
            data = body(sender_details=sender, receiver_details=receiver)
            assert decode(data, 0) == (by_fastavro(data), len(data))


def test_a_customer_that_comes_again_is_one_object_in_either_role(decode: DecodeBody) -> None:
    first, _ = decode(body(), 0)
    second, _ = decode(body(sender_details=party("u-2"), receiver_details=party("u-1")), 0)
    assert second["receiver_details"] is first["sender_details"]
    assert second["sender_details"] is first["receiver_details"]


@pytest.mark.parametrize("cut", range(len(body())))
def test_bytes_that_end_early_are_neither_read_nor_remembered(decode: DecodeBody, cut: int) -> None:
    whole = body()
    try:
        _, end = decode(whole[:cut], 0)
    except (LookupError, ValueError):
        pass
    else:
        assert end > cut
    assert decode(whole, 0) == (by_fastavro(whole), len(whole))


def test_the_memory_is_bounded_and_forgets_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(avro_decoder, "MOST_KNOWN", 2)
    read: list[int] = []

    def two_bytes(data: bytes, at: int) -> tuple[dict[str, Any], int]:
        read.append(data[at + 1])
        return {"id": data[at + 1]}, at + 2

    known = KnownRecords(two_bytes)
    for letter in b"abcbca":
        known(bytes([2, letter]), 0)
    assert bytes(read) == b"abca"


def test_a_customer_with_several_accounts_is_known_in_each_form(decode: DecodeBody) -> None:
    forms = [body(sender_details=party("u-1", bank_account=f"ACC-{number}")) for number in range(4)]
    first = [decode(data, 0)[0]["sender_details"] for data in forms]
    assert [decode(data, 0)[0]["sender_details"] for data in forms] == first
    assert all(decode(data, 0)[0]["sender_details"] is known for data, known in zip(forms, first, strict=True))


def test_no_more_forms_of_a_customer_are_kept_than_the_memory_allows(decode: DecodeBody) -> None:
    for number in range(20):
        data = body(sender_details=party("u-1", bank_account=f"ACC-{number}"))
        assert decode(data, 0) == (by_fastavro(data), len(data))


def test_a_long_customer_is_read_and_not_kept(decode: DecodeBody) -> None:
    data = body(sender_details=party("u-1", address="a" * 2000))
    first, _ = decode(data, 0)
    second, _ = decode(data, 0)
    assert first == second
    assert first["sender_details"] is not second["sender_details"]
