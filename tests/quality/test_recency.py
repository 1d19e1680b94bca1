"""Recent events, where some are to be expected."""

from datetime import timedelta

import pytest

from fraud_platform.quality.recency import END, Before, Newest, is_recent
from tests.quality.makers import NOW


def newest(minutes: float | None, **changes) -> Newest:
    at = None if minutes is None else NOW - timedelta(minutes=minutes)
    return Newest(**{"at": at, "is_expected": True, "is_input": True} | changes)


def result(minutes: float, waits: float | None) -> Newest:
    """A topic that a stage makes, before which records have waited for so many minutes."""
    since = None if waits is None else NOW - timedelta(minutes=waits)
    return newest(minutes, is_input=False, is_expected=False, waits_since=since)


@pytest.mark.parametrize(
    ("found", "passed", "is_warning"),
    [
        (newest(None), True, False),
        (newest(0), True, False),
        (newest(30), True, False),
        (newest(31), False, True),
        (newest(31, is_expected=False), True, False),
        (result(31, None), True, False),
        (result(31, 31), False, False),
        (result(31, 30), True, False),
        (result(30, 31), True, False),
        (newest(-4), True, False),
        (newest(-6), False, True),
        (result(-6, None), False, True),
    ],
    ids=[
        "empty", "now", "just recent", "quiet input", "demo off", "nothing waits", "stuck output", "just waiting",
        "output in time", "a clock a little off", "a clock far off", "an output of the future",
    ],
)  # fmt: skip
def test_events_are_recent_where_they_should_be(found: Newest, passed: bool, is_warning: bool) -> None:
    verdict = is_recent("users", found, limit_s=1800, now=NOW)
    assert (verdict.passed, verdict.is_warning) == (passed, is_warning)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (newest(90), "has had no record for 1.5 h. See whether its senders run"),
        (result(90, 80), "is 1.5 h old though others have waited for 1.3 h"),
        (newest(-90), "is dated 1.5 h in the future. Set the clock"),
    ],
)
def test_a_failure_says_how_old_and_what_to_do(found: Newest, said: str) -> None:
    assert said in is_recent("users", found, limit_s=1800, now=NOW).description


@pytest.mark.parametrize(
    ("found", "end_before", "passed"),
    [
        (newest(300, end=50), 40, True),
        (newest(300, end=50), 50, False),
        (newest(40, end=50), 40, False),
        (newest(300, end=50, is_input=False, waits_since=NOW - timedelta(hours=9)), 40, True),
        (newest(300, end=50, is_input=False, waits_since=NOW - timedelta(hours=9)), 50, False),
    ],
    ids=["a replay", "nothing came", "it stopped since", "results of a replay", "no result of a replay"],
)
def test_what_is_sent_again_with_its_old_times_flows(found: Newest, end_before: int, *, passed: bool) -> None:
    before = Before(NOW - timedelta(hours=1), end_before)
    verdict = is_recent("users", found, limit_s=1800, now=NOW, before=before)
    assert verdict.passed is passed
    assert verdict.facts[END] == 50
