"""One window's memory of one account: sorted cells, exact while they are few, coarser when they are many.

A cell stands for one transaction. When more than `CELLS` are kept, those that share a 64th of the window become
one cell at the time of its newest, so that a busy account costs no more than a quiet one.
"""

from bisect import bisect_right
from collections.abc import Sequence

from fraud_platform.rules.window import Aggregate, Kind

CELLS = 256
"""Most cells of a window and account; up to here every edge is exact to the microsecond."""

MOST_AFTER, LEFT = 192, 128
"""When joining leaves more cells than the first, the oldest go until the second are left.

Both are above `PARTS` and the largest limit of DISTINCT, so nothing goes that a transaction on time and in order needs.
"""

PARTS = 64
"""Resolution of a window that holds more than `CELLS` transactions."""

ALWAYS = -(2**62)
"""Before every event: nothing is missing."""

_NONE: frozenset[int] = frozenset()


class Track:
    """Times (microseconds, ascending), transactions and value of each cell; `floor`: nothing older is known."""

    __slots__ = ("counts", "floor", "times", "values")

    def __init__(self, floor: int = ALWAYS) -> None:
        self.floor = floor
        self.times: list[int] = []
        self.counts: list[int] = []
        self.values: list[int] = []

    def add(self, kind: Kind, at: int, value: int, *, oldest: int, duration: int) -> None:
        """Keep one transaction; `oldest` is the last moment that is no longer kept."""
        if at <= oldest or at <= self.floor:
            return
        times = self.times
        if not times or at >= times[-1]:
            times.append(at)
            self.counts.append(1)
            self.values.append(value)
        else:
            place = bisect_right(times, at)
            times.insert(place, at)
            self.counts.insert(place, 1)
            self.values.insert(place, value)
        if times[0] <= oldest:
            self.forget(oldest)
        if len(times) > CELLS:
            self._coarsen(kind, max(1, duration // PARTS))
            if len(self.times) > MOST_AFTER:
                self.floor = self.times[-LEFT - 1]
                self._keep(len(self.times) - LEFT)

    def read(self, kind: Kind, at: int, *, own: int, oldest: int, duration: int) -> Aggregate:
        """What lies in `(at - duration, at]`, and the nearest neighbour."""
        start = max(at - duration, oldest)
        partial = at - duration < max(self.floor, oldest)
        times = self.times
        if not times:
            return Aggregate(0, None, own=own, marks=_NONE, gap=None, is_partial=partial)
        end = len(times) if at >= times[-1] else bisect_right(times, at)
        begin = 0 if times[0] > start else bisect_right(times, start)
        gap = at - times[end - 1] if end > begin else duration
        if end < len(times):
            gap = min(gap, times[end] - at)
        values, marks = self.values[begin:end], _NONE
        if kind is Kind.DISTINCT:
            marks = frozenset(values)
        return Aggregate(
            sum(self.counts[begin:end]),
            len(marks) if kind is Kind.DISTINCT else reduced(kind, values),
            own=own,
            marks=marks,
            gap=gap if gap < duration else None,
            is_partial=partial,
        )

    def forget(self, oldest: int) -> None:
        """Drop what is not kept any more."""
        self._keep(bisect_right(self.times, oldest))

    def _keep(self, begin: int) -> None:
        del self.times[:begin], self.counts[:begin], self.values[:begin]

    def _coarsen(self, kind: Kind, width: int) -> None:
        """Join cells: of each distinct value the newest stays, other kinds join what shares a stretch of time."""
        cells: dict[int, tuple[int, int, int]] = {}
        for at, count, value in zip(self.times, self.counts, self.values, strict=True):
            key = value if kind is Kind.DISTINCT else at // width
            before = cells.pop(key, None)
            if before is None:
                cells[key] = (at, count, value)
            else:
                joined = value if kind is Kind.DISTINCT else reduced(kind, (before[2], value))
                cells[key] = (at, before[1] + count, joined or 0)
        self.times = [at for at, _, _ in cells.values()]
        self.counts = [count for _, count, _ in cells.values()]
        self.values = [value for _, _, value in cells.values()]


def reduced(kind: Kind, values: Sequence[int]) -> int | None:
    """The values as one, or None of nothing."""
    if not values:
        return None
    match kind:
        case Kind.MIN:
            return min(values)
        case Kind.MAX:
            return max(values)
        case Kind.SUM:
            return sum(values)
    return 0
