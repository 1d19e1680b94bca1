"""Counts, money and scores by tables."""

from typing import Any

import pytest

from fraud_platform.core.decisions import Action, Decision, Hit, NotEvaluable
from fraud_platform.errors import ConfigurationError
from fraud_platform.replay.book import Book, Replayed
from fraud_platform.replay.compare import decision_of, has_same_outcome, is_by_history, is_same
from fraud_platform.replay.report import Range, Reading, StageReport, told
from fraud_platform.replay.tally import HISTORY, SWITCHED, Tally
from fraud_platform.rules.criterion import PARTIAL
from fraud_platform.rules.window import mark
from tests.rows import decision as row
from tests.rules.building import DAY, HOUR, NOON

UNIT = 1_000_000_000


def hit(rule: str = "a", **changes: Any) -> Hit:
    return Hit(**{"rule_id": rule, "criterion": "X", "observed": "1", "action": Action.REVIEW} | changes)


def decided(*hits: Hit, version: str = "v1", unclear: tuple[str, ...] = (), reason: str = PARTIAL.reason) -> Decision:
    return Decision(
        transaction_id="t", action=Action.REVIEW if hits else Action.ALLOW, hits=hits, rule_set_version=version,
        not_evaluable=tuple(NotEvaluable(each, reason) for each in unclear),
    )  # fmt: skip


def replayed(now: Decision, name: str = "t", amount: int = 5) -> Replayed:
    return Replayed(name, 0, amount * UNIT, now)


def report(tally: Tally, *, is_scored: bool = True) -> StageReport:
    tally.settle()
    return told(Reading("s", "in", (Range(0, 0, 0, 9, 0),), None, 0, True), tally, is_scored=is_scored)


@pytest.mark.parametrize(
    ("before", "now", "same", "by_history", "outcome"),
    [
        (decided(), decided(), True, False, True),
        (decided(hit()), decided(hit()), True, False, True),
        (decided(hit()), decided(hit(observed="2")), False, False, True),
        (decided(hit()), decided(), False, False, False),
        (decided(hit(), hit("b")), decided(hit()), False, False, False),
        (decided(unclear=("a",)), decided(hit()), False, True, False),
        (decided(hit()), decided(unclear=("a",)), False, True, False),
        (decided(hit(late=True)), decided(hit(observed="2")), False, True, True),
        (decided(hit("b"), unclear=("a",)), decided(hit()), False, False, False),
        (decided(unclear=("a",), reason="no sector"), decided(), False, False, True),
    ],
)
def test_how_two_decisions_compare(
    before: Decision, now: Decision, same: bool, by_history: bool, outcome: bool
) -> None:
    assert (is_same(before, now), is_by_history(before, now), has_same_outcome(before, now)) == (
        same, by_history, outcome,
    )  # fmt: skip


def test_a_stored_row_becomes_the_decision_that_it_was_made_of() -> None:
    written = {
        "rule_id": "a", "criterion": "X", "observed": "1", "limit": "2", "window": "PT10S", "contributing_count": 3,
        "late": True, "action": "BLOCK",
    }  # fmt: skip
    found = decision_of(row(action="BLOCK", hits=[written], not_evaluable=[{"rule_id": "b", "reason": "why"}]))
    assert found.hits == (
        hit(limit="2", window="PT10S", contributing_count=3, late=True, action=Action.BLOCK),
    )  # fmt: skip
    assert (found.action, found.not_evaluable) == (Action.BLOCK, (NotEvaluable("b", "why"),))


@pytest.mark.parametrize(
    ("options", "stored", "kind"),
    [
        ({}, decided(hit()), "identical"),
        ({}, decided(), "different"),
        ({"is_other": True}, decided(), "different"),
        ({"is_other": True}, decided(version="v0"), "changed"),
        ({"is_other": True}, decided(hit(observed="2"), version="v0"), "reworded"),
        ({"is_other": True}, decided(hit(), version="v0"), "identical"),
        ({"excuses": True}, decided(unclear=("a",)), HISTORY),
        ({}, decided(unclear=("a",)), "different"),
        ({}, decided(version="v0"), SWITCHED),
    ],
)
def test_each_comparison_is_counted_once(options: dict[str, bool], stored: Decision, kind: str) -> None:
    tally = Tally(**options)
    tally.compare(replayed(decided(hit())), stored)
    found = report(tally)
    counts = {"identical": found.identical, **found.not_compared}
    counts |= {name: getattr(found, name).count for name in ("different", "changed", "reworded")}
    assert {name for name, count in counts.items() if count} == {kind}
    assert sum(counts.values()) == 1


def test_what_changes_is_told_by_rule_and_by_money() -> None:
    tally = Tally(is_other=True)
    for number, stored in enumerate((decided(hit("b"), version="v0"), decided(version="v0"))):
        now = replayed(decided(hit("a")), f"t-{number}", 10 + number)
        tally.judged(now, NOON)
        tally.compare(now, stored)
    found = report(tally)
    rules = {rule.rule: rule for rule in found.rules}
    assert (rules["a"].newly.count, rules["a"].newly.money, rules["a"].newly.examples) == (2, "21", ("t-0", "t-1"))
    assert (rules["b"].gone.count, rules["b"].gone.money, rules["b"].hits.count) == (1, "10", 0)
    assert [(move.before, move.now, move.transactions.money) for move in found.moves] == [("ALLOW", "REVIEW", "11")]


def test_money_is_exact_however_large() -> None:
    tally = Tally()
    for amount in (10**28 * UNIT, 1):
        tally.judged(Replayed("t", 0, amount, decided(hit())), NOON)
    assert report(tally).flagged.money == "10000000000000000000000000000.000000001"


