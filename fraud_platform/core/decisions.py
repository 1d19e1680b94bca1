"""A judgement and its reasons: which rules fired, which could not be applied, and what follows.

The shapes are those of `schemas/decision.avsc`; the stage and the time of the decision are added by
whoever keeps it, since judging knows neither.
"""

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum

import msgspec

EXTERNAL = "external"
"""Rule set version of decisions by a validator that names none of its own."""


class Action(StrEnum):
    """What is to happen with a transfer, in rising order of precedence."""

    ALLOW = "ALLOW"
    REVIEW = "REVIEW"
    BLOCK = "BLOCK"


_PRECEDENCE = {action: rank for rank, action in enumerate(Action)}


def gravest(actions: Iterable[Action]) -> Action:
    """BLOCK outranks REVIEW outranks ALLOW; nothing is ALLOW."""
    return max(actions, key=_PRECEDENCE.__getitem__, default=Action.ALLOW)


class Hit(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One rule that fired, with what it saw.

    `observed` and `limit` are canonical strings and never hold a name or an account; `window` is an
    ISO 8601 duration; `contributing_count` counts the transactions behind `observed`, this one included.
    """

    rule_id: str
    criterion: str
    observed: str | None = None
    limit: str | None = None
    window: str | None = None
    contributing_count: int = 1
    late: bool = False
    action: Action


class NotEvaluable(msgspec.Struct, frozen=True, gc=False):
    """A rule that could not be applied, and why."""

    rule_id: str
    reason: str


class Decision(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The judgement of one transaction by one version of the rules."""

    transaction_id: str
    action: Action
    hits: tuple[Hit, ...] = ()
    rule_set_version: str
    not_evaluable: tuple[NotEvaluable, ...] = ()

    @property
    def is_fraudulent(self) -> bool:
        """Whether the transfer goes on as fraudulent: the action is not ALLOW."""
        return self.action is not Action.ALLOW


def external_decision(transaction_id: str, *, is_fraudulent: bool) -> Decision:
    """The decision behind a foreign validator's bare yes or no: a person should look at a yes."""
    hit = Hit(rule_id=EXTERNAL, criterion="EXTERNAL", observed="is_fraudulent_transaction", action=Action.REVIEW)
    return Decision(
        transaction_id=transaction_id,
        action=hit.action if is_fraudulent else Action.ALLOW,
        hits=(hit,) if is_fraudulent else (),
        rule_set_version=EXTERNAL,
    )


def canonical(number: Decimal) -> str:
    """The one spelling of a finite number: no exponent, no trailing zeros, no negative zero."""
    if not number:
        return "0"  # before any formatting: `0E+999999` would be written out in full
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
