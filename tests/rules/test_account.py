"""What is kept of an account: bounded, in one record, and gone when nothing needs it."""

from random import Random

import pytest

from fraud_platform.rules.engine import Engine
from fraud_platform.rules.repeats import IDS
from fraud_platform.rules.track import CELLS, MOST_CELLS
from tests.rules.building import DAY, HOUR, NOON, SECOND, decisions, engine, event, observed, rule, rule_set

COUNT = rule("WINDOW_AGGREGATE", "function: COUNT, window: 30d, at_least: 1", id="count")
SUM = rule("WINDOW_AGGREGATE", "function: SUM, field: amount, window: 1h, at_least: 1", id="sum")
DISTINCT = rule("WINDOW_AGGREGATE", "function: DISTINCT, field: sector, window: 1h, at_least: 100", id="distinct")


def test_a_record_stays_small_however_busy_the_account_is() -> None:
    """8,000 transactions of one account within an hour, out of order by minutes, largest amounts."""
    rules, draw = engine(COUNT, SUM, DISTINCT), Random(3)
    state = rules.layout.new()
    for n in range(8_000):
        at = NOON + n * SECOND // 2 + draw.randrange(300) * SECOND
        rules.judge(event(at=at, amount="9" * 29, sector=str(draw.randrange(5000))), state)
    assert all(len(track.times) <= MOST_CELLS for track in state.tracks)
    assert len(state.tracks[0].times) <= CELLS
    assert len(state.seen) <= IDS
    assert len(rules.layout.dump(state)) < 200_000


def test_a_count_over_many_transactions_loses_none_inside_the_window() -> None:
    rules = engine(COUNT)
    state = rules.layout.new()
    for n in range(2000):
        last = rules.judge(event(n * 60), state).decision
    assert observed(last) == ["2000"]


def test_distinct_values_are_told_apart_up_to_the_largest_limit() -> None:
    rules = engine(DISTINCT)
    state = rules.layout.new()
    hits = [rules.judge(event(n, sector=f"s-{n % 300}"), state).decision.hits for n in range(1500)]
    assert [bool(each) for each in hits] == [n >= 99 for n in range(1500)]


def test_equal_windows_of_several_rules_are_kept_once() -> None:
    other = rule("WINDOW_AGGREGATE", "function: AVG, field: amount, window: 60m, at_least: 1", id="mean")
    disabled = rule(
        "WINDOW_AGGREGATE", "function: MAX, field: amount, window: 9h, at_least: 1", id="m", enabled="false"
    )
    assert len(engine(SUM, other, disabled).layout.windows) == 1


def test_old_transactions_leave_the_record() -> None:
    rules = engine(SUM, head="lateness: 1h")
    state = rules.layout.new()
    for n in range(200):
        rules.judge(event(n), state)
    full = len(rules.layout.dump(state))
    rules.judge(event(at=NOON + 10 * DAY), state)
    assert len(rules.layout.dump(state)) < full / 5


def test_the_state_shrinks_when_rules_go() -> None:
    both, one = engine(COUNT, SUM), engine(SUM)
    state = both.layout.new()
    for n in range(50):
        both.judge(event(n), state)
    record = both.layout.dump(state)
    assert len(one.layout.dump(one.layout.load(record))) < len(record) - 100


def test_a_rule_that_stays_keeps_its_window_when_others_change() -> None:
    before, after = engine(COUNT, SUM), engine(SUM, DISTINCT)
    state = before.layout.new()
    before.judge(event(0, "7"), state)
    moved = after.layout.load(before.layout.dump(state))
    assert observed(after.judge(event(1, "5"), moved).decision) == ["12"]


def test_a_window_that_is_new_to_an_account_says_that_it_is_still_filling() -> None:
    before, after = engine(SUM), engine(COUNT)
    state = before.layout.new()
    before.judge(event(0), state)
    cold = after.layout.load(before.layout.dump(state))
    known = after.judge(event(1), after.layout.new()).decision
    assert after.judge(event(1), cold).decision.hits[0].late
    assert not known.hits[0].late


