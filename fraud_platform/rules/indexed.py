"""Tests that the engine answers for all rules at once; each can also be applied alone, with the same result."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

import msgspec

from fraud_platform.core.decisions import canonical
from fraud_platform.rules.criterion import PARTIAL, Criterion, Finding, History, Match, Unclear
from fraud_platform.rules.event import Event, number, scaled, text, unscaled
from fraud_platform.rules.window import Aggregate, Kind, NumberField, TextField, Window


class Function(StrEnum):
    """What is computed over a window, the current transaction included."""

    COUNT = "COUNT"
    SUM = "SUM"
    AVG = "AVG"
    MIN = "MIN"
    MAX = "MAX"
    DISTINCT = "DISTINCT"

    @property
    def kind(self) -> Kind:
        """What the window has to keep for it."""
        return Kind.SUM if self is Function.AVG else Kind(self.value)

    @property
    def is_money(self) -> bool:
        """Whether its result is money, and not a number of something."""
        return self not in {Function.COUNT, Function.DISTINCT}


class Reading(msgspec.Struct, frozen=True, gc=False):
    """A function's value over a window: `low` and `high` are its floor and ceiling in whole units."""

    low: int
    high: int
    count: int
    is_partial: bool


def missing(field: str) -> Unclear:
    """The finding when an event lacks `field`."""
    return Unclear(f"the transaction has no {field}")


@dataclass(frozen=True, slots=True)
class AtLeast:
    """Money in `field` reaches `limit`."""

    field: NumberField
    limit: Decimal

    def evaluate(self, event: Event) -> Finding:
        """Compare exactly."""
        found = number(event, self.field)
        if found is None:
            return missing(self.field)
        return Match(observed=canonical(found), limit=canonical(self.limit)) if found >= self.limit else None


@dataclass(frozen=True, slots=True)
class OneOf:
    """The text in `field` is one of `words`."""

    field: TextField
    words: frozenset[str]

    def evaluate(self, event: Event) -> Finding:
        """Compare letter by letter, surrounding blanks apart."""
        found = text(event, self.field)
        if found is None:
            return missing(self.field)
        return Match(observed=found) if found in self.words else None


@dataclass(frozen=True, slots=True)
class WindowLimit:
    """`function` over `window`, this event included, is at least (or at most) `limit`."""

    window: Window
    function: Function
    limit: Decimal
    at_most: bool

    @property
    def units(self) -> int:
        """The limit as `reading` counts: 1e-9 of money, or a plain number."""
        return scaled(self.limit) if self.function.is_money else int(self.limit)

    @property
    def proven(self) -> bool | None:
        """What a partial window proves: True a hit, False that there is none, None nothing.

        What is missing can only raise a count, a maximum or a sum without negative parts, and only lower a
        minimum; a mean can go either way.
        """
        if self.function is Function.AVG or (self.function is Function.SUM and self.window.field == "balance"):
            return None
        return (self.function is Function.MIN) == self.at_most

    def evaluate(self, history: History) -> Finding:
        """Ask the history and compare exactly."""
        seen = history.over(self.window)
        if not isinstance(seen, Aggregate):
            return seen
        read = reading(self.function, seen)
        hits = read.high <= self.units if self.at_most else read.low >= self.units
        if read.is_partial and hits is not self.proven:
            return PARTIAL
        if not hits:
            return None
        return Match(
            observed=shown(self.function, read.low),
            limit=canonical(self.limit),
            window=self.window.duration.iso,
            contributing_count=read.count,
            is_partial=read.is_partial,
        )


class Indexed(Criterion):
    """A criterion that is one of the tests above; the engine then never asks its rules one by one."""

    __slots__ = ()

    @abstractmethod
    def test(self) -> AtLeast | OneOf | WindowLimit:
        """The test that the parameters describe."""

    def windows(self) -> Sequence[Window]:
        """The window of the test, if it has one."""
        test = self.test()
        return (test.window,) if isinstance(test, WindowLimit) else ()

    def evaluate(self, event: Event, history: History) -> Finding:
        """Apply the test alone."""
        test = self.test()
        return test.evaluate(history) if isinstance(test, WindowLimit) else test.evaluate(event)


def reading(function: Function, seen: Aggregate) -> Reading:
    """The function's value with the current event in it; exact, a mean as its floor and ceiling."""
    low, high = READERS[function](seen)
    return Reading(low, high, seen.count + 1, seen.is_partial)


def _count(seen: Aggregate) -> tuple[int, int]:
    return seen.count + 1, seen.count + 1


def _sum(seen: Aggregate) -> tuple[int, int]:
    total = (seen.value or 0) + seen.own
    return total, total


def _mean(seen: Aggregate) -> tuple[int, int]:
    total, count = (seen.value or 0) + seen.own, seen.count + 1
    return total // count, -(-total // count)


def _least(seen: Aggregate) -> tuple[int, int]:
    least = seen.own if seen.value is None else min(seen.value, seen.own)
    return least, least


def _most(seen: Aggregate) -> tuple[int, int]:
    most = seen.own if seen.value is None else max(seen.value, seen.own)
    return most, most


def _distinct(seen: Aggregate) -> tuple[int, int]:
    distinct = len(seen.marks) + (seen.own not in seen.marks)
    return distinct, distinct


READERS: Mapping[Function, Callable[[Aggregate], tuple[int, int]]] = {
    Function.COUNT: _count,
    Function.SUM: _sum,
    Function.AVG: _mean,
    Function.MIN: _least,
    Function.MAX: _most,
    Function.DISTINCT: _distinct,
}
"""Floor and ceiling of each function's value, the current event included."""

Ceiling = Callable[[Sequence[int], Sequence[int], int], int]
"""From the times and values of single transactions, and what the present one brings."""

CEILINGS: Mapping[Function, Ceiling] = {
    Function.COUNT: lambda times, _, __: len(times) + 1,
    Function.SUM: lambda _, values, own: sum(values) + own,
    Function.AVG: lambda _, values, own: max(own, *values) if values else own,
    Function.MIN: lambda _, __, own: own,
    Function.MAX: lambda _, values, own: max(own, *values) if values else own,
    Function.DISTINCT: lambda times, _, __: len(times) + 1,
}
"""What each function cannot exceed over any part of these transactions, quicker to see than its value."""


def shown(function: Function, units: int) -> str:
    """The value as a decision shows it; a mean is cut after nine digits, the comparison was exact."""
    return canonical(unscaled(units)) if function.is_money else str(units)
