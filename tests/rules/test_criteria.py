"""Each criterion at its edges."""

from decimal import Decimal

import pytest

from fraud_platform.core.decisions import Action, Decision
from fraud_platform.rules.criterion import PARTIAL, Match
from fraud_platform.rules.moment import Moment
from tests.rules.building import DAY, NOON, SECOND, decisions, engine, event, observed, rule


def judged(criterion: str, parameters: str, *events, head: str = "") -> list[Decision]:
    return decisions(engine(rule(criterion, parameters), head=head), *events)


@pytest.mark.parametrize(("amount", "hits"), [("9999.999999999", 0), ("10000", 1), ("10000.000000001", 1)])
def test_a_high_amount_hits_from_its_limit_on(amount: str, hits: int) -> None:
    (found,) = judged("HIGH_TRANSACTION_AMOUNT", "at_least: 10000", event(0, amount))
    assert len(found.hits) == hits


def test_one_side_of_a_statement_line_does_not_speak_for_the_other() -> None:
    line = event(0, "500", deposit=None)
    (deposit,) = judged("HIGH_TRANSACTION_AMOUNT", "at_least: 100, side: DEPOSIT", line)
    (withdrawal,) = judged("HIGH_TRANSACTION_AMOUNT", "at_least: 100, side: WITHDRAWAL", line)
    assert [each.reason for each in deposit.not_evaluable] == ["the transaction has no deposit"]
    assert (deposit.action, withdrawal.action) == (Action.ALLOW, Action.REVIEW)


@pytest.mark.parametrize(("sector", "action"), [("Other", "REVIEW"), (" Other ", "REVIEW"), ("other", "ALLOW")])
def test_a_sector_is_compared_letter_by_letter(sector: str, action: str) -> None:
    (found,) = judged("SPECIFIC_SECTOR", "sectors: [Other, Travel]", event(sector=sector))
    assert found.action == action


@pytest.mark.parametrize("sector", [None, "", "  "])
def test_without_a_sector_the_rule_is_not_evaluable(sector: str | None) -> None:
    (found,) = judged("SPECIFIC_SECTOR", "sectors: [Other]", event(sector=sector))
    assert found.not_evaluable[0].reason == "the transaction has no sector"


@pytest.mark.parametrize(("gap", "seen"), [(0, ["0"]), (9.999999, ["9.999999"]), (10, [])])
def test_a_small_interval_is_below_its_limit(gap: float, seen: list[str]) -> None:
    """Half-open: a gap of exactly ten seconds is not within ten seconds.

    t=0 [--------- 10 s ---------)
    """
    assert observed(judged("SMALL_INTERVAL", "", event(0), event(gap))[1]) == seen


def test_of_two_close_transactions_the_second_to_arrive_hits() -> None:
    first, second = judged("SMALL_INTERVAL", "within: 10s", event(3), event(0))
    assert (observed(first), observed(second)) == ([], ["3"])
    assert (second.hits[0].window, second.hits[0].limit, second.hits[0].contributing_count) == ("PT10S", "10", 2)


@pytest.mark.parametrize(("second", "count"), [(59.999999, "2"), (60, "1"), (0, "2")])
def test_a_window_is_open_at_its_far_end_and_holds_the_current_transaction(second: float, count: str) -> None:
    """
    t=0 (-------- 60 s --------]
    """
    parameters = "function: COUNT, window: 1m, at_least: 1"
    assert observed(judged("WINDOW_AGGREGATE", parameters, event(0), event(second))[1]) == [count]


def test_a_transaction_out_of_order_does_not_see_the_future() -> None:
    parameters = "function: COUNT, window: 1m, at_least: 1"
    assert observed(judged("WINDOW_AGGREGATE", parameters, event(30), event(0))[1]) == ["1"]


@pytest.mark.parametrize(
    ("function", "seen"),
    [("COUNT", "3"), ("SUM", "0.6"), ("AVG", "0.2"), ("MIN", "0.1"), ("MAX", "0.3"), ("DISTINCT", "3")],
)
def test_functions_are_exact(function: str, seen: str) -> None:
    """0.1 + 0.2 + 0.3 is 0.6 here."""
    parameters = f"function: {function}, field: amount, window: 1m, at_least: 0"
    found = judged("WINDOW_AGGREGATE", parameters, event(0, "0.1"), event(1, "0.2"), event(2, "0.3"))
    assert (observed(found[2]), found[2].hits[0].contributing_count) == ([seen], 3)


