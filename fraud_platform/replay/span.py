"""How many days of event time some transactions fill, so that counts of them can be told by the day."""

from collections import Counter
from collections.abc import Iterable
from typing import Self

_HOUR_US = 3_600_000_000
_ODD = 100
"""A date with less than a hundredth of the busiest one's transactions is a few odd ones, and no day of theirs."""


class Span:
    """Transactions by the hour (since 1970) of their event time."""

    __slots__ = ("hours",)

    def __init__(self) -> None:
        self.hours: Counter[int] = Counter()

    @classmethod
    def of(cls, parts: Iterable["Span"]) -> Self:
        """All of these together."""
        whole = cls()
        for part in parts:
            whole.hours.update(part.hours)
        return whole

    def add(self, at: int | None) -> None:
        """Count a transaction of this time (microseconds); without one it fills nothing."""
        if at is not None:
            self.hours[at // _HOUR_US] += 1

    @property
    def days(self) -> float:
        """The dates that hold transactions, but for those with a few odd ones; of up to two dates the hours, as parts.

        The hours of a day count alike, so an hour that is not over counts whole.
        """
        dates: Counter[int] = Counter()
        for hour, count in self.hours.items():
            dates[hour // 24] += count
        most = max(dates.values(), default=0)
        kept = {date for date, count in dates.items() if count * _ODD >= most}
        return float(len(kept)) if len(kept) > 2 else sum(hour // 24 in kept for hour in self.hours) / 24  # noqa: PLR2004
