"""SMALL_INTERVAL: two transactions of one account follow each other too closely."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated

import msgspec

from fraud_platform.rules.criterion import PARTIAL, Criterion, Finding, History, Match
from fraud_platform.rules.duration import Duration, seconds_text
from fraud_platform.rules.event import Event
from fraud_platform.rules.window import Aggregate, Window

_DEFAULT = Duration(10_000_000)


@lru_cache
def _window(within: Duration) -> Window:
    return Window(duration=within)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallInterval(Criterion):
    """Another transaction of the account lies less than `within` away in event time, default 10s.

    One that arrives out of order also looks forward, so that of two close transactions the second to arrive
    hits, whichever it is. The current transaction is not its own neighbour.
    """

    within: Annotated[Duration, msgspec.Meta(description="Gaps below this hit; default 10s.")] = field(
        default_factory=lambda: _DEFAULT
    )

    def windows(self) -> Sequence[Window]:
        """All transactions of the account."""
        return (_window(self.within),)

    def evaluate(self, event: Event, history: History) -> Finding:
        """Compare the gap to the nearest neighbour."""
        seen = history.over(_window(self.within))
        if not isinstance(seen, Aggregate):
            return seen
        if seen.gap is None:
            return PARTIAL if seen.is_partial else None
        return Match(
            observed=seconds_text(seen.gap),
            limit=seconds_text(self.within),
            window=self.within.iso,
            contributing_count=2,
            is_partial=seen.is_partial,
        )
