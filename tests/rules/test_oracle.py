"""The engine against brute force, on histories that hypothesis makes as awkward as it can."""

from bisect import bisect_right
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fraud_platform.core.decisions import Decision
from fraud_platform.rules.criterion import PARTIAL
from fraud_platform.rules.engine import Engine
from fraud_platform.rules.event import Event
from fraud_platform.rules.track import CELLS, room
from tests.rules.building import DAY, HOUR, NOON, SECOND, event, observed, rule, rule_set
from tests.rules.oracle import Verdict, verdicts

LISTS = """
lateness: 36h
lists:
  bad:
    accounts: [{value: C-1, expires: "2026-01-02T12:00:05"}, C-2]
"""
RULES = rule_set(
    rule("HIGH_TRANSACTION_AMOUNT", "at_least: 50", id="high"),
    rule("HIGH_TRANSACTION_AMOUNT", "at_least: 50.000000001, side: DEPOSIT", id="high-deposit", action="ALLOW"),
    rule("HIGH_TRANSACTION_AMOUNT", "at_least: 99, side: WITHDRAWAL", id="higher", action="BLOCK"),
    rule("SPECIFIC_SECTOR", "sectors: [Other, Travel]", id="sector", action="BLOCK"),
    rule("SPECIFIC_SECTOR", "sectors: [Other]", id="sector-2"),
    rule("SMALL_INTERVAL", "within: 10s", id="interval"),
    rule("SMALL_INTERVAL", "within: 1ms", id="interval-2"),
    rule("LISTED", "list: bad, fields: [counterparty_account]", id="listed"),
    rule("RATIO_TO_HISTORY", "ratio: 2.5, window: 1d, min_count: 2", id="ratio"),
    rule("RATIO_TO_HISTORY", "ratio: 0.5, window: 20s, min_count: 1", id="ratio-2"),
    rule("WINDOW_AGGREGATE", "function: COUNT, window: 10s, at_least: 3", id="count"),
    rule("WINDOW_AGGREGATE", "function: COUNT, window: 10s, at_least: 4", id="count-2"),
    rule("WINDOW_AGGREGATE", "function: COUNT, window: 24h, at_most: 2", id="count-few"),
    rule("WINDOW_AGGREGATE", "function: COUNT, field: balance, window: 24h, at_least: 2", id="count-field"),
    rule("WINDOW_AGGREGATE", "function: SUM, field: amount, window: 10s, at_least: 100", id="sum"),
    rule("WINDOW_AGGREGATE", "function: AVG, field: amount, window: 10s, at_least: 33.333333333", id="mean"),
    rule("WINDOW_AGGREGATE", "function: AVG, field: balance, window: 1h, at_most: -0.333333333", id="mean-low"),
    rule("WINDOW_AGGREGATE", "function: MIN, field: balance, window: 1d, at_most: 0", id="least"),
    rule("WINDOW_AGGREGATE", "function: MAX, field: amount, window: 1d, at_least: 60", id="most"),
    rule("WINDOW_AGGREGATE", "function: DISTINCT, field: sector, window: 20s, at_least: 2", id="distinct"),
    rule("WINDOW_AGGREGATE", "function: DISTINCT, field: amount, window: 1d, at_least: 3", id="distinct-2"),
    rule(
        "WINDOW_AGGREGATE",
        "function: SUM, field: amount, window: 1d, at_least: 60,"
        " filter: [{field: sector, one_of: [Food, Other]}, {field: balance, at_least: -1, at_most: 50}]",
        id="filtered",
    ),
    rule("HIGH_TRANSACTION_AMOUNT", "at_least: 0", id="off", enabled="false"),
    head=LISTS,
)
SPANS = {"short": 60 * SECOND, "hour": HOUR, "day": DAY}
BUSY = [
    rule("SMALL_INTERVAL", "within: 3s", id="interval"),
    rule("WINDOW_AGGREGATE", "function: DISTINCT, field: sector, window: 1h, at_least: 1", id="distinct"),
    *(rule("WINDOW_AGGREGATE", f"function: COUNT, window: {span // SECOND}s, at_least: 1", id=name)
      for name, span in SPANS.items()),
    *(rule("WINDOW_AGGREGATE", f"function: COUNT, window: {span // SECOND}s, at_most: 20", id=f"{name}-few")
      for name, span in SPANS.items()),
]  # fmt: skip
_moments = st.builds(
    lambda day, second, micro: NOON + day * DAY // 2 + second * SECOND + micro,
    st.sampled_from([0, 0, 0, 1, 2, 3, 4, 5, 8]),
    st.sampled_from([0, 1, 5, 9, 10, 11, 20, 30]),
    st.sampled_from([0, 0, 0, -1, 1]),
)
_money = st.sampled_from([Decimal(text) for text in ("0", "0.000000001", "10", "33.333333333", "50", "99.5", "100")])
_balances = st.sampled_from([None, Decimal("-1"), Decimal(0), Decimal(50), Decimal("50.000000001")])
_events = st.builds(
    Event,
    transaction_id=st.integers(0, 25).map(str),
    account=st.just("A-1"),
    at=_moments,
    amount=st.none() | _money,
    deposit=st.none() | _money,
    withdrawal=_money,
    balance=_balances,
    sector=st.sampled_from(["Food", "Other", "Travel", None]),
    counterparty_account=st.sampled_from([None, "c 1", "C-1", "C-2", "C-3"]),
)
_ENGINE = Engine(RULES)
_thorough = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@_thorough
@given(st.lists(_events, max_size=25))
def test_every_decision_is_what_brute_force_says(events: Sequence[Event]) -> None:
    state = _ENGINE.layout.new()
    assert [_plain(_ENGINE.judge(each, state).decision) for each in events] == _expected(events)


