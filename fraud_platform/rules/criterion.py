"""What a criterion is: a frozen dataclass of its parameters and a pure function of an event and its history."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

import msgspec

from fraud_platform.rules.event import Event
from fraud_platform.rules.window import Aggregate, Window


class Match(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The criterion is met. Canonical strings, never a name or an account.

    `contributing_count` counts the transactions behind `observed`, the current one included; `is_partial`
    hands on that of the aggregate.
    """

    observed: str
    limit: str | None = None
    window: str | None = None
    contributing_count: int = 1
    is_partial: bool = False


class Unclear(msgspec.Struct, frozen=True, gc=False):
    """The criterion cannot be applied to this event; the reason names a field, never its value."""

    reason: str


Finding = Match | Unclear | None

PARTIAL = Unclear("part of the account's history in this window is not kept")
"""The finding when what is missing from a partial window could turn the answer."""


class History(Protocol):
    """The account's past as the engine shows it to a criterion."""

    def over(self, window: Window) -> Aggregate | Unclear | None:
        """What the window held before this event.

        None: the event does not pass the window's filter, so that the rule says nothing about it.
        `Unclear`: no history is kept here, or the event lacks a field that the window needs.

        Raises:
            KeyError: the criterion's `windows()` does not name the window.
        """


class Criterion(ABC):
    """Base of every criterion; subclasses are frozen dataclasses whose fields are the parameters of a rule."""

    __slots__ = ()

    def windows(self) -> Sequence[Window]:
        """The windows that `evaluate` asks the history for."""
        return ()

    @abstractmethod
    def evaluate(self, event: Event, history: History) -> Finding:
        """Whether the event meets the criterion: a match, None, or why it cannot be said."""
