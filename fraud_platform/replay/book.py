"""Stored decisions and replayed ones that wait for each other: both topics are read side by side, never whole."""

from collections.abc import Iterator
from typing import NoReturn, TypeVar

import msgspec

from fraud_platform.core.decisions import Decision
from fraud_platform.errors import ConfigurationError

AHEAD_MS = 3_600_000
"""So far ahead of the broker's clock a record's time may lie; what is written for it carries the present time."""
MOST = 2_000_000
"""Stored decisions, or records, that may wait; some 500 bytes each."""

_Key = tuple[str, int]
T = TypeVar("T")


class Replayed(msgspec.Struct, frozen=True, gc=False):
    """What the replay says about one record of the range; `amount` in units of 1e-9, None = it has none."""

    transaction_id: str
    at_ms: int
    amount: int | None
    decision: Decision
    may_repeat: bool = False


class Book:
    """By transaction id and Kafka timestamp, which a decision has from its record; several in their order."""

    def __init__(self, *, most: int = MOST) -> None:
        self._most = most
        self._stored: dict[_Key, Decision | list[Decision]] = {}
        self._waiting: dict[_Key, list[Replayed | None]] = {}
        self._names: set[str] = set()

    @property
    def waiting(self) -> int:
        """Replayed decisions whose stored one has not come yet."""
        return len(self._waiting)

    @property
    def stored(self) -> int:
        """Stored decisions whose record has not come yet."""
        return len(self._stored)

    def take(self, transaction_id: str, at_ms: int) -> Decision | None:
        """The stored decision of the record, if it has come."""
        found = self._stored.pop((transaction_id, at_ms), None)
        if not isinstance(found, list):
            return found
        first, *rest = found
        self._stored[transaction_id, at_ms] = rest[0] if len(rest) == 1 else rest
        return first

    def wait(self, transaction_id: str, at_ms: int, replayed: Replayed | None) -> None:
        """The stored decision will come later; None = it will be of no interest."""
        self._waiting.setdefault((transaction_id, at_ms), []).append(replayed)
        if len(self._waiting) > self._most:
            self._refuse()

    def store(self, transaction_id: str, at_ms: int, decision: Decision) -> Replayed | None:
        """A stored decision has come: what waited for it, else it waits itself."""
        key = transaction_id, at_ms
        if self._waiting and key in self._waiting:
            return _first(self._waiting, key)
        stored = self._stored
        before = stored.get(key)
        if before is None:
            stored[key] = decision
        else:
            stored[key] = [*before, decision] if isinstance(before, list) else [before, decision]
        if len(stored) > self._most:
            self._refuse()
        return None

    def close(self) -> None:
        """No record will come any more: from here on `awaits` tells whom a decision may still be for."""
        self._names = {name for name, _ in self._waiting}

    def awaits(self, transaction_id: str) -> bool:
        """Whether a record of that id waited when the book was closed."""
        return transaction_id in self._names

    def leftovers(self) -> Iterator[tuple[str, int, Replayed | None, Decision | None]]:
        """At the end: pairs of a record from the near future and the decision dated by the clock, then what is alone.

        Each with its id, and the time of the record or of the decision that has none.
        """
        stored: dict[str, list[tuple[int, Decision]]] = {}
        for (name, at_ms), decisions in self._stored.items():
            every = decisions if isinstance(decisions, list) else [decisions]
            stored.setdefault(name, []).extend((at_ms, decision) for decision in every)
        for (name, at_ms), waiting in self._waiting.items():
            for replayed in waiting:
                near = [each for each in stored.get(name, ()) if at_ms - AHEAD_MS <= each[0] < at_ms]
                if near:
                    stored[name].remove(near[0])
                if replayed is not None:
                    yield name, at_ms, replayed, near[0][1] if near else None
        for name, decisions_of_one in stored.items():
            for at_ms, decision in decisions_of_one:
                yield name, at_ms, None, decision

    def _refuse(self) -> NoReturn:
        raise ConfigurationError(
            f"More than {self._most:,} decisions lie far from their records in the topic, as after a long"
            " standstill; choose a shorter time to replay."
        )


def _first(waiting: dict[_Key, list[T]], key: _Key) -> T | None:
    found = waiting.get(key)
    if found is None:
        return None
    if len(found) == 1:
        del waiting[key]
    return found.pop(0)
