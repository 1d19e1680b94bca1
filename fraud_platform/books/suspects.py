"""Finds the ids that a store may hold wrongly, by sums that no order changes; which of them it does is judged later."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from typing import Generic

import msgspec

from fraud_platform.books.judge import Due, Offsets
from fraud_platform.books.rows import Key, Row, Sums, bucket, fingerprint

Hours = Collection[str] | None
Groups = Collection[int] | None
"""None = all."""
Position = tuple[int, int]


class Part(msgspec.Struct, frozen=True):
    """Rows of some hours, and of some groups of ids where an hour alone has too many."""

    hours: Hours = None
    groups: range | None = None

    def holds(self, row: Row) -> bool:
        """Whether the row is one of them."""
        return (self.hours is None or row.hour in self.hours) and (self.groups is None or bucket(row.id) in self.groups)


class _Behind(Generic[Key]):
    """Rows behind the end by key: most are on their way, some claim a place that the topic does not have."""

    def __init__(self, due: Due) -> None:
        self._due = due
        self._last: dict[tuple[Key, int], int] = {}

    def takes(self, key: Key, row: Row) -> bool:
        """Whether the row is one of them."""
        if not self._due.is_on_its_way(row):
            return False
        self._last[key, row.partition] = max(row.offset, self._last.get((key, row.partition), row.offset))
        return True

    def impossible(self, tops: Callable[[], Offsets]) -> dict[Key, Position]:
        """The keys of rows that lie behind the topic's end as it is by now, which is asked once."""
        now = tops() if self._last else {}
        return {
            key: (partition, offset)
            for (key, partition), offset in self._last.items()
            if offset >= now.get(partition, offset + 1)
        }


class Suspects:
    """One store against what must be in it: `rows` (of some hours, if it can tell) and the topic's present `tops`.

    `without` = fields that are not compared, `dead` = positions that the store's sink has refused.
    """

    def __init__(
        self, rows: Callable[[Hours], Iterator[Row]], tops: Callable[[], Offsets], due: Due, *,
        without: frozenset[str] = frozenset(), dead: Collection[Position] = (),
    ) -> None:  # fmt: skip
        self.seen: dict[str, Position] = {}
        """Where rows of the store lie that nothing explains: their ids may not find them again."""
        self._rows = rows
        self._tops = tops
        self._due = due
        self._without = without
        self._dead = dead

    def hours(self, stored: Iterator[Row]) -> dict[str, int]:
        """Hours in which the sums differ, with the number of rows on both sides."""
        due = self._due
        sums: Sums[str] = Sums()
        rows: Counter[str] = Counter()
        for row in self._expected(None):
            if not due.is_old(row):
                sums.add(row.hour, self._placed(row))
                rows[row.hour] += 1
        behind: _Behind[str] = _Behind(due)
        for row in stored:
            if not due.is_old(row) and not behind.takes(row.hour, row) and not due.explains(row, ()):
                sums.take(row.hour, self._placed(row))
                rows[row.hour] += 1
        return {hour: max(1, rows[hour]) for hour in sums.keys() | behind.impossible(self._tops)}

    def of_all_rows(self, stored: Callable[[Hours], Iterator[Row]], part: "Part | None") -> set[str]:
        """Ids of a store that keeps every row, in this part of it."""
        due, part = self._due, part or Part()
        sums: Sums[str] = Sums()
        for row in self._expected(part.hours):
            if not due.is_old(row) and part.holds(row):
                sums.add(row.id, self._placed(row))
        behind: _Behind[str] = _Behind(due)
        for row in stored(part.hours):
            if not part.holds(row):
                continue
            if not behind.takes(row.id, row) and not due.explains(row, ()) and not due.is_old(row):
                if row.id not in sums:
                    self.seen[row.id] = row.position
                sums.take(row.id, self._placed(row))
        return sums.keys() | self._impossible(behind)

    def of_newest(self, stored: Callable[[], Iterator[Row]], groups: Groups) -> set[str]:
        """Ids of a store that keeps the newest row per id, in these groups."""
        newest: dict[str, tuple[Position, int]] = {}
        for row in self._expected(None):
            if groups is None or bucket(row.id) in groups:
                known = newest.get(row.id)
                if known is None or row.position > known[0]:
                    newest[row.id] = (row.position, self._mark(row))
        off: set[str] = set()
        behind: _Behind[str] = _Behind(self._due)
        for row in stored():
            if groups is not None and bucket(row.id) not in groups:
                continue
            if row.name not in ("", row.id):
                names = {row.id, row.name} - {""}
                self.seen.update(dict.fromkeys(names, row.position))
                off |= names
                continue
            expected = newest.pop(row.id, None)
            if behind.takes(row.id, row):
                continue
            if expected is None:
                self.seen[row.id] = row.position
            if expected != (row.position, self._mark(row)):
                off.add(row.id)
        return off | newest.keys() | self._impossible(behind)

    def _expected(self, hours: Hours) -> Iterator[Row]:
        due, dead = self._due, self._dead
        return (row for row in self._rows(hours) if due.holds(row) and not (dead and row.position in dead))

    def _impossible(self, behind: _Behind[str]) -> set[str]:
        found = behind.impossible(self._tops)
        self.seen.update(found)
        return set(found)

    def _mark(self, row: Row) -> int:
        return fingerprint(row, without=self._without)

    def _placed(self, row: Row) -> int:
        return fingerprint(row, without=self._without, place=row.hour)


def groups_off(
    newest: Iterator[Row], documents: Iterator[Row], due: Due, tops: Callable[[], Offsets], without: frozenset[str]
) -> set[int]:
    """Groups of ids in which the sums of two stores differ that both keep the newest row per id.

    `due` ends where both have arrived; rows behind that count only when the topic cannot have them.
    """
    sums: Sums[int] = Sums()
    behind: _Behind[int] = _Behind(due)
    for row in newest:
        if not behind.takes(bucket(row.id), row):
            sums.add(bucket(row.id), fingerprint(row, without=without))
    for row in documents:
        if not behind.takes(bucket(row.id), row):
            sums.take(bucket(row.id), fingerprint(row, without=without) + (row.name != row.id))
    return sums.keys() | behind.impossible(tops)
