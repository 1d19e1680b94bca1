"""RATIO_TO_HISTORY: an amount that is unlike the account's own past."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

import msgspec

from fraud_platform.core.decisions import canonical
from fraud_platform.rules.criterion import PARTIAL, Criterion, Finding, History, Match, Unclear
from fraud_platform.rules.duration import Duration
from fraud_platform.rules.event import Event, scaled, unscaled
from fraud_platform.rules.parameters import Money
from fraud_platform.rules.window import Aggregate, Kind, NumberField, Window

_DEFAULT = Duration(30 * 86_400_000_000)
_ONE = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioToHistory(Criterion):
    """The amount is at least `ratio` times the mean of the account's earlier ones in `(t - window, t]`.

    The current transaction is not part of that mean. With fewer than `min_count` earlier ones, a mean of zero or
    a window of which something is not kept, the rule is not evaluable.
    """

    ratio: Annotated[Money, msgspec.Meta(description="How many times the mean hits.")]
    window: Annotated[Duration, msgspec.Meta(description="How far back the mean reaches; default 30d.")] = field(
        default_factory=lambda: _DEFAULT
    )
    min_count: Annotated[int, msgspec.Meta(description="Fewest earlier transactions for a mean.", ge=1)] = 5
    field: Annotated[NumberField, msgspec.Meta(description="What is compared.")] = "amount"

    def __post_init__(self) -> None:
        """Refuse a ratio that everything reaches."""
        if self.ratio <= 0:
            raise ValueError("ratio is above 0")

    def windows(self) -> Sequence[Window]:
        """Sum and count of the field."""
        return (Window(duration=self.window, kind=Kind.SUM, field=self.field),)

    def evaluate(self, event: Event, history: History) -> Finding:
        """Compare `amount * count` with `ratio * sum`, so that nothing is divided."""
        seen = history.over(self.windows()[0])
        if not isinstance(seen, Aggregate):
            return seen
        if seen.is_partial:
            return PARTIAL
        total = seen.value or 0
        if seen.count < self.min_count:
            return Unclear(f"the account has {seen.count} earlier transactions in the window, {self.min_count} needed")
        if total <= 0:
            return Unclear("the mean of the account's earlier transactions is not above zero")
        if seen.own * seen.count * _ONE < scaled(self.ratio) * total:
            return None
        return Match(
            observed=canonical(unscaled(seen.own * seen.count * _ONE // total)),
            limit=canonical(self.ratio),
            window=self.window.iso,
            contributing_count=seen.count + 1,
        )
