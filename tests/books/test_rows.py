"""Equal content has equal fingerprints, whichever store it comes from; sums forget the order."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from hypothesis import given
from hypothesis import strategies as st

from fraud_platform.books.rows import BUCKETS, Row, Sums, bucket, differing, fingerprint, plain, plain_fields

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Decimal("12.500000000"), Decimal128("12.5")),
        (Decimal("1E+2"), Decimal("100")),
        (NOON, NOON.replace(tzinfo=None)),
        (7, Int64(7)),
        ([{"Limit": "1", "window": None}], ({"limit": "1"},)),
    ],
)
def test_stores_spell_one_value_differently(one: Any, other: Any) -> None:
    assert plain(one) == plain(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [(Decimal("12.5"), "12.5"), (Decimal("12.5"), 12.5), (NOON, 1767268800000), ("1", 1), (["a"], "a")],
)
def test_another_type_is_another_value(one: Any, other: Any) -> None:
    assert plain(one) != plain(other)


def test_what_is_not_finite_or_unknown_has_a_text_too() -> None:
    assert plain(Decimal128("NaN")) == "money:NaN"
    assert plain(b"x") == "bytes:b'x'"


def test_fields_have_lower_case_names_and_neither_nulls_nor_positions() -> None:
    found = plain_fields({"AMOUNT": Decimal("1"), "STATUS": None, "_id": "t", "kafka_offset": 3, "dt": "2026"})
    assert found == {"amount": "money:1"}


def row(**fields: Any) -> Row:
    return Row("t", 0, 0, "", fields)


def test_a_fingerprint_knows_id_position_and_fields() -> None:
    marks = {
        fingerprint(each)
        for each in (row(a=1), row(a=2), row(b=1), Row("u", 0, 0, "", {"a": 1}), Row("t", 1, 0, "", {"a": 1}),
                     Row("t", 0, 1, "", {"a": 1}))
    }  # fmt: skip
    assert len(marks) == 6
    assert fingerprint(row(a=1, b={"x": 1, "y": 2})) == fingerprint(row(b={"y": 2, "x": 1}, a=1))
    assert fingerprint(row(a=1, b=2), without=frozenset({"b"})) == fingerprint(row(a=1))


marks = st.lists(st.integers(0, 2**128 - 1), max_size=20)


@given(marks, st.randoms())
def test_what_is_added_and_taken_in_any_order_leaves_nothing(found: list[int], chance: Any) -> None:
    sums: Sums[str] = Sums()
    for mark in found:
        sums.add("k", mark)
    for mark in chance.sample(found, len(found)):
        sums.take("k", mark)
    assert sums == {}


@given(marks, marks)
def test_other_marks_leave_something(one: list[int], other: list[int]) -> None:
    sums: Sums[str] = Sums()
    for mark in one:
        sums.add("k", mark)
    for mark in other:
        sums.take("k", mark)
    assert (sums == {}) == (len(one) == len(other) and sum(one) == sum(other))


def test_groups_of_ids_are_few_and_even() -> None:
    found = [bucket(f"t-{n}") for n in range(40_000)]
    assert 0 <= min(found) <= max(found) < BUCKETS
    assert len(set(found)) > BUCKETS * 0.99


def test_differing_fields_are_named() -> None:
    assert differing({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 4}) == ["b", "c"]
    assert differing({"a": 1}, {}, without=["a"]) == []
