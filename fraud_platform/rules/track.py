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

_NO_MARKS: frozenset[int] = frozenset()
_COUNT, _SUM, _MIN, _DISTINCT = Kind.COUNT, Kind.SUM, Kind.MIN, Kind.DISTINCT


class Track:
    """Cells by time (microseconds, ascending); `floor`: nothing at or before it is known.

    `values` is empty for COUNT; `counts` is empty while every cell is a single transaction.
    """

    __slots__ = ("counts", "floor", "times", "values")

    def __init__(self, floor: int = ALWAYS) -> None:
        self.floor = floor
        self.times: list[int] = []
        self.counts: list[int] = []
        self.values: list[int] = []

    def add(self, kind: Kind, at: int, value: int, oldest: int, duration: int) -> None:
        """Keep one transaction; `oldest` is the last moment that is no longer kept."""
        if at <= oldest or at <= self.floor:
            return
        times = self.times
        place = len(times) if not times or at >= times[-1] else bisect_right(times, at)
        times.insert(place, at)
        if kind is not _COUNT:
            self.values.insert(place, value)
        if self.counts:
            self.counts.insert(place, 1)
        if times[0] <= oldest:
            self.forget(oldest)
        if len(times) > CELLS:
            self._coarsen(kind, max(1, duration // PARTS))
            if len(self.times) > MOST_AFTER:
                self.floor = self.times[-LEFT - 1]
                self._drop(len(self.times) - LEFT)

    def read(self, kind: Kind, at: int, own: int, oldest: int, duration: int) -> Aggregate:
        """What lies in `(at - duration, at]`, and for COUNT the nearest neighbour."""
        start = at - duration
        is_partial = start < oldest or start < self.floor
        times = self.times
        if not times:
            return Aggregate(0, None, own, _NO_MARKS, None, is_partial)
        start = max(start, oldest)
        end = len(times) if at >= times[-1] else bisect_right(times, at)
        begin = 0 if times[0] > start else bisect_right(times, start)
        count = sum(self.counts[begin:end]) if self.counts else max(0, end - begin)
        if kind is _COUNT:
            return Aggregate(count, count, own, _NO_MARKS, self._gap(at, begin, end, duration), is_partial)
        values = self.values[begin:end]
        if kind is _DISTINCT:
            marks = frozenset(values)
            return Aggregate(count, len(marks), own, marks, None, is_partial)
        return Aggregate(count, reduced(kind, values) if values else None, own, _NO_MARKS, None, is_partial)

    def forget(self, oldest: int) -> None:
        """Drop what is not kept any more."""
        self._drop(bisect_right(self.times, oldest))

    def _gap(self, at: int, begin: int, end: int, duration: int) -> int | None:
        gap = at - self.times[end - 1] if end > begin else duration
        if end < len(self.times):
            gap = min(gap, self.times[end] - at)
        return gap if gap < duration else None

    def _drop(self, cells: int) -> None:
        if cells:
            del self.times[:cells], self.counts[:cells], self.values[:cells]

    def _coarsen(self, kind: Kind, width: int) -> None:
        """Join cells: of each distinct value the newest stays, other kinds join what shares a stretch of time."""
        singles = [1] * len(self.times)
        nothing = [0] * len(self.times)
        cells: dict[int, tuple[int, int, int]] = {}
        for at, count, value in zip(self.times, self.counts or singles, self.values or nothing, strict=True):
            key = value if kind is _DISTINCT else at // width
            before = cells.pop(key, None)
            joined = value if before is None or kind is _DISTINCT else reduced(kind, (before[2], value))
            cells[key] = (at, count + (before[1] if before else 0), joined)
        self.times = [at for at, _, _ in cells.values()]
        self.counts = [count for _, count, _ in cells.values()]
        self.values = [] if kind is _COUNT else [value for _, _, value in cells.values()]


def reduced(kind: Kind, values: Sequence[int]) -> int:
    """The values, at least one, as one: a sum unless the kind says otherwise."""
    if kind is _SUM or kind is _COUNT:
        return sum(values)
    return min(values) if kind is _MIN else max(values)
