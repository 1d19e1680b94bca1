"""Which rules judge what, and what becomes of each record, by tables; lines over no broker."""

from collections.abc import Callable

import msgspec
import pytest

from fraud_platform.core.decisions import Action, Decision, Hit
from fraud_platform.replay.tally import HISTORY, OLD, REPEATS, UNKNOWN
from tests.builders import NOON
from tests.replay.bench import DAY_MS, LARGE, THIRD, Bench, ms, stored, third


def test_a_decision_may_come_before_or_after_its_record() -> None:
    bench = Bench()
    bench.hear(ms(0), stored("a"))
    bench.line("a")
    bench.line("b", 1)
    bench.hear(ms(1), stored("b"))
    assert bench.finished().identical == 2
    assert bench.looked == ["b"]


@pytest.mark.parametrize(
    ("put", "outcome"),
    [
        (lambda bench: bench.line("a", partition=1), "rekeyed"),
        (lambda bench: bench.line("a", depositAmount="-1"), "dead-lettered"),
        (lambda bench: bench.line("a", offset=99), "dead-lettered"),
        (lambda bench: (bench.line("x", counts=False), bench.line("x")), "duplicate"),
    ],
)
def test_what_is_not_judged_is_counted_and_needs_no_decision(put: Callable[[Bench], None], outcome: str) -> None:
    bench = Bench()
    put(bench)
    found = bench.finished()
    assert found.outcomes == {outcome: 1}
    assert (found.missing.count, found.identical) == (0, 0)


def test_a_decision_that_differs_is_named() -> None:
    bench = Bench()
    bench.hear(ms(0), stored("a", action=Action.REVIEW))
    bench.line("a")
    found = bench.finished()
    assert (found.identical, found.different.count, found.different.examples) == (0, 1, ["a"])
    assert [(names, pile.count) for names, pile in found.moves.items()] == [(("REVIEW", "ALLOW"), 1)]


def test_a_record_without_a_decision_is_missing_one() -> None:
    bench = Bench()
    bench.line("a")
    assert bench.finished().missing.examples == ["a"]


def test_a_second_decision_about_a_repetition_is_told() -> None:
    bench = Bench()
    bench.hear(ms(0), stored("a"))
    bench.line("a")
    bench.line("a", 1)
    bench.hear(ms(1), stored("a"))
    found = bench.finished()
    assert (found.identical, found.twice.examples) == (1, ["a"])


def test_a_decision_whose_record_is_elsewhere_is_counted() -> None:
    bench = Bench()
    bench.hear(ms(0), stored("a"))
    assert bench.finished().outside == 1


def test_a_decision_from_another_time_is_none_of_the_range() -> None:
    bench = Bench(dated=(ms(1), ms(2)))
    for minutes in (0, 1, 2):
        bench.hear(ms(minutes), stored(f"t-{minutes}"))
    assert bench.finished().outside == 1


def test_a_record_from_the_near_future_finds_the_decision_that_was_dated_by_the_clock() -> None:
    bench = Bench()
    bench.line("a", 10)
    bench.hear(ms(3), stored("a"))
    found = bench.finished()
    assert (found.identical, found.missing.count, found.outside) == (1, 0, 0)


def test_after_the_last_record_only_what_is_waited_for_is_kept() -> None:
    bench = Bench()
    bench.line("a")
    bench.session.close()
    bench.hear(ms(0), stored("b"))
    bench.hear(ms(0), stored("a"))
    assert (bench.book.stored, bench.finished().outside) == (0, 1)


def test_each_decision_is_compared_with_the_rules_that_made_it() -> None:
    bench = Bench()
    bench.hear(ms(0), stored("t-0"))
    bench.hear(ms(1), stored("t-1"))
    bench.hear(ms(2), third("t-2", 3))
    for n in range(2):
        bench.line(f"t-{n}", n)
    bench.line("t-1", 1.5)  # a repetition changes nothing, whatever judges
    bench.line("t-2", 2)
    found = bench.finished()
    # The new rule's window was filled from the lines before the switch, as monitoring fills it.
    assert (found.identical, found.different.count) == (3, 0)
    assert found.outcomes == {"judged": 3, "duplicate": 1}
    assert set(found.stored_versions) == {LARGE.rule_set.version, THIRD.rule_set.version}