def test_equal_histories_give_equal_bytes_whatever_the_order_of_the_rules() -> None:
    events = [event(n % 7, str(n)) for n in range(40)]
    records = set()
    for rules in (engine(COUNT, SUM, DISTINCT), engine(DISTINCT, SUM, COUNT)):
        state = rules.layout.new()
        for each in events:
            rules.judge(each, state)
        records.add(rules.layout.dump(state))
    assert len(records) == 1


def test_an_account_can_be_forgotten_when_nothing_of_it_matters_any_more() -> None:
    rules = engine(SUM)
    state = rules.layout.new()
    assert rules.layout.expires_at(state) is None
    rules.judge(event(0), state)
    assert rules.layout.expires_at(state) == NOON + 2 * DAY


def test_a_record_of_an_earlier_format_is_refused_by_its_number() -> None:
    with pytest.raises(ValueError, match="has format 2, this version reads 3"):
        engine(SUM).layout.load(b"\x94\x02\xc0\xc0\x80")


@pytest.mark.parametrize("record", [b"", b"\xc1", b"\x01", b"\x95\x03\xc0\x90\x80"])
def test_what_is_no_record_is_refused(record: bytes) -> None:
    with pytest.raises(ValueError, match="the account's record"):
        engine(SUM).layout.load(record)


def test_a_new_account_has_a_record_too() -> None:
    layout = engine(SUM).layout
    assert layout.load(layout.dump(layout.new())).watermark is None


def test_no_name_and_no_account_is_kept() -> None:
    rules = Engine(
        rule_set(
            rule("WINDOW_AGGREGATE", "function: DISTINCT, field: counterparty_name, window: 1h, at_least: 2"),
        )
    )
    state = rules.layout.new()
    rules.judge(event(0, counterparty_name="Ada Example", account="GB-SECRET"), state)
    record = rules.layout.dump(state)
    assert b"Ada" not in record
    assert b"SECRET" not in record


def test_the_far_edge_moves_with_lateness() -> None:
    rules = engine(SUM, head="lateness: 2h")
    at = [0, 3 * HOUR // SECOND, 1 + HOUR // SECOND]
    assert observed(decisions(rules, *(event(each) for each in at))[2]) == ["10"]


def test_a_busy_account_is_restored_to_the_same_decisions() -> None:
    """Joined cells and forgotten ones included, whenever the record is read back."""
    interval = rule("SMALL_INTERVAL", "within: 2s", id="interval")
    rules, draw = engine(COUNT, SUM, DISTINCT, interval, head="lateness: 1h"), Random(11)
    undisturbed, restored = rules.layout.new(), rules.layout.new()
    for n in range(3000):
        at = NOON + (3 * n - draw.randrange(600)) * SECOND
        each = event(at=at, amount=str(draw.randrange(10**6)), sector=str(draw.randrange(150)))
        if n % 37 == 0:
            restored = rules.layout.load(rules.layout.dump(restored))
        assert rules.judge(each, restored) == rules.judge(each, undisturbed)
    assert rules.layout.dump(restored) == rules.layout.dump(undisturbed)


def test_a_filtered_busy_account_has_one_record_for_one_history() -> None:
    """Its cells are joined, go one by one and come again while other transactions pass by."""
    cash = "function: SUM, field: amount, window: 1h, at_least: 1, filter: [{field: sector, one_of: [Cash]}]"
    rules = engine(rule("WINDOW_AGGREGATE", cash), head="lateness: 1h")
    undisturbed, restored = rules.layout.new(), rules.layout.new()
    for n in range(700):
        second, sector = (n, "Cash") if n < 600 else (60 * n, "Food" if n < 690 else "Cash")
        each = event(second, sector=sector)
        restored = rules.layout.load(rules.layout.dump(restored))
        assert rules.judge(each, restored) == rules.judge(each, undisturbed)
    assert rules.layout.dump(restored) == rules.layout.dump(undisturbed)


def test_in_order_no_transaction_of_a_busy_account_is_called_late() -> None:
    rules = engine(SUM, DISTINCT, rule("SMALL_INTERVAL", "", id="interval"))
    state = rules.layout.new()
    found = [rules.judge(event(n, sector=str(n % 120)), state).decision for n in range(8000)]
    assert not any(hit.late for decision in found for hit in decision.hits)
