"""One window's memory of one account: sorted cells, exact while they are few, coarser when they are many.

A cell stands for one transaction. When there are more than the window's room, or than `CELLS` in one length of the
window, all but the newest of those that share a 64th of the window become one cell at the time of its newest, so that
a busy account costs no more than a quiet one. What had to go raises the floor: no answer passes over it in silence.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import islice

import msgspec

from fraud_platform.rules.window import Aggregate, Kind

CELLS, MOST_CELLS = 256, 2560
"""Most cells kept for a window as long as the lateness, and for a very short one."""

PARTS = 64
"""Resolution of a window that holds more transactions than cells."""

EXACT = 48
"""The newest cells are never joined, so that what arrives a little out of order finds its place."""

_NO_MARKS: frozenset[int] = frozenset()
_COUNT, _SUM, _MIN, _DISTINCT = Kind.COUNT, Kind.SUM, Kind.MIN, Kind.DISTINCT


class Joins(msgspec.Struct, array_like=True, gc=False):
    """Of each cell the time of its oldest transaction, and how many it stands for."""

    begins: list[int]
    counts: list[int]


class Track(msgspec.Struct, array_like=True, gc=False):
    """Cells by the time of their newest transaction (microseconds, ascending).

    Something at `floor` or before it is not kept; None = nothing is missing. `values` is empty for COUNT; `joins`
    is None while every cell is a single transaction. The fields in this order are what a record holds.
    """

    floor: int | None = None
    times: list[int] = []
    values: list[int] = []
    joins: Joins | None = None

    def add(self, kind: Kind, at: int, value: int, oldest: int, room: tuple[int, int]) -> None:
        """Keep one transaction; `oldest` is the last moment that is no longer kept, `room` see there."""
        if at <= oldest or (self.floor is not None and at <= self.floor):
            self._miss(at)
            return
        times = self.times
        if self.joins is None and (not times or at >= times[-1]):
            times.append(at)
            if kind is not _COUNT:
                self.values.append(value)
        else:
            self._insert(kind, at, value)
        if times[0] <= oldest:
            self.forget(oldest)
        if len(times) > CELLS:
            self._make_room(kind, *room)

    def read(self, kind: Kind, at: int, own: int, oldest: int, duration: int) -> Aggregate:
        """What lies in `(at - duration, at]`, and for COUNT the nearest neighbour."""
        times = self.times
        if times and times[0] <= oldest:
            self.forget(oldest)
        joins = self.joins
        start = at - duration
        is_partial = self.floor is not None and start < self.floor
        if not times:
            return Aggregate(0, None, own, _NO_MARKS, None, is_partial)
        end, after = len(times), None
        if at < times[-1]:
            end = bisect_right(times, at)
            after = times[end] if joins is None else min(joins.begins[end:])
            is_partial = is_partial or after <= at  # a cell that began before `at` and went on after it
        begin = 0 if times[0] > start else bisect_right(times, start)
        count = end - begin if joins is None else sum(joins.counts[begin:end])
        if kind is _COUNT:
            gap = at - times[end - 1] if end > begin else None
            if after is not None:
                gap = self._gap(at, gap, end, after, duration)
            return Aggregate(count, count, own, _NO_MARKS, gap, is_partial)
        values = self.values[begin:end]
        if kind is _DISTINCT:
            marks = frozenset(values)
            return Aggregate(count, len(marks), own, marks, None, is_partial)
        return Aggregate(count, reduced(kind, values) if values else None, own, _NO_MARKS, None, is_partial)

    def forget(self, oldest: int) -> None:
        """Drop what is not kept any more."""
        self._drop(bisect_right(self.times, oldest))

    def _gap(self, at: int, before: int | None, end: int, after: int, duration: int) -> int | None:
        """To the nearest on either side; a cell may have begun before `at` and gone on after it."""
        gap = min(duration if before is None else before, self.times[end] - at, abs(after - at))
        return gap if gap < duration else None

    def _insert(self, kind: Kind, at: int, value: int) -> None:
        place = bisect_right(self.times, at)
        self.times.insert(place, at)
        if kind is not _COUNT:
            self.values.insert(place, value)
        if self.joins is not None:
            self.joins.counts.insert(place, 1)
            self.joins.begins.insert(place, at)

    def _miss(self, at: int) -> None:
        self.floor = at if self.floor is None else max(self.floor, at)

    def _drop(self, cells: int) -> None:
        if cells:
            self._miss(self.times[cells - 1])
            del self.times[:cells], self.values[:cells]
            if self.joins is not None:
                self.joins = joins_of(self.joins.begins[cells:], self.joins.counts[cells:])

    def _make_room(self, kind: Kind, cells: int, width: int) -> None:
        times = self.times
        is_crowded = kind is not _DISTINCT and times[-CELLS] > times[-1] - PARTS * width
        if is_crowded or len(times) > cells:
            self._coarsen(kind, width)
            if len(times) > cells * 3 // 4:
                self._drop(len(times) - cells * 11 // 16)

    def _coarsen(self, kind: Kind, width: int) -> None:
        """Join all but the newest cells: of a distinct value the newest stays, else what shares a stretch of time."""
        size = len(self.times) - EXACT
        ones = [1] * len(self.times)
        begins, counts = (self.times, ones) if self.joins is None else (self.joins.begins, self.joins.counts)
        parts = zip(self.times, begins, counts, self.values or ones, strict=True)
        cells: dict[int, tuple[int, int, int, int]] = {}
        for at, begin, count, value in islice(parts, size):
            key = value if kind is _DISTINCT else at // width
            before = cells.pop(key, None)
            if before is None:
                cells[key] = (at, begin, count, value)
            else:
                joined = value if kind is _DISTINCT else reduced(kind, (before[3], value))
                cells[key] = (at, min(before[1], begin), before[2] + count, joined)
        done = list(cells.values())
        self.joins = joins_of(
            [begin for _, begin, _, _ in done] + begins[size:], [count for _, _, count, _ in done] + counts[size:]
        )
        self.values = [] if kind is _COUNT else [value for *_, value in done] + self.values[size:]
        self.times[:size] = [at for at, _, _, _ in done]


def room(duration: int, lateness: int) -> tuple[int, int]:
    """Most cells of a window of this length, and the microseconds that joined ones share: a 64th of the window.

    So many that joined ones reach as far back as lateness asks, and the newest stay single.

    Only windows shorter than a 28th of the lateness would need more than `MOST_CELLS`: those keep at least the
    newest 1,760 transactions.
    """
    stretches = PARTS * (1 - -lateness // duration) + 1
    return min(MOST_CELLS, max(CELLS, (stretches + EXACT) * 4 // 3 + 1)), -(-duration // PARTS)


def joins_of(begins: list[int], counts: list[int]) -> Joins | None:
    """What the cells stand for; None when each is a single transaction, so that equal cells are equal bytes."""
    return Joins(begins, counts) if any(map((1).__lt__, counts)) else None


def reduced(kind: Kind, values: Sequence[int]) -> int:
    """The values, at least one, as one: a sum unless the kind says otherwise."""
    if kind is _SUM or kind is _COUNT:
        return sum(values)
    return min(values) if kind is _MIN else max(values)
