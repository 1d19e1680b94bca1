"""Recent events, where some are to be expected."""

from datetime import timedelta

import pytest

from fraud_platform.quality.recency import Newest, is_recent
from tests.quality.makers import NOW


def newest(minutes: float | None, **changes) -> Newest:
    at = None if minutes is None else NOW - timedelta(minutes=minutes)
    return Newest(**{"at": at, "is_expected": True} | changes)


@pytest.mark.parametrize(
    ("found", "passed", "is_warning"),
    [
        (newest(None), True, False),
        (newest(0), True, False),
        (newest(30), True, False),
        (newest(31), False, True),
        (newest(31, is_expected=False), True, False),
        (newest(31, left=0), True, False),
        (newest(31, left=1), False, False),
        (newest(30, left=1), True, False),
        (newest(-4), True, False),
        (newest(-6), False, True),
        (newest(-6, left=0), False, True),
    ],
    ids=[
        "empty", "now", "just recent", "quiet input", "demo off", "nothing waits", "stuck output", "output in time",
        "a clock a little off", "a clock far off", "an output of the future",
    ],
)  # fmt: skip
def test_events_are_recent_where_they_should_be(found: Newest, passed: bool, is_warning: bool) -> None:
    verdict = is_recent("users", found, limit_s=1800, now=NOW)
    assert (verdict.passed, verdict.is_warning) == (passed, is_warning)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (newest(90), "has had no record for 1.5 h. See whether its senders run"),
        (newest(90, left=1234), "is 1.5 h old though 1,234 records wait"),
        (newest(-90), "is dated 1.5 h in the future. Set the clock"),
    ],
)
def test_a_failure_says_how_old_and_what_to_do(found: Newest, said: str) -> None:
    assert said in is_recent("users", found, limit_s=1800, now=NOW).description
