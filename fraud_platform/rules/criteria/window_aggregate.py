"""WINDOW_AGGREGATE: a count, sum, mean, extreme or number of distinct values over a trailing window."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

import msgspec

from fraud_platform.rules.duration import Duration
from fraud_platform.rules.event import NUMBERS
from fraud_platform.rules.indexed import Function, Indexed, WindowLimit
from fraud_platform.rules.parameters import Money
from fraud_platform.rules.window import Condition, NumberField, TextField, Window

MOST_DISTINCT = 100
"""Largest limit of DISTINCT: so many values are kept of the busiest account too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowAggregate(Indexed):
    """A function of the account's transactions in `(t - window, t]`, the current one included, reaches a limit.

    Transactions that do not pass the filter are neither counted nor judged.
    """

    function: Annotated[Function, msgspec.Meta(description="What is computed.")]
    window: Annotated[Duration, msgspec.Meta(description="How far back from the transaction, itself included.")]
    field: Annotated[
        NumberField | TextField | None,
        msgspec.Meta(description="What it is computed of; COUNT without one counts every transaction."),
    ] = None
    filter: Annotated[
        tuple[Condition, ...], msgspec.Meta(description="Only transactions that meet every condition.")
    ] = ()
    at_least: Annotated[Money | None, msgspec.Meta(description="Hits from this value on.")] = None
    at_most: Annotated[Money | None, msgspec.Meta(description="Hits up to this value.")] = None

    def __post_init__(self) -> None:
        """Refuse what says nothing, or nothing that could be computed."""
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("give either at_least or at_most")
        if self.function is not Function.COUNT and self.field is None:
            raise ValueError(f"{self.function} needs a field")
        if self.function.is_money and self.field not in NUMBERS:
            raise ValueError(f"{self.function} is for {', '.join(NUMBERS)}")
        if not self.function.is_money and self._limit != self._limit.to_integral_value():
            raise ValueError(f"the limit of {self.function} is a whole number")
        if self.function is Function.DISTINCT and self._limit > MOST_DISTINCT:
            raise ValueError(f"the limit of DISTINCT is at most {MOST_DISTINCT}")

    @property
    def _limit(self) -> Decimal:
        return self.at_least if self.at_least is not None else self.at_most or Decimal(0)

    def test(self) -> WindowLimit:
        """The function over its window against the limit."""
        window = Window(duration=self.window, kind=self.function.kind, field=self.field, where=self.filter)
        return WindowLimit(window, self.function, self._limit, self.at_most is not None)
