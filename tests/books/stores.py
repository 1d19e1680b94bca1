"""A result topic and its two stores in memory, and ways to damage them."""

import copy
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from fraud_platform.books.judge import Due
from fraud_platform.books.rows import Row
from fraud_platform.books.stores import Cut, DocumentRows, LakeRows, TopicRows
from fraud_platform.topology import Topic

OLD, HOUR, NEXT = "dt=2025-06-01/hr=00", "dt=2026-01-01/hr=00", "dt=2026-01-01/hr=01"


class FakeTopic(TopicRows):
    """Rows as they lie in the topic; `due` offsets per store and partition, the present end where not said."""

    topic = Topic.RESULT

    def __init__(self, rows: Sequence[Row]) -> None:
        self.all = list(rows)
        self.due: dict[str, dict[int, int]] = {}
        self.later: dict[int, int] = {}
        self.letters: dict[str, Collection[tuple[int, int]]] = {}
        self.compacted_before = ""
        self.passes = 0

    def tops(self) -> dict[int, int]:
        return {p: self.later.get(p, end) for p, end in self._ends().items()}

    def _ends(self) -> dict[int, int]:
        return {p: max((r.offset + 1 for r in self.all if r.partition == p), default=0) for p in range(4)}

    def cut(self) -> Cut:
        def due(store: str) -> Due:
            ends = {**self._ends(), **self.due.get(store, {})}
            return Due(begins=dict.fromkeys(ends, 0), ends=ends, compacted_before=self.compacted_before)

        return Cut(due("lake"), due("documents"))

    def rows(self) -> Iterator[Row]:
        self.passes += 1
        return iter(self.all)

    def dead(self, stage: str) -> Collection[tuple[int, int]]:
        return self.letters.get(stage, ())


class FakeLake(LakeRows):
    name = "s3/results"

    def __init__(self, rows: Sequence[Row]) -> None:
        self.all = [copy.deepcopy(row) for row in rows]
        self.curated: list[Row] | None = None
        """The copy where it is another one."""

    def rows(self, hours: Collection[str] | None = None) -> Iterator[Row]:
        return (row for row in self.all if hours is None or row.hour in hours)

    def newest(self) -> Iterator[Row]:
        found = {row.id: row for row in sorted(self.all, key=lambda row: row.position)}
        return iter(found.values())

    def by_ids(self, ids: Sequence[str]) -> Iterator[Row]:
        return (row for row in self.all if row.id and row.id in ids)

    def hours(self) -> Collection[str]:
        return {row.hour for row in self.all}

    def copied(self, hours: Collection[str] | None = None) -> Iterator[Row]:
        copied = self.all if self.curated is None else self.curated
        return (row for row in copied if hours is None or row.hour in hours)

    def copied_by_ids(self, ids: Sequence[str]) -> Iterator[Row]:
        return (row for row in self.copied() if row.id and row.id in ids)


class FakeDocuments(DocumentRows):
    name = "mongodb/transactions"

    def __init__(self, rows: Sequence[Row]) -> None:
        newest = {row.id: row for row in sorted(rows, key=lambda row: row.position)}
        in_order = [newest[each] for each in dict.fromkeys(row.id for row in rows)]
        self.all = [Row(r.id, r.partition, r.offset, "", copy.deepcopy(r.fields), r.id) for r in in_order]

    def rows(self) -> Iterator[Row]:
        return iter(self.all)

    def by_ids(self, ids: Sequence[str]) -> Iterator[Row]:
        return (row for row in self.all if row.id in ids or row.name in ids)


def row(number: int, **changes: Any) -> Row:
    """The transfer `t-<number>`, on partition number % 4."""
    fields = {"transaction_id": f"t-{number}", "amount": "money:12.5", "status": "completed"}
    return Row(f"t-{number}", number % 4, number // 4, HOUR if number < 60 else NEXT, fields | changes)


def later_version(of: Row, offset: int, **changes: Any) -> Row:
    """The same id once more, at another offset of its partition."""
    return Row(of.id, of.partition, offset, NEXT, {**of.fields, **changes})


def index(rows: Sequence[Row], row_id: str) -> int:
    return next(n for n, each in enumerate(rows) if each.id == row_id)
