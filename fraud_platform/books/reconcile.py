"""Compare a result topic with what the sinks made of it, row by row where that is cheap, else by sums first.

Small topics are compared by id. Of large ones the lake is summed by hour and MongoDB by groups of ids, and only ids
of hours and groups that differ are compared; so memory follows what differs and not what there is.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

import msgspec

from fraud_platform.books.finding import STORES, Finding
from fraud_platform.books.judge import Due, judge_documents, judge_lake
from fraud_platform.books.rows import BUCKETS, Row, Sums, bucket, fingerprint
from fraud_platform.books.stores import DocumentRows, LakeRows, TopicRows
from fraud_platform.topology import DOCUMENTS, LAKE

FULL_AT_MOST = 200_000
"""Records of a topic up to which all ids are held at once; measured in docs/books.md."""
EXAMINED = 1000
"""Ids of one store that are looked at field by field; of more, the number is told."""


class Reconciled(msgspec.Struct, frozen=True):
    """What was compared and what is off. `differing` ids there are, of which `EXAMINED` are looked at."""

    store: str
    records: int
    how: str
    differing: int
    findings: tuple[Finding, ...]


class Reconciliation:
    """Compares one topic with both of its stores; the cut is made here."""

    def __init__(
        self, topic: TopicRows, lake: LakeRows, documents: DocumentRows, *, full_at_most: int = FULL_AT_MOST
    ) -> None:
        self._topic = topic
        self._lake = lake
        self._documents = documents
        self._cut = topic.cut()
        self._limit = full_at_most
        self._is_small = self._cut.records <= full_at_most
        self._groups: set[int] | None = None
        self._groups_left = 0

    def lake(self) -> Reconciled:
        """The lake against the topic."""
        due, name, without = self._cut.lake, self._lake.name, self._lake.without
        hours, rest = (None, []) if self._is_small else self._hours_off()
        suspects = self._lake_suspects(due, hours) if hours is None or hours else set()
        if due.compacted_before:
            suspects |= self._newest_suspects(due, self._lake.newest, self._groups_off(), without)
        if (groups := self._groups_off()) is not None:  # both stores may hold the same wrong row
            groups |= {bucket(each) for each in sorted(suspects)[:EXAMINED]}
        chosen, due = sorted(suspects)[:EXAMINED], self._now(due)
        dead = self._topic.dead(LAKE.name) if chosen else ()
        versions, stored = self._versions(chosen), _by_id(chosen, self._lake.by_ids)
        found = [Finding(STORES, name, what=f"differs in {hour}, too much to look at by id") for hour in rest]
        for each in chosen:
            found += judge_lake(
                name, each, versions.get(each, []), stored.get(each, []), due,
                without=without, excused=lambda row: row.position in dead,
            )  # fmt: skip
        return self._result(name, len(suspects), found, None if hours is None else f"{len(hours) + len(rest)} hours")

    def documents(self) -> Reconciled:
        """MongoDB against the topic; after `lake`, it looks at that one's suspects too."""
        due, name, groups = self._cut.documents, self._documents.name, self._groups_off()
        suspects = self._newest_suspects(due, self._documents.rows, groups) if groups is None or groups else set()
        chosen, due = sorted(suspects)[:EXAMINED], self._now(due)
        dead = self._topic.dead(DOCUMENTS.name) if chosen else ()
        versions, stored = self._versions(chosen), _by_id(chosen, self._documents.by_ids)
        left = self._groups_left
        found = [Finding(STORES, name, what=f"{left:,} more groups of ids differ")] if left else []
        for each in chosen:
            found += judge_documents(
                name, each, versions.get(each, []), stored.get(each, []), due,
                excused=lambda row: row.position in dead,
            )  # fmt: skip
        return self._result(name, len(suspects), found, None if groups is None else f"{len(groups)} groups of ids")

    def _result(self, store: str, differing: int, found: list[Finding], parts: str | None) -> Reconciled:
        if differing > EXAMINED:
            found.append(Finding(STORES, store, what=f"{differing - EXAMINED:,} more ids differ"))
        how = "by id" if parts is None else f"by sums; {parts} differ"
        return Reconciled(store, self._cut.records, how, differing, tuple(found))

    def _now(self, due: Due) -> Due:
        """The topic's end after the stores were read: what lies behind it can be nobody's record."""
        return msgspec.structs.replace(due, tops=self._topic.tops())

    # Sums -------------------------------------------------------------------------------------------

    def _hours_off(self) -> tuple[list[str], list[str]]:
        """Hours in which the sums of the topic and the lake differ; first those that fit, then the rest."""
        due = self._cut.lake
        sums: Sums[str] = Sums()
        rows: Counter[str] = Counter()
        for row in self._topic.rows():
            if due.holds(row) and not due.is_old(row):
                sums.add(row.hour, self._lake_mark(row))
                rows[row.hour] += 1
        for row in self._lake.rows():
            if not due.explains(row, ()) and not due.is_old(row):
                sums.take(row.hour, self._lake_mark(row))
                rows[row.hour] += 1
        fitting: list[str] = []
        for hour in sorted(sums, reverse=True):
            if fitting and sum(rows[each] for each in fitting) + rows[hour] > 2 * self._limit:
                break
            fitting.append(hour)
        return fitting, sorted(sums.keys() - set(fitting))

    def _groups_off(self) -> set[int] | None:
        """Groups of ids in which MongoDB and the lake's newest rows differ, as many as fit; None = look at all."""
        if self._groups is None and not self._is_small:
            sums: Sums[int] = Sums()
            for row in self._lake.newest():
                sums.add(bucket(row.id), self._lake_mark(row))
            for row in self._documents.rows():
                sums.take(bucket(row.id), self._lake_mark(row) + (row.name != row.id))
            fitting = max(1, BUCKETS * self._limit // self._cut.records)
            self._groups = set(sorted(sums)[:fitting])
            self._groups_left = len(sums) - len(self._groups)
        return self._groups

    def _lake_mark(self, row: Row) -> int:
        return fingerprint(row, without=self._lake.without)

    # Suspects ---------------------------------------------------------------------------------------

    def _lake_suspects(self, due: Due, hours: Collection[str] | None) -> set[str]:
        """Ids whose rows differ, in these hours or anywhere."""
        sums: Sums[str] = Sums()
        for row in self._topic.rows():
            if due.holds(row) and not due.is_old(row) and (hours is None or row.hour in hours):
                sums.add(row.id, self._lake_mark(row))
        behind: list[Row] = []
        for row in self._lake.rows(hours):
            if due.is_on_its_way(row):
                behind.append(row)
            elif not due.explains(row, ()) and not due.is_old(row):
                sums.take(row.id, self._lake_mark(row))
        return sums.keys() | self._impossible(due, behind)

    def _newest_suspects(
        self, due: Due, stored: Callable[[], Iterator[Row]], groups: Collection[int] | None,
        without: frozenset[str] = frozenset(),
    ) -> set[str]:  # fmt: skip
        """Ids that a store does not hold as the topic's newest version of them."""
        newest: dict[str, tuple[tuple[int, int], int]] = {}
        for row in self._topic.rows():
            if due.holds(row) and (groups is None or bucket(row.id) in groups):
                known = newest.get(row.id)
                if known is None or row.position > known[0]:
                    newest[row.id] = (row.position, fingerprint(row, without=without))
        off: set[str] = set()
        behind: list[Row] = []
        for row in stored():
            if groups is not None and bucket(row.id) not in groups:
                continue
            if row.name not in ("", row.id):
                off |= {row.id, row.name} - {""}
                continue
            expected = newest.pop(row.id, None)
            if due.is_on_its_way(row):
                behind.append(row)
            elif expected != (row.position, fingerprint(row, without=without)):
                off.add(row.id)
        return off | newest.keys() | self._impossible(due, behind)

    def _impossible(self, due: Due, behind: Sequence[Row]) -> set[str]:
        """Ids of rows that claim a place in the topic which it does not have."""
        now = self._now(due) if behind else due
        return {row.id for row in behind if not now.is_on_its_way(row)}

    def _versions(self, ids: Iterable[str]) -> dict[str, list[Row]]:
        wanted = set(ids)
        found: dict[str, list[Row]] = {}
        for row in self._topic.rows() if wanted else ():
            if row.id in wanted:
                found.setdefault(row.id, []).append(row)
        return found


def _by_id(ids: Sequence[str], find: Callable[[Sequence[str]], Iterator[Row]]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in find(ids) if ids else ():
        for name in {row.id, row.name} - {""}:
            found.setdefault(name, []).append(row)
    return found