def test_a_mean_is_compared_before_it_is_cut() -> None:
    parameters = "function: AVG, field: amount, window: 1m, {}: 3.333333333"
    events = event(0, "3"), event(1, "3"), event(2, "4")
    assert observed(judged("WINDOW_AGGREGATE", parameters.format("at_least"), *events)[2]) == ["3.333333333"]
    events = event(0, "3"), event(1, "3"), event(2, "4")
    assert observed(judged("WINDOW_AGGREGATE", parameters.format("at_most"), *events)[2]) == []


def test_what_the_filter_leaves_out_is_neither_counted_nor_judged() -> None:
    parameters = "function: COUNT, window: 1h, at_least: 1, filter: [{field: sector, none_of: [Food]}]"
    found = judged("WINDOW_AGGREGATE", parameters, event(0, sector="Cash"), event(1), event(2, sector="Cash"))
    assert [observed(each) for each in found] == [["1"], [], ["2"]]


def test_the_largest_amounts_add_up_exactly() -> None:
    most = "9" * 29 + ".999999999"
    parameters = "function: SUM, field: amount, window: 1h, at_least: 1"
    found = judged("WINDOW_AGGREGATE", parameters, event(0, most), event(1, most))
    assert observed(found[1]) == ["1" + "9" * 29 + ".999999998"]


LISTS = """
lists:
  bad:
    accounts: [GB68 MULE 0001, {value: GB02, expires: "2026-01-01T12:00:05Z"}]
    names: [Shell  Co Ltd]
"""


@pytest.mark.parametrize("account", ["GB68MULE0001", "gb68 mule 0001"])
def test_a_listed_account_hits_however_it_is_written(account: str) -> None:
    (found,) = judged(
        "LISTED", "list: bad, fields: [counterparty_account]", event(counterparty_account=account), head=LISTS
    )
    assert found.hits[0].observed.startswith("counterparty_account listed: bad@")
    assert "MULE" not in found.hits[0].observed.upper().replace("LISTED", "")


@pytest.mark.parametrize("name", ["SHELL CO LTD", " shell co  ltd ", "Ｓｈｅｌｌ Co Ltd"])  # noqa: RUF001
def test_a_listed_name_hits_however_it_is_written(name: str) -> None:
    (found,) = judged("LISTED", "list: bad, fields: [counterparty_name]", event(counterparty_name=name), head=LISTS)
    assert found.action is Action.REVIEW


@pytest.mark.parametrize(("second", "hits"), [(4.999999, 1), (5, 0)])
def test_an_entry_expires_in_event_time(second: float, hits: int) -> None:
    (found,) = judged("LISTED", "list: bad, fields: [account]", event(second, account="GB02"), head=LISTS)
    assert len(found.hits) == hits


def test_a_missing_party_leaves_the_rule_open_unless_the_other_is_listed() -> None:
    both = "list: bad, fields: [account, counterparty_account]"
    (hit,) = judged("LISTED", both, event(account="GB68MULE0001"), head=LISTS)
    (open_,) = judged("LISTED", both, event(account="GB1"), head=LISTS)
    assert (len(hit.hits), hit.not_evaluable) == (1, ())
    assert open_.not_evaluable[0].reason == "the transaction has no counterparty_account"


def test_a_ratio_compares_with_the_mean_of_earlier_ones() -> None:
    parameters = "ratio: 3, window: 1h, min_count: 2"
    found = judged("RATIO_TO_HISTORY", parameters, event(0, "10"), event(1, "20"), event(2, "45"), event(3, "44.99"))
    assert found[1].not_evaluable[0].reason == "the account has 1 earlier transactions in the window, 2 needed"
    assert [observed(each) for each in found[2:]] == [["3"], []]
    assert (found[2].hits[0].contributing_count, found[2].hits[0].window) == (3, "PT1H")


def test_a_ratio_to_nothing_is_not_evaluable() -> None:
    found = judged("RATIO_TO_HISTORY", "ratio: 3, min_count: 1", event(0, "0"), event(1, "45"))
    assert "not above zero" in found[1].not_evaluable[0].reason


def test_all_rules_are_applied_and_the_gravest_action_holds() -> None:
    rules = engine(
        rule("HIGH_TRANSACTION_AMOUNT", "at_least: 1", id="z-block", action="BLOCK"),
        rule("HIGH_TRANSACTION_AMOUNT", "at_least: 2", id="a-allow", action="ALLOW"),
        rule("SPECIFIC_SECTOR", "sectors: [Food]", id="m-review"),
    )
    (found,) = decisions(rules, event())
    assert [hit.rule_id for hit in found.hits] == ["a-allow", "m-review", "z-block"]
    assert found.action is Action.BLOCK


