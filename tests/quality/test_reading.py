"""Readers keep up, and retention leaves them time."""

from datetime import timedelta

import pytest

from fraud_platform.quality.reading import Reader, keeps_up, leaves_time
from tests.quality.makers import NOW

DAY = 86400.0
RETENTION = 30 * DAY


def reader(lag: int = 0, *, days: float | None = None, **changes) -> Reader:
    oldest = None if days is None else NOW - timedelta(days=days)
    return Reader(**{"stage": "lake", "lag": lag, "oldest_unread": oldest} | changes)


@pytest.mark.parametrize(
    ("lags", "passed"), [([], True), ([0], True), ([1], True), ([1000], True), ([1001], False), ([0, 5000], False)]
)
def test_a_reader_may_be_so_far_behind(lags: list[int], passed: bool) -> None:
    readers = [reader(lag, stage=f"s{n}") for n, lag in enumerate(lags)]
    assert keeps_up("users", readers, limit=1000).passed is passed


def test_a_lag_names_who_is_late_and_what_to_do() -> None:
    verdict = keeps_up("users", [reader(5), reader(5000, stage="documents")], limit=1000)
    assert verdict.description.startswith("documents (5,000 records) lag behind users by more than 1,000")
    assert "FRAUD_REPLICAS=documents=N" in verdict.description
    assert verdict.facts == {"lag_lake": 5, "lag_documents": 5000}


@pytest.mark.parametrize(
    ("readers", "retention_s", "passed", "is_warning"),
    [
        ([reader()], RETENTION, True, False),
        ([reader(9, days=7)], RETENTION, True, False),
        ([reader(9, days=7.5)], RETENTION, False, True),
        ([reader(9, days=14.9)], RETENTION, False, True),
        ([reader(9, days=15)], RETENTION, False, False),
        ([reader(9, days=400)], None, True, False),
        ([reader(9, days=-1)], RETENTION, True, False),
        ([reader(9, days=1), reader(9, days=20, stage="documents")], RETENTION, False, False),
        ([reader(days=None, lost=(2,))], None, False, False),
        ([], RETENTION, True, False),
    ],
    ids=[
        "all read",
        "young",
        "a quarter",
        "nearly half",
        "half",
        "kept for ever",
        "future",
        "one of two",
        "lost",
        "none",
    ],
)
def test_the_oldest_unread_record_must_be_far_from_its_end(
    readers: list[Reader], retention_s: float | None, passed: bool, is_warning: bool
) -> None:
    verdict = leaves_time("users", readers, retention_s=retention_s, now=NOW)
    assert (verdict.passed, verdict.is_warning) == (passed, is_warning)


def test_a_record_about_to_vanish_names_its_age_and_the_way_out() -> None:
    verdict = leaves_time("users", [reader(9, days=20)], retention_s=RETENTION, now=NOW)
    assert "users that lake has not read is 20.0 d old, and Kafka deletes it after 30.0 d" in verdict.description
    assert "raise the topic's retention.ms" in verdict.description
    assert verdict.facts["oldest_unread_seconds_lake"] == 20 * DAY


def test_a_lost_place_names_its_partitions_and_the_page() -> None:
    verdict = leaves_time("users", [reader(lost=(0, 3))], retention_s=None, now=NOW)
    assert "lake in users/0, users/3" in verdict.description
    assert "docs/operations.md" in verdict.description


@pytest.mark.parametrize(
    ("behind_begin", "is_cut", "lag", "passed"),
    [(10, True, 90, False), (30, True, 70, True), (10, False, 90, True), (0, True, 0, True)],
    ids=["among the next to go", "far enough", "not cut by size", "all read"],
)
def test_a_topic_at_its_size_must_not_cut_off_its_reader(
    behind_begin: int, is_cut: bool, lag: int, passed: bool
) -> None:
    found = reader(lag, days=0.1, behind_begin=behind_begin, held=100, is_cut_by_size=is_cut)
    verdict = leaves_time("bank-transactions", [found], retention_s=RETENTION, now=NOW)
    assert verdict.passed is passed
    assert passed or "retention.bytes" in verdict.description
