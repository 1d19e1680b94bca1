"""What was made of a customer once, for when the very same object comes again.

Avro's decoder gives a customer that comes back unchanged the same object (`adapters/avro_decoder.py`), so that what
follows from it needs no second making. docs/performance.md has the gain.
"""

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

MOST_KNOWN, LONGEST_KNOWN = 10_000, 2_048
"""Parties that are kept, and the most that may have been made of one: a large one never comes as the same object."""
Made = TypeVar("Made")


class SameAgain(Generic[Made]):
    """`make`, asked once per party; an equal party in another object is made anew."""

    def __init__(self, make: Callable[[Mapping[str, Any]], Made], size: Callable[[Made], int]) -> None:
        """`size` = of what was made, in bytes or letters."""
        self._make = make
        self._size = size
        self._known: dict[int, tuple[Mapping[str, Any], Made]] = {}  # by identity; what is held keeps its own

    def __call__(self, party: Mapping[str, Any]) -> Made:
        """What `make` says of a value of `schemas/transaction.avsc`'s Party."""
        known = self._known.get(id(party))
        if known is not None:
            return known[1]
        made = self._make(party)
        if self._size(made) > LONGEST_KNOWN:
            return made
        if len(self._known) >= MOST_KNOWN:
            del self._known[next(iter(self._known))]
        self._known[id(party)] = party, made
        return made
