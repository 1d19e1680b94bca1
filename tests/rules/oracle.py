"""The semantics of docs/rules.md by brute force: every answer from the list of all events, nothing kept or shared."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from fraud_platform.rules.criteria.high_transaction_amount import HighTransactionAmount
from fraud_platform.rules.criteria.listed import Listed
from fraud_platform.rules.criteria.ratio_to_history import RatioToHistory
from fraud_platform.rules.criteria.small_interval import SmallInterval
from fraud_platform.rules.criteria.specific_sector import SpecificSector
from fraud_platform.rules.criteria.window_aggregate import WindowAggregate
from fraud_platform.rules.event import Event
from fraud_platform.rules.rule_set import RuleSet

DAY = 86_400_000_000
RANKS = ["ALLOW", "REVIEW", "BLOCK"]
Verdict = tuple[str, dict[str, tuple[Any, int, bool]], set[str]] | None
"""Action, hits by rule (value, contributing count, late), rules not evaluable; None of a duplicate."""


def verdicts(rules: RuleSet, events: Sequence[Event]) -> list[Verdict]:
    """What becomes of one account's events in this order."""
    past: list[Event] = []
    made = []
    for event in events:
        newest = max([event.at or 0, *(each.at or 0 for each in past)])
        if is_duplicate(event, past):
            made.append(None)
            continue
        made.append(_verdict(rules, event, past, newest))
        past.append(event)
    return made


def is_duplicate(event: Event, past: Sequence[Event]) -> bool:
    """Whether the last one accepted under its id lies less than a day away."""
    same = [each.at for each in past if each.transaction_id == event.transaction_id]
    return bool(same) and abs(same[-1] - event.at) < DAY


def _verdict(rules: RuleSet, event: Event, past: Sequence[Event], newest: int) -> Verdict:
    hits, unclear = {}, set()
    late = event.at < newest - rules.lateness
    actions = [0]
    for rule in rules.rules:
        if not rule.enabled:
            continue
        found = _ask(rule.test, event, past, newest - rules.lateness)
        if found == "unclear":
            unclear.add(rule.id)
        elif found is not None:
            hits[rule.id] = (*found, late)
            actions.append(RANKS.index(rule.action))
    return RANKS[max(actions)], hits, unclear


def _ask(test: Any, event: Event, past: Sequence[Event], on_time: int) -> Any:
    match test:
        case HighTransactionAmount():
            value = {"EITHER": event.amount, "DEPOSIT": event.deposit, "WITHDRAWAL": event.withdrawal}[test.side]
            return "unclear" if value is None else (value, 1) if value >= test.at_least else None
        case SpecificSector():
            return "unclear" if event.sector is None else (event.sector, 1) if event.sector in test.sectors else None
        case SmallInterval():
            return _interval(test, event, past, on_time)
        case WindowAggregate():
            return _aggregate(test, event, past, on_time)
        case RatioToHistory():
            return _ratio(test, event, past, on_time)
        case Listed():
            return _listed(test, event)
    raise AssertionError(test)


def _interval(test: SmallInterval, event: Event, past: Sequence[Event], on_time: int) -> Any:
    kept = [each for each in past if each.at > on_time - test.within]
    gaps = [abs(each.at - event.at) for each in kept if abs(each.at - event.at) < test.within]
    if gaps:
        return Decimal(min(gaps)) / 1_000_000, 2
    return "unclear" if _has_gaps(event, past, test.within, on_time) else None


def _aggregate(test: WindowAggregate, event: Event, past: Sequence[Event], on_time: int) -> Any:
    verdict = _passes(test, event)
    if verdict is not True:
        return "unclear" if verdict is None else None
    if test.field and getattr(event, test.field) is None:
        return "unclear"
    told = [each for each in past if _passes(test, each) and (test.field is None or _has(each, test.field))]
    inside = _trailing(event, told, test.window, on_time)
    values = [1 if test.field is None else getattr(each, test.field) for each in [*inside, event]]
    value = {
        "COUNT": len, "DISTINCT": lambda every: len(set(every)), "SUM": sum, "MIN": min, "MAX": max,
        "AVG": lambda every: sum(map(Fraction, every)) / len(every),
    }[test.function](values)  # fmt: skip
    reached = value >= test.at_least if test.at_least is not None else value <= test.at_most
    if _has_gaps(event, told, test.window, on_time) and not _stays(test, reached=reached):
        return "unclear"
    return (value, len(values)) if reached else None


def _stays(test: WindowAggregate, *, reached: bool) -> bool:
    """Whether more transactions could not turn the answer."""
    rises = test.function in {"COUNT", "DISTINCT", "MAX"} or (test.function == "SUM" and test.field != "balance")
    stays_above, stays_below = rises, test.function == "MIN"
    is_above = reached if test.at_least is not None else not reached
    return stays_above if is_above else stays_below


def _ratio(test: RatioToHistory, event: Event, past: Sequence[Event], on_time: int) -> Any:
    if event.amount is None:
        return "unclear"
    told = [each for each in past if _has(each, "amount")]
    inside = [each.amount for each in _trailing(event, told, test.window, on_time)]
    if _has_gaps(event, told, test.window, on_time) or len(inside) < test.min_count or sum(inside) == 0:
        return "unclear"
    ratio = Fraction(event.amount) / (Fraction(sum(inside)) / len(inside))
    return (ratio, len(inside) + 1) if ratio >= Fraction(test.ratio) else None


def _listed(test: Listed, event: Event) -> Any:
    found = event.counterparty_account
    if found is None:
        return "unclear"
    return ("listed", 1) if event.at < test.list.accounts.get(found.replace(" ", "").upper(), 0) else None


def _trailing(event: Event, past: Sequence[Event], window: int, on_time: int) -> list[Event]:
    return [each for each in past if event.at - window < each.at <= event.at and each.at > on_time - window]


def _has_gaps(event: Event, past: Sequence[Event], window: int, on_time: int) -> bool:
    """Whether something is not kept any more that may lie inside the window."""
    return any(event.at - window < each.at <= on_time - window for each in past)


def _has(event: Event, field: str) -> bool:
    return getattr(event, field) is not None


def _passes(test: WindowAggregate, event: Event) -> bool | None:
    answers = []
    for demand in test.filter:
        value = getattr(event, demand.field)
        if value is None:
            answers.append(None)
            continue
        answers.append(
            (demand.one_of is None or value in demand.one_of)
            and (demand.none_of is None or value not in demand.none_of)
            and (demand.at_least is None or value >= demand.at_least)
            and (demand.at_most is None or value <= demand.at_most)
        )
    return False if False in answers else None if None in answers else True
