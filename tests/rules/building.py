"""Rule sets and events for tests: complete by default, one keyword away from the case at hand."""

from decimal import Decimal
from typing import Any

from fraud_platform.core.decisions import Decision
from fraud_platform.rules.engine import Engine
from fraud_platform.rules.event import Event
from fraud_platform.rules.parse import parse
from fraud_platform.rules.rule_set import RuleSet

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
NOON = 1_767_268_800 * SECOND  # 2026-01-01T12:00:00Z


def rule(criterion: str, parameters: str, **changes: Any) -> str:
    """One rule as a line of YAML."""
    given = {"id": "r-1", "action": "REVIEW"} | changes
    rest = ", ".join(f"{name}: {value}" for name, value in given.items())
    return f"{{{rest}, criterion: {criterion}, parameters: {{{parameters}}}}}"


def rule_set(*rules: str, head: str = "") -> RuleSet:
    """The rule set of these lines."""
    found = parse(head + "\nrules:\n" + "".join(f"  - {each}\n" for each in rules))
    assert isinstance(found, RuleSet), found
    return found


def engine(*rules: str, head: str = "") -> Engine:
    return Engine(rule_set(*rules, head=head))


def event(seconds: float = 0, amount: str | None = "10", **changes: Any) -> Event:
    """An event so many seconds after noon; each has an id of its own unless told otherwise."""
    event.count += 1  # type: ignore[attr-defined]
    money = None if amount is None else Decimal(amount)
    given: dict[str, Any] = {
        "transaction_id": f"t-{event.count}",  # type: ignore[attr-defined]
        "account": "A-1",
        "at": NOON + round(seconds * SECOND),
        "amount": money,
        "withdrawal": money,
        "deposit": Decimal(0),
        "sector": "Food",
    }
    return Event(**given | changes)


event.count = 0  # type: ignore[attr-defined]


def decisions(rules: Engine, *events: Event) -> list[Decision | None]:
    """The decisions of one account's events in this order."""
    state = rules.layout.new()
    return [rules.judge(each, state).decision for each in events]


def observed(decision: Decision | None) -> list[str | None]:
    """What the hits saw."""
    assert decision is not None
    return [hit.observed for hit in decision.hits]