@_thorough
@given(st.lists(_events, max_size=20), st.sets(st.integers(0, 20)))
def test_a_restored_account_decides_like_an_undisturbed_one(events: Sequence[Event], stops: set[int]) -> None:
    """Whenever the process dies, the record of the last event is all that is needed."""
    undisturbed, restored = _ENGINE.layout.new(), _ENGINE.layout.new()
    for place, each in enumerate(events):
        if place in stops:
            restored = _ENGINE.layout.load(_ENGINE.layout.dump(restored))
        assert _ENGINE.judge(each, restored) == _ENGINE.judge(each, undisturbed)
    assert _ENGINE.layout.dump(restored) == _ENGINE.layout.dump(undisturbed)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("span", [1800, 4 * 3600])
def test_a_busy_account_is_off_by_less_than_a_64th_of_the_window(seed: int, span: int) -> None:
    """In order, more than 256 transactions: between the exact sums of the window and of one a 64th longer."""
    rules = Engine(rule_set(rule("WINDOW_AGGREGATE", "function: SUM, field: amount, window: 1h, at_least: 0")))
    state, draw, longer = rules.layout.new(), Random(seed), 3600 + 3600 / 64
    past: list[tuple[int, int]] = []
    for second in sorted(draw.randrange(span) for _ in range(3 * CELLS)):
        past.append((second, draw.randrange(1000)))
        found = rules.judge(event(second, str(past[-1][1])), state).decision
        total = Decimal(observed(found)[0] or "")
        exact = sum(each for at, each in past if at > second - 3600)
        assert exact <= total <= sum(each for at, each in past if at > second - longer)
        assert len(state.tracks[0].times) <= room(HOUR, DAY)[0]


class Sorted:
    """What came before, by time."""

    def __init__(self) -> None:
        self._times: list[int] = []
        self._words: list[str] = []

    def add(self, at: int, word: str) -> None:
        place = bisect_right(self._times, at)
        self._times.insert(place, at)
        self._words.insert(place, word)

    def within(self, after: int, until: int) -> list[str]:
        """The words in (after, until]."""
        return self._words[bisect_right(self._times, after) : bisect_right(self._times, until)]


