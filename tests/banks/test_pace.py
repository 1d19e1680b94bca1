import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud_platform.banks.pace import Pace


def test_the_first_transfer_is_due_at_once():
    assert Pace(0.1, now=50.0).due(50.0) == 1


def test_nothing_more_is_due_until_the_interval_is_over():
    """|---- 0.5 s ----|---- 0.5 s ----|
    first             second"""
    pace = Pace(2, now=0.0)
    pace.take(1)
    assert pace.due(0.49) == 0
    assert pace.wait(0.2) == pytest.approx(0.3)
    assert pace.due(0.5) == 1


@given(rate=st.floats(0.5, 50_000), step=st.floats(0.0005, 0.9), steps=st.integers(1, 200))
def test_a_steady_loop_keeps_the_rate_exactly(rate, step, steps):
    pace, now, taken = Pace(rate, now=0.0), 0.0, 0
    for _ in range(steps):
        now += step
        due = pace.due(now)
        pace.take(due)
        taken += due
    assert abs(taken - (now * rate + 1)) <= 1


def test_after_a_long_pause_one_second_s_worth_is_made_up_and_no_more():
    """[599 s, 600 s] holds 21 of them: both ends count."""
    pace = Pace(20, now=0.0)
    pace.take(pace.due(0.0))
    assert pace.due(600.0) == 21
    pace.take(21)
    assert pace.due(600.0) == 0
    assert pace.wait(600.0) == pytest.approx(1 / 20)


def test_without_a_rate_there_is_always_something_due():
    pace = Pace(None, now=0.0)
    pace.take(10**6)
    assert pace.due(0.0) > 10**6
    assert pace.wait(0.0) == 0


@pytest.mark.parametrize("rate", [0, -1])
def test_a_rate_that_is_not_positive_is_refused(rate):
    with pytest.raises(ValueError, match="above 0"):
        Pace(rate, now=0.0)