def test_without_an_account_history_nothing_is_guessed() -> None:
    rules = engine(rule("SMALL_INTERVAL", ""), rule("HIGH_TRANSACTION_AMOUNT", "at_least: 1", id="high"))
    decision = rules.judge(event()).decision
    assert [(each.rule_id, each.reason) for each in decision.not_evaluable] == [
        ("r-1", "the account's history is not kept here")
    ]
    assert decision.action is Action.REVIEW


def test_an_event_without_a_time_is_judged_and_not_remembered() -> None:
    rules = engine(rule("WINDOW_AGGREGATE", "function: COUNT, window: 1h, at_least: 1"))
    timeless, counted = decisions(rules, event(at=None), event(0))
    assert timeless.not_evaluable[0].reason == "the transaction has no time"
    assert observed(counted) == ["1"]


def test_a_repeated_id_within_a_day_is_a_duplicate_and_leaves_no_trace() -> None:
    rules = engine(rule("WINDOW_AGGREGATE", "function: COUNT, window: 7d, at_least: 1"))
    at = [NOON, NOON + DAY - 1, NOON + DAY]
    found = decisions(rules, *(event(transaction_id="same", at=each) for each in at))
    assert [each and observed(each) for each in found] == [["1"], None, ["2"]]


@pytest.mark.parametrize(
    ("parameters", "hits", "unclear"),
    [
        ("function: COUNT, at_least: 1", True, False),
        ("function: COUNT, at_least: 9", False, True),
        ("function: COUNT, at_most: 2", False, True),
        ("function: COUNT, at_most: 0", False, False),
        ("function: SUM, field: amount, at_least: 1", True, False),
        ("function: SUM, field: amount, at_most: 100", False, True),
        ("function: SUM, field: balance, at_least: 1", False, True),
        ("function: AVG, field: amount, at_least: 1", False, True),
        ("function: AVG, field: amount, at_most: 100", False, True),
        ("function: MIN, field: amount, at_most: 100", True, False),
        ("function: MIN, field: amount, at_most: 1", False, True),
        ("function: MIN, field: amount, at_least: 5", False, True),
        ("function: MIN, field: amount, at_least: 50", False, False),
        ("function: DISTINCT, field: sector, at_most: 3", False, True),
    ],
)
def test_of_a_window_that_is_still_filling_nothing_is_guessed(parameters: str, hits: bool, unclear: bool) -> None:
    """A rule that is new to an account with a past, asked as one of the set and alone."""
    before = engine(rule("HIGH_TRANSACTION_AMOUNT", "at_least: 1"))
    after = engine(rule("WINDOW_AGGREGATE", f"{parameters}, window: 30d"))
    state = before.layout.new()
    before.judge(event(0), state)
    cold = after.layout.load(before.layout.dump(state))
    found = after.judge(event(1, balance=Decimal(7)), cold).decision
    assert ([hit.late for hit in found.hits], bool(found.not_evaluable)) == ([True] * hits, unclear)
    test = after.rule_set.rules[0].test.test()
    moment = Moment(event(2, balance=Decimal(7)), cold, after.layout, {test.window: 0})
    assert (test.evaluate(moment) == PARTIAL, isinstance(test.evaluate(moment), Match)) == (unclear, hits)


def test_a_mean_of_which_something_is_missing_is_no_history() -> None:
    before, after = engine(rule("SMALL_INTERVAL", "")), engine(rule("RATIO_TO_HISTORY", "ratio: 2, min_count: 1"))
    state = before.layout.new()
    before.judge(event(0), state)
    cold = after.layout.load(before.layout.dump(state))
    after.judge(event(1), cold)
    assert after.judge(event(2, "99"), cold).decision.not_evaluable[0].reason == PARTIAL.reason


def test_a_late_transaction_is_judged_on_what_is_kept_and_marked() -> None:
    rules = engine(rule("WINDOW_AGGREGATE", "function: COUNT, window: 1h, at_least: 1"), head="lateness: 1h")
    state = rules.layout.new()
    rules.judge(event(0), state)
    rules.judge(event(3 * 3600), state)
    on_time = rules.judge(event(2 * 3600), state)
    late = rules.judge(event(2 * 3600 - 1 / SECOND), state)
    assert (on_time.is_late, on_time.decision.hits[0].late) == (False, False)
    assert (late.is_late, late.decision.hits[0].late) == (True, True)
