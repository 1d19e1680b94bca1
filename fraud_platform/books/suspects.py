"""Finds the ids that a store may hold wrongly, by sums that no order changes; which of them it does is judged later."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence

import msgspec

from fraud_platform.books.judge import Due
from fraud_platform.books.rows import Row, Sums, bucket, fingerprint
from fraud_platform.books.stores import TopicRows

Hours = Collection[str] | None
Groups = Collection[int] | None
"""None = all."""


class Suspects:
    """One store against the topic. `without` = fields that are not compared, `dead` = positions that it refused."""

    def __init__(
        self, topic: TopicRows, due: Due, *, without: frozenset[str] = frozenset(),
        dead: Collection[tuple[int, int]] = (),
    ) -> None:  # fmt: skip
        self._topic = topic
        self._due = due
        self._without = without
        self._dead = dead

    def hours(self, stored: Iterator[Row]) -> dict[str, int]:
        """Hours in which the sums differ, with the number of rows on both sides."""
        sums: Sums[str] = Sums()
        rows: Counter[str] = Counter()
        for row in self._expected():
            if not self._due.is_old(row):
                sums.add(row.hour, self._placed(row))
                rows[row.hour] += 1
        for row in stored:
            if not self._due.explains(row, ()) and not self._due.is_old(row):
                sums.take(row.hour, self._placed(row))
                rows[row.hour] += 1
        return {hour: rows[hour] for hour in sums}

    def of_all_rows(self, stored: Callable[[Hours], Iterator[Row]], hours: Hours) -> set[str]:
        """Ids of a store that keeps every row, in these hours."""
        due = self._due
        sums: Sums[str] = Sums()
        for row in self._expected():
            if not due.is_old(row) and (hours is None or row.hour in hours):
                sums.add(row.id, self._placed(row))
        behind: list[Row] = []
        for row in stored(hours):
            if due.is_on_its_way(row):
                behind.append(row)
            elif not due.explains(row, ()) and not due.is_old(row):
                sums.take(row.id, self._placed(row))
        return sums.keys() | self._impossible(behind)

    def of_newest(self, stored: Callable[[], Iterator[Row]], groups: Groups) -> set[str]:
        """Ids of a store that keeps the newest row per id, in these groups."""
        newest: dict[str, tuple[tuple[int, int], int]] = {}
        for row in self._expected():
            if groups is None or bucket(row.id) in groups:
                known = newest.get(row.id)
                if known is None or row.position > known[0]:
                    newest[row.id] = (row.position, self._mark(row))
        off: set[str] = set()
        behind: list[Row] = []
        for row in stored():
            if groups is not None and bucket(row.id) not in groups:
                continue
            if row.name not in ("", row.id):
                off |= {row.id, row.name} - {""}
                continue
            expected = newest.pop(row.id, None)
            if self._due.is_on_its_way(row):
                behind.append(row)
            elif expected != (row.position, self._mark(row)):
                off.add(row.id)
        return off | newest.keys() | self._impossible(behind)

    def _expected(self) -> Iterator[Row]:
        due, dead = self._due, self._dead
        return (row for row in self._topic.rows() if due.holds(row) and not (dead and row.position in dead))

    def _impossible(self, behind: Sequence[Row]) -> set[str]:
        """Ids of rows that claim a place in the topic which it does not have."""
        now = msgspec.structs.replace(self._due, tops=self._topic.tops()) if behind else self._due
        return {row.id for row in behind if not now.is_on_its_way(row)}

    def _mark(self, row: Row) -> int:
        return fingerprint(row, without=self._without)

    def _placed(self, row: Row) -> int:
        return fingerprint(row, without=self._without, place=row.hour)


def groups_off(newest: Iterator[Row], documents: Iterator[Row], without: frozenset[str]) -> list[int]:
    """Groups of ids in which the sums of two stores differ that both keep the newest row per id."""
    sums: Sums[int] = Sums()
    for row in newest:
        sums.add(bucket(row.id), fingerprint(row, without=without))
    for row in documents:
        sums.take(bucket(row.id), fingerprint(row, without=without) + (row.name != row.id))
    return sorted(sums)
