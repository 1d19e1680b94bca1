"""Trailing windows as data: which transactions of the account, how far back, what is kept of each."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from typing import Literal

import msgspec

from fraud_platform.rules.duration import Duration
from fraud_platform.rules.event import NUMBERS, TEXTS, Event, number, scaled, text

NumberField = Literal["amount", "deposit", "withdrawal", "balance"]
TextField = Literal["sector", "bank", "counterparty_account", "counterparty_name"]


class Kind(StrEnum):
    """What a window keeps beside times and counts."""

    COUNT = "COUNT"
    SUM = "SUM"
    MIN = "MIN"
    MAX = "MAX"
    DISTINCT = "DISTINCT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One demand of a filter on one field: text by `one_of` or `none_of`, money by `at_least` and `at_most`."""

    field: NumberField | TextField
    one_of: frozenset[str] | None = None
    none_of: frozenset[str] | None = None
    at_least: Decimal | None = None
    at_most: Decimal | None = None

    def __post_init__(self) -> None:
        """Refuse what could never be decided."""
        words, bounds = (self.one_of, self.none_of), (self.at_least, self.at_most)
        wanted, other = (bounds, words) if self.field in NUMBERS else (words, bounds)
        if any(part is not None for part in other):
            demand = "at_least and at_most" if self.field in NUMBERS else "one_of and none_of"
            raise ValueError(f"a filter on {self.field} takes {demand}")
        if all(part is None for part in wanted):
            raise ValueError(f"the filter on {self.field} demands nothing")

    def admits(self, event: Event) -> bool | None:
        """Whether the event meets the demand; None when it lacks the field."""
        if self.field in TEXTS:
            word = text(event, self.field)
            if word is None:
                return None
            return (self.one_of is None or word in self.one_of) and (self.none_of is None or word not in self.none_of)
        amount = number(event, self.field)
        if amount is None:
            return None
        return (self.at_least is None or amount >= self.at_least) and (self.at_most is None or amount <= self.at_most)


class _Hashed:
    """Room for a hash that is computed once."""

    __slots__ = ("_hash",)
    _hash: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Window(_Hashed):
    """The account's transactions in `(t - duration, t]` that pass every condition of `where`.

    Equal windows of several rules are kept once. `field` is what is summed, compared or told apart.
    """

    duration: Duration
    kind: Kind = Kind.COUNT
    field: NumberField | TextField | None = None
    where: tuple[Condition, ...] = ()

    def __hash__(self) -> int:
        """Criteria ask for their window with every event, and an enum's hash is slow."""
        try:
            return self._hash
        except AttributeError:
            object.__setattr__(self, "_hash", hash((self.duration, self.kind, self.field, self.where)))
            return self._hash

    def admits(self, event: Event) -> bool | str:
        """Whether the event belongs into the window, or the name of the field that leaves this open."""
        unknown: str | None = None
        for condition in self.where:
            verdict = condition.admits(event)
            if verdict is False:
                return False
            if verdict is None:
                unknown = unknown or condition.field
        return unknown or True

    def contribution(self, event: Event) -> int | None:
        """What the event brings: money in units of 1e-9, the mark of a text, 0 for a bare count; None = missing."""
        if self.field is None:
            return 0
        if self.field in TEXTS:
            word = text(event, self.field)
            return None if word is None else _known_mark(word)
        amount = number(event, self.field)
        return None if amount is None else scaled(amount)


def mark(word: str) -> int:
    """64 bits that stand for a text, so that no history holds names or accounts."""
    return int.from_bytes(blake2b(word.encode(errors="surrogatepass"), digest_size=8).digest(), "big")


_known_mark = lru_cache(maxsize=4096)(mark)
"""Sectors and banks come again and again; a transaction's id does not."""


class Aggregate(msgspec.Struct, frozen=True, gc=False):
    """What a window holds of *earlier processed* transactions at an event's time; the event itself is not in it.

    `count` transactions; `value` in units of 1e-9: their sum, minimum or maximum (None of nothing), or how many
    distinct values. `own` is what the event itself brings, in the units of `value`; of a text it is the mark, as
    in `marks`, the values that DISTINCT has seen. `gap`: of a COUNT window, the distance in microseconds to the
    nearest transaction in either direction within the duration, or None. `is_partial`: something inside the
    window is no longer or not yet kept.
    """

    count: int
    value: int | None
    own: int
    marks: frozenset[int]
    gap: int | None
    is_partial: bool