def test_at_most_five_examples_are_kept() -> None:
    tally = Tally()
    for number in range(9):
        tally.compare(replayed(decided(hit()), f"t-{number}"), decided())
    found = report(tally).different
    assert (found.count, len(found.examples)) == (9, 5)


@pytest.mark.parametrize(
    ("times", "days"),
    [
        ([], 0),
        ([NOON], 1 / 24),
        ([NOON, NOON + 1, NOON + HOUR], 2 / 24),
        ([NOON, NOON + DAY], 2 / 24),
        ([NOON, NOON + DAY, NOON + 2 * DAY], 3),
        ([NOON, NOON + DAY, NOON + 365 * DAY], 3),
        ([NOON] * 100 + [NOON + DAY, NOON + 2 * DAY, NOON + 3 * DAY], 4),
        ([NOON] * 101 + [NOON + DAY, NOON + 2 * DAY, NOON + 3 * DAY], 1 / 24),
        ([NOON] * 101 + [NOON + HOUR, NOON - 300 * DAY], 2 / 24),
    ],
)
def test_days_are_those_that_hold_transactions(times: list[int], days: float) -> None:
    tally = Tally()
    for at in times:
        tally.judged(replayed(decided()), at)
    assert tally.days == pytest.approx(days)


def test_labels_give_precision_and_recall_per_rule_and_for_the_set() -> None:
    # a hits 1, 2 and 3; b hits 3 only and allows. Fraud: 1, 3, 4. Legitimate: 2. Nothing is known of 5.
    hits = {"1": [hit("a")], "2": [hit("a")], "3": [hit("a"), hit("b", action=Action.ALLOW)], "4": [], "5": [hit("a")]}
    tally = Tally(fraud={mark(name) for name in ("1", "3", "4")})
    for name, found_hits in hits.items():
        tally.judged(replayed(decided(*found_hits), name), NOON)
    tally.labelled({mark("1"): True, mark("2"): False, mark("3"): True})
    found = report(tally)
    assert found.labelled_fraud == 3
    assert found.score is not None
    assert (found.score.precision, found.score.recall) == (0.6667, 0.6667)
    scores = {rule.rule: rule.score for rule in found.rules}
    assert scores["a"] == found.score
    assert scores["b"] is not None
    assert (scores["b"].precision, scores["b"].recall) == (1.0, 0.3333)


def test_a_rule_is_measured_by_what_was_judged_while_it_was_in_force_and_where_it_could_say_something() -> None:
    tally = Tally(fraud={mark(name) for name in "123"})
    tally.uses("v1", {"a"})
    tally.uses("v2", {"a", "b"})
    tally.judged(replayed(decided(hit("a"), version="v1"), "1"), NOON)
    tally.judged(replayed(decided(hit("b"), version="v2", unclear=("a",)), "2"), NOON + HOUR)
    tally.judged(replayed(decided(version="v2"), "3"), NOON + HOUR)
    tally.labelled({mark("1"): True, mark("2"): True})
    found = {rule.rule: (rule.score and rule.score.recall, rule.per_day) for rule in report(tally).rules}
    assert found == {"a": (0.5, 12.0), "b": (0.5, 24.0)}


def test_a_rule_that_can_never_be_answered_has_no_recall() -> None:
    tally = Tally(fraud={mark("1")})
    tally.judged(replayed(decided(unclear=("a",)), "1"), NOON)
    (rule,) = report(tally).rules
    assert rule.score is not None
    assert rule.score.recall is None


@pytest.mark.parametrize(
    ("options", "stored", "is_empty"),
    [({}, decided(), False), ({"excuses": True}, decided(unclear=("a",)), True), ({}, decided(version="v0"), True)],
)
def test_a_report_of_nothing_compared_says_so(options: dict[str, bool], stored: Decision, is_empty: bool) -> None:
    tally = Tally(**options)
    tally.judged(replayed(decided(hit())), NOON)
    tally.compare(replayed(decided(hit())), stored)
    assert report(tally).is_empty is is_empty


def test_without_labels_there_is_no_score_and_without_hits_nothing_to_divide() -> None:
    assert report(Tally(), is_scored=False).score is None
    empty = report(Tally(fraud=set())).score
    assert empty is not None
    assert (empty.precision, empty.recall) == (None, None)


def test_what_is_counted_in_short_is_counted() -> None:
    tally = Tally()
    tally.clear(NOON, "v1")
    tally.clear(None, "v2")
    found = report(tally)
    assert (found.outcomes, found.identical, found.stored_versions) == ({"judged": 2}, 2, {"v1": 1, "v2": 1})


# The book -------------------------------------------------------------------------------------------


def test_several_decisions_of_one_id_and_time_come_in_their_order() -> None:
    book = Book()
    versions = ["v1", "v2", "v3"]
    for version in versions:
        assert book.store("t", 7, decided(version=version)) is None
    found = [book.take("t", 7) for _ in range(4)]
    assert [each and each.rule_set_version for each in found] == [*versions, None]


def test_the_same_decision_twice_is_two() -> None:
    book, same = Book(), decided()
    for _ in range(2):
        book.store("t", 7, same)
    assert [book.take("t", 7) for _ in range(3)] == [same, same, None]


def test_a_book_that_grows_too_large_is_one_sentence() -> None:
    book = Book(most=2)
    book.store("t", 1, decided())
    book.store("t", 2, decided())
    with pytest.raises(ConfigurationError, match="choose a shorter time to replay"):
        book.store("t", 3, decided())
