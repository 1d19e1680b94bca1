"""What comes again: discarded as long as its id is remembered, and said to be unchecked from then on."""

from random import Random

import pytest

from fraud_platform.rules.engine import Engine
from fraud_platform.rules.event import Event
from fraud_platform.rules.repeats import IDS, NEWEST
from tests.rules.building import DAY, HOUR, NOON, SECOND, engine, event, rule
from tests.rules.oracle import is_duplicate

ANY = rule("HIGH_TRANSACTION_AMOUNT", "at_least: 1")


def lines(count: int, apart: int) -> list[Event]:
    return [event(at=NOON + n * apart, transaction_id=f"n-{n}") for n in range(count)]


def test_a_line_months_behind_that_comes_twice_in_a_row_is_one_decision() -> None:
    rules = engine(ANY)
    state = rules.layout.new()
    rules.judge(event(at=NOON + 90 * DAY), state)
    old = event(at=NOON)
    assert [rules.judge(old, state).is_duplicate for _ in range(2)] == [False, True]


def test_an_old_file_that_is_sent_twice_to_a_living_account_is_discarded() -> None:
    """A thousand lines of three months behind an account that is up to date."""
    rules, file = engine(ANY), lines(1000, 2 * HOUR)
    state = rules.layout.new()
    for each in [*(event(at=NOON + n * DAY) for n in range(100)), *file]:
        rules.judge(each, state)
    assert all(rules.judge(each, state).is_duplicate for each in file)


def test_a_long_file_that_is_sent_twice_is_discarded_or_said_to_be_unchecked() -> None:
    """Three months, ten lines a day: the ids of the first lines are gone when they come again."""
    rules, file = engine(ANY), lines(900, DAY // 10)
    state = rules.layout.new()
    first = [rules.judge(each, state) for each in file]
    again = [rules.judge(each, state) for each in file]
    assert not any(each.is_duplicate or each.may_repeat for each in first)
    assert all(each.is_duplicate or each.may_repeat for each in again)
    assert [each.is_duplicate for each in again[-20:]] == [True] * 20  # of the last 48 hours


def test_a_short_file_that_is_sent_twice_is_discarded_however_long_ago_it_reaches() -> None:
    rules, file = engine(ANY), lines(NEWEST, 30 * DAY)
    state = rules.layout.new()
    for each in file:
        rules.judge(each, state)
    assert all(rules.judge(each, state).is_duplicate for each in file)


def test_the_hottest_account_keeps_the_newest_ids_and_says_what_it_cannot_tell() -> None:
    rules = engine(ANY)
    state = rules.layout.new()
    for each in lines(IDS + 10, SECOND):
        rules.judge(each, state)
    assert len(state.seen) == IDS
    assert rules.judge(event(IDS + 11, transaction_id=f"n-{IDS}"), state).is_duplicate
    forgotten = rules.judge(event(IDS + 11, transaction_id="n-0"), state)
    assert (forgotten.is_duplicate, forgotten.may_repeat) == (False, True)


@pytest.mark.parametrize(("draw", "lateness"), [(Random(5), 1), (Random(6), 24), (Random(7), 300)])
def test_no_repetition_passes_as_a_new_transaction(draw: Random, lateness: int) -> None:
    """Whatever was accepted before, by brute force; restored every now and then."""
    rules = engine(ANY, head=f"lateness: {lateness}h")
    state, accepted, unchecked = rules.layout.new(), [], 0
    for n in range(1500):
        behind = draw.choice([0, 0, draw.randrange(HOUR), draw.randrange(60 * DAY)])
        each = event(at=NOON + n * HOUR // 2 - behind, transaction_id=str(draw.randrange(600)))
        if n % 50 == 0:
            state = rules.layout.load(rules.layout.dump(state))
        found = rules.judge(each, state)
        repeats = is_duplicate(each, accepted)
        assert found.is_duplicate == repeats or (repeats and found.may_repeat)
        assert found.is_late or not found.may_repeat
        unchecked += found.may_repeat
        accepted += [] if found.is_duplicate else [each]
    assert unchecked < 1500 / 2


def test_a_repetition_leaves_no_trace() -> None:
    rules, file = engine(ANY), lines(100, HOUR)
    state = rules.layout.new()
    for each in file:
        rules.judge(each, state)
    before = rules.layout.dump(state)
    assert all(rules.judge(each, state).is_duplicate for each in file[80:])
    assert rules.layout.dump(state) == before


@pytest.mark.parametrize("at", [None, NOON])
def test_without_a_time_or_a_state_no_repetition_can_be_told(at: int | None) -> None:
    rules: Engine = engine(ANY)
    state = rules.layout.new() if at is None else None
    assert rules.judge(event(at=at), state).may_repeat