def test_a_line_before_the_log_is_in_no_window_although_it_comes_again() -> None:
    bench = Bench(whole=False)
    far = 3 * 24 * 60
    bench.line("early", 0)
    for n in range(2):
        bench.hear(ms(far + n), stored(f"t-{n}", THIRD))
        bench.line(f"t-{n}", far + n)
    found = bench.finished()
    assert (found.identical, found.not_compared) == (2, {REPEATS: 1})


def test_rules_that_are_not_known_are_said() -> None:
    bench = Bench()
    bench.hear(ms(0), Decision(transaction_id="a", action=Action.ALLOW, rule_set_version="external"))
    bench.line("a")
    found = bench.finished()
    assert found.not_compared == {UNKNOWN: 1}
    assert not found.outcomes["judged"]


def test_other_rules_change_decisions_and_break_nothing() -> None:
    bench = Bench(THIRD)
    for n in range(3):
        bench.hear(ms(n), stored(f"t-{n}"))
        bench.line(f"t-{n}", n, "7.50")
    found = bench.finished()
    assert (found.identical, found.changed.count, found.different.count) == (2, 1, 0)
    assert found.rules["third"].newly.examples == ["t-2"]
    assert found.rules["third"].newly.units == 7_500_000_000
    assert bench.looked == []


def test_what_came_before_the_range_fills_the_windows_and_is_not_compared() -> None:
    bench = Bench(THIRD)
    bench.line("t-0", 0, counts=False)
    bench.line("t-1", 1, counts=False)
    bench.hear(ms(2), stored("t-2", THIRD))
    bench.line("t-2", 2)
    found = bench.finished()
    assert found.rules["third"].hits.examples == ["t-2"]
    assert (found.outcomes, found.missing.count) == ({"judged": 1}, 0)


def test_where_the_past_is_not_known_a_window_is_no_reason_for_a_difference() -> None:
    bench = Bench(whole=False)
    bench.hear(ms(0), stored("t-0", THIRD))
    bench.line("t-0", 0)
    found = bench.finished()
    assert (found.not_compared, found.different.count) == ({HISTORY: 1}, 0)


def test_what_may_repeat_something_from_before_is_not_missing() -> None:
    bench = Bench(LARGE, whole=False)
    bench.line("t-0", 0)
    found = bench.finished()
    assert (found.not_compared, found.missing.count) == ({REPEATS: 1}, 0)


def test_records_older_than_the_decisions_that_were_read_are_said() -> None:
    bench = Bench(LARGE, hears_from_ms=ms(5))
    bench.line("t-0", 0)
    assert bench.finished().not_compared == {OLD: 1}


def test_packed_accounts_decide_as_unpacked_ones() -> None:
    found = []
    for live in (1, 1_000):
        bench = Bench(THIRD, live=live)
        for n in range(40):
            bench.line(f"t-{n}", n, accountNumber=f"A{n % 5}")
        assert len(bench.memory) == 5
        found.append(bench.finished().rules["third"].hits.count)
    assert found == [30, 30]


def test_an_account_is_forgotten_when_monitoring_forgets_it() -> None:
    bench = Bench(LARGE)
    bench.line("a", 0)
    account = bench.memory.peek(next(iter(bench.memory._live)))
    assert account is not None
    later = NOON + 40 * DAY_MS
    found = bench.memory.find(0, next(iter(bench.memory._live)), later, LARGE.layout)
    assert found is not account


def test_two_accounts_with_one_id_in_one_millisecond_are_not_mixed_up() -> None:
    bench = Bench()
    large = Hit(
        rule_id="large", criterion="HIGH_TRANSACTION_AMOUNT", observed="2000", limit="1000", action=Action.REVIEW
    )
    hit = msgspec.structs.replace(stored("a", action=Action.REVIEW), hits=(large,))
    for decision in (stored("a"), hit):
        bench.hear(ms(0), decision)
    bench.line("a", amount="2000")
    bench.line("a", accountNumber="409000000002")
    found = bench.finished()
    assert (found.identical, found.different.count) == (2, 0)
