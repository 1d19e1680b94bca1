"""Hours and object names of the lake."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud_platform.core.outcome import Rejected
from fraud_platform.core.partitioning import HOUR_MS, hour_of, identity_key, object_key

NOON = 1_767_268_800_000
TOPIC = "demo-fraudulent-transactions-result"


def test_an_object_is_named_by_topic_hour_partition_and_first_offset() -> None:
    hour = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert object_key(TOPIC, 3, 1042, hour) == (
        "fraudulent-transactions/demo-fraudulent-transactions-result/dt=2026-01-01/hr=12/"
        "demo-fraudulent-transactions-result+3+00000000000000001042.avro"
    )


def test_names_of_one_partition_sort_by_offset() -> None:
    hour = datetime(2026, 1, 1, 12, tzinfo=UTC)
    names = [object_key(TOPIC, 0, offset, hour) for offset in (9, 10, 2**62)]
    assert names == sorted(names)


def test_years_before_1000_keep_four_digits() -> None:
    assert "dt=0999-12-31" in object_key("t", 0, 0, datetime(999, 12, 31, tzinfo=UTC))


@pytest.mark.parametrize(
    ("timestamp_ms", "hour"), [(NOON - 1, 11), (NOON, 12), (NOON + HOUR_MS - 1, 12), (NOON + HOUR_MS, 13)]
)
def test_an_hour_holds_its_start_and_not_its_end(timestamp_ms: int, hour: int) -> None:
    assert hour_of(timestamp_ms) == datetime(2026, 1, 1, hour, tzinfo=UTC)


def test_a_record_without_timestamp_lies_before_the_epoch() -> None:
    assert hour_of(-1) == datetime(1969, 12, 31, 23, tzinfo=UTC)


@given(st.integers(min_value=-62_135_596_800_000, max_value=253_402_300_799_999))
def test_every_moment_lies_in_its_hour(timestamp_ms: int) -> None:
    hour = hour_of(timestamp_ms)
    assert isinstance(hour, datetime)
    start_ms = round(hour.timestamp()) * 1000
    assert start_ms <= timestamp_ms < start_ms + HOUR_MS


@pytest.mark.parametrize("timestamp_ms", [2**63 - 1, -(2**63), 253_402_300_800_000])
def test_a_timestamp_that_no_calendar_has_is_a_fault_of_the_record(timestamp_ms: int) -> None:
    found = hour_of(timestamp_ms)
    assert isinstance(found, Rejected)
    assert str(timestamp_ms) not in found.reason


def test_the_topics_identity_lies_outside_of_what_a_crawler_finds() -> None:
    assert identity_key("users") == "_fraud_platform/topics/users.json"
    assert not identity_key("users").startswith("fraudulent-transactions/")