@pytest.mark.parametrize(("seed", "lateness"), [(0, 1), (1, 24), (2, 100)])
def test_a_busy_account_out_of_order_is_never_wrong_in_silence(seed: int, lateness: int) -> None:
    """2,500 transactions, some hours late: a count is right within a 64th of the window, or said to be partial."""
    rules = Engine(rule_set(*BUSY, head=f"lateness: {lateness}h"))
    state, draw = rules.layout.new(), Random(seed)
    past = Sorted()
    plain = 0
    for n in range(2500):
        at = NOON + (20 * n - draw.choice([0, 0, 0, draw.randrange(90), draw.randrange(3600 * lateness)])) * SECOND
        sector = f"s-{draw.randrange(90)}"
        found = rules.judge(event(at=at, sector=sector), state).decision
        hits = {hit.rule_id: hit for hit in found.hits}
        unclear = {each.rule_id for each in found.not_evaluable}
        for name, span in SPANS.items():
            exact = 1 + len(past.within(at - span, at))
            most = 1 + len(past.within(at - span - span // 64, at))
            if not hits[name].late:
                assert exact <= int(hits[name].observed or 0) <= most
                plain += 1
            few = f"{name}-few"
            assert few in unclear or hits[name].late or (exact <= 20) >= (few in hits) >= (most <= 20)
        if not hits["distinct"].late:
            assert hits["distinct"].observed == str(len({sector, *past.within(at - HOUR, at)}))
        near = past.within(at - 3 * SECOND, at + 3 * SECOND - 1)
        assert "interval" in unclear or ("interval" in hits) == bool(near)
        past.add(at, sector)
    assert plain > 2500 * len(SPANS) * 0.9


def test_a_line_hours_behind_finds_its_neighbour_on_a_busy_day() -> None:
    """300 lines in a day, then one that is 12 hours late and three seconds from another."""
    rules = Engine(rule_set(rule("SMALL_INTERVAL", "within: 10s")))
    state = rules.layout.new()
    for n in range(300):
        rules.judge(event(288 * n), state)
    found = rules.judge(event(288 * 150 + 3), state).decision
    assert [(hit.observed, hit.late) for hit in found.hits] == [("3", False)]


def test_the_gap_to_a_crowd_is_that_to_its_first() -> None:
    """Five lines a second, joined second by second; one arrives that lies just before them.

    t=936.5 [------- 63.5 s -------- 1000.0 .. 1000.8
    """
    rules = Engine(rule_set(rule("SMALL_INTERVAL", "within: 64s")))
    state = rules.layout.new()
    for n in range(300):
        rules.judge(event(1000 + n / 5), state)
    assert state.tracks[0].joins.counts[0] == 5
    found = rules.judge(event(936.5), state).decision
    assert [(hit.observed, hit.late) for hit in found.hits] == [("63.5", False)]


def test_what_the_busiest_account_had_to_forget_is_said() -> None:
    """6,000 lines in a day are more than are kept for ten seconds; one line is 20 hours late, one a single hour."""
    rules = Engine(rule_set(rule("SMALL_INTERVAL", "within: 10s")))
    state = rules.layout.new()
    for n in range(6000):
        rules.judge(event(14 * n), state)
    early, recent = rules.judge(event(14 * 900 + 3), state), rules.judge(event(14 * 5700 + 3), state)
    assert [each.reason for each in early.decision.not_evaluable] == [PARTIAL.reason]
    assert (observed(recent.decision), early.is_late) == (["3"], False)


def _expected(events: Sequence[Event]) -> list[Verdict]:
    return [verdict and (verdict[0], _rounded(verdict[1]), verdict[2]) for verdict in verdicts(RULES, events)]


def _plain(decision: Decision | None) -> Verdict:
    """The engine's decision in the oracle's words."""
    if decision is None:
        return None
    hits = {hit.rule_id: (hit.observed, hit.contributing_count, hit.late) for hit in decision.hits}
    return decision.action.value, _rounded(hits), {each.rule_id for each in decision.not_evaluable}


def _rounded(hits: dict[str, tuple[object, int, bool]]) -> dict[str, tuple[object, int, bool]]:
    """A mean or ratio is shown cut after nine digits; everything else is exact."""
    return {name: (_value(value), count, late) for name, (value, count, late) in hits.items()}


def _value(value: object) -> object:
    if isinstance(value, str) and "listed" in value:
        return "listed"
    if isinstance(value, str) and not value.lstrip("-").replace(".", "").isdigit():
        return value
    units = Fraction(value) * 10**9 if isinstance(value, str | Decimal | int | Fraction) else 0
    return units.numerator // units.denominator
