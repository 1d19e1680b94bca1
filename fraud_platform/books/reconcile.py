"""Compare a result topic with what the sinks made of it, row by row where that is cheap, else by sums first.

Small topics are compared by id. Of large ones the lake is summed by hour and MongoDB by groups of ids, and only ids
of hours and groups that differ are compared; so memory follows what differs and not what there is. What queries read,
the curated copy, is compared with what was landed in the same way.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TypeVar

import msgspec

from fraud_platform.books.finding import STORES, Finding
from fraud_platform.books.judge import Due, judge_documents, judge_lake, judge_unfound
from fraud_platform.books.rows import BUCKETS, Row, bucket
from fraud_platform.books.stores import Cut, DocumentRows, LakeRows, TopicRows
from fraud_platform.books.suspects import Part, Suspects, groups_off
from fraud_platform.topology import DOCUMENTS, LAKE

FULL_AT_MOST = 200_000
"""Records of a topic up to which all ids are held at once; measured in docs/books.md."""
EXAMINED = 1000
"""Ids of one store that are looked at field by field; of more, the number is told."""
ENOUGH = 10 * EXAMINED
"""Ids after which no further part of a large topic is searched."""
Positions = Collection[tuple[int, int]]
Versions = dict[str, list[Row]]
"""Rows by id."""
Judge = Callable[[str, list[Row], list[Row], Due], list[Finding]]
Some = TypeVar("Some")


class Reconciled(msgspec.Struct, frozen=True):
    """What was compared and what is off. `differing` ids there are, of which `EXAMINED` are looked at."""

    store: str
    records: int
    how: str
    differing: int
    findings: tuple[Finding, ...]


class Reconciliation:
    """Compares one topic with both of its stores, as of the topic's `cut`."""

    def __init__(
        self, topic: TopicRows, cut: Cut, lake: LakeRows, documents: DocumentRows, *, full_at_most: int = FULL_AT_MOST
    ) -> None:  # fmt: skip
        self._topic = topic
        self._cut = cut
        self._lake = lake
        self._documents = documents
        self._limit = full_at_most
        self._is_small = cut.records <= full_at_most
        self._groups: set[int] | None = None

    def lake(self) -> Reconciled:
        """The lake against the topic, and its curated copy against what was landed."""
        lake, due = self._lake, self._cut.lake

        def search(dead: Positions) -> _Found:
            look = self._suspects(due, without=lake.without, dead=dead)
            rows = None if self._is_small else look.hours(lake.rows())
            found = _search(self._hour_parts(rows), lambda some: look.of_all_rows(lake.rows, some))
            if due.compacted_before:  # of old versions the newest alone must be in the topic
                found = found.with_more(_search(self._group_parts(), lambda some: look.of_newest(lake.newest, some)))
            how = self._how(len(rows or ()), "hours")
            return msgspec.structs.replace(found, how=how, seen=look.seen)

        found, dead = self._believed(LAKE.name, search)
        if (groups := self._groups_off()) is not None:  # both stores may hold the same wrong row
            groups |= {bucket(each) for each in found.ids[:EXAMINED]}

        def judge(row_id: str, versions: list[Row], stored: list[Row], now: Due) -> list[Finding]:
            return judge_lake(
                lake.name, row_id, versions, stored, now,
                without=lake.without, excused=lambda row: row.position in dead,
            )  # fmt: skip

        landed = self._judged(lake.name, found, due, judge, versions_of=self._versions, by_ids=lake.by_ids)
        if not lake.has_copy:
            return landed
        copied = self._copy(set(found.ids))
        findings = (*landed.findings, *(each.in_copy() for each in copied.findings))
        return msgspec.structs.replace(landed, differing=landed.differing + copied.differing, findings=findings)

    def _copy(self, known: Collection[str]) -> Reconciled:
        """What queries read instead of the landed rows; of ids that are `known` to be off the rows are looked at."""
        lake = self._lake
        due = Due(begins={}, ends=self._cut.lake.ends)
        look = Suspects(lake.rows, self._topic.tops, due, without=lake.without)
        rows = None if self._is_small else look.hours(lake.copied())
        found = _search(self._hour_parts(rows), lambda some: look.of_all_rows(lake.copied, some))
        own = msgspec.structs.replace(found, ids=[each for each in found.ids if each not in known], seen=look.seen)

        def judge(row_id: str, versions: list[Row], stored: list[Row], now: Due) -> list[Finding]:
            return judge_lake(lake.name, row_id, versions, stored, now, without=lake.without)

        return self._judged(
            lake.name, own, due, judge,
            versions_of=lambda ids: _by_id(ids, lake.by_ids), by_ids=lake.copied_by_ids,
        )  # fmt: skip

    def documents(self) -> Reconciled:
        """MongoDB against the topic; after `lake`, it looks at that one's suspects too."""
        documents, due = self._documents, self._cut.documents

        def search(dead: Positions) -> _Found:
            look = self._suspects(due, dead=dead)
            found = _search(self._group_parts(), lambda some: look.of_newest(documents.rows, some))
            how = self._how(len(self._groups or ()), "groups of ids")
            return msgspec.structs.replace(found, how=how, seen=look.seen)

        found, dead = self._believed(DOCUMENTS.name, search)

        def judge(row_id: str, versions: list[Row], stored: list[Row], now: Due) -> list[Finding]:
            return judge_documents(
                documents.name, row_id, versions, stored, now, excused=lambda row: row.position in dead
            )  # fmt: skip

        return self._judged(documents.name, found, due, judge, versions_of=self._versions, by_ids=documents.by_ids)

    def _suspects(self, due: Due, *, dead: Positions, without: frozenset[str] = frozenset()) -> Suspects:
        return Suspects(lambda _: self._topic.rows(), self._topic.tops, due, without=without, dead=dead)

    def _believed(self, stage: str, search: "Callable[[Positions], _Found]") -> "tuple[_Found, Positions]":
        """Suspects and what the sink has dead-lettered; that is asked for only when something differs."""
        found = search(())
        if not found.ids:
            return found, ()
        dead = self._topic.dead(stage)
        return (search(dead) if dead and len(found.ids) > EXAMINED else found), dead

    def _judged(
        self, store: str, found: "_Found", due: Due, judge: Judge, *,
        versions_of: Callable[[Sequence[str]], Versions], by_ids: Callable[[Sequence[str]], Iterator[Row]],
    ) -> Reconciled:  # fmt: skip
        chosen = found.ids[:EXAMINED]
        # What lies behind the topic's end after the store was read can be nobody's record.
        now = msgspec.structs.replace(due, tops=self._topic.tops() if chosen else {})
        versions, stored = versions_of(chosen), _by_id(chosen, by_ids)
        off: list[Finding] = []
        for each in chosen:
            off += judge(each, versions.get(each, []), stored.get(each, []), now)
            if each in found.seen and each not in stored:
                off += judge_unfound(store, each, found.seen[each], now)
        if len(found.ids) > EXAMINED:
            at_least = "at least " if found.parts_left else ""
            off.append(Finding(STORES, store, what=f"{at_least}{len(found.ids) - EXAMINED:,} more ids differ"))
        return Reconciled(store, self._cut.records, found.how, len(found.ids), tuple(off))

    # Parts of large topics --------------------------------------------------------------------------

    def _how(self, differing: int, what: str) -> str:
        return "by id" if self._is_small else f"by sums; {differing} {what} differ"

    def _hour_parts(self, rows: Mapping[str, int] | None) -> list[Part] | None:
        """The hours, newest first, in parts that hold as many rows of both sides as are compared at once."""
        if rows is None:
            return None
        parts: list[Part] = []
        some: list[str] = []
        held = 0
        for hour in sorted(rows, reverse=True):
            if some and held + rows[hour] > 2 * self._limit:
                parts += self._split(some, held)
                some, held = [], 0
            some.append(hour)
            held += rows[hour]
        return parts + self._split(some, held)

    def _split(self, hours: Sequence[str], rows: int) -> list[Part]:
        """One part, or as many groups of ids as an hour with too many rows needs."""
        pieces = min(BUCKETS, -(-rows // (2 * self._limit)))
        edges = [BUCKETS * number // pieces for number in range(pieces + 1)] if pieces else []
        if pieces == 1:
            return [Part(hours)]
        return [Part(hours, range(start, end)) for start, end in pairwise(edges)]

    def _group_parts(self) -> list[list[int]] | None:
        """As `_hours`, the groups of ids in which MongoDB and the lake differ."""
        groups = self._groups_off()
        if groups is None:
            return None
        size = max(1, BUCKETS * self._limit // self._cut.records)
        ordered = sorted(groups)
        return [ordered[start : start + size] for start in range(0, len(ordered), size)]

    def _groups_off(self) -> set[int] | None:
        if self._groups is None and not self._is_small:
            newest, documents = self._lake.newest(), self._documents.rows()
            self._groups = groups_off(newest, documents, self._cut.both, self._topic.tops, self._lake.without)
        return self._groups

    def _versions(self, ids: Sequence[str]) -> Versions:
        wanted = set(ids)
        found: Versions = {}
        for row in self._topic.rows() if wanted else ():
            if row.id in wanted:
                found.setdefault(row.id, []).append(row)
        return found


class _Found(msgspec.Struct, frozen=True):
    """Ids that may be wrong, in order, how many parts were not looked at any more, and see `Suspects.seen`."""

    ids: list[str]
    parts_left: int
    how: str = ""
    seen: Mapping[str, tuple[int, int]] = {}

    def with_more(self, other: "_Found") -> "_Found":
        return _Found(sorted({*self.ids, *other.ids}), self.parts_left + other.parts_left)


def _search(parts: Sequence[Some] | None, look: Callable[[Some | None], set[str]]) -> _Found:
    """Look at all at once, or part by part until enough is found."""
    if parts is None:
        return _Found(sorted(look(None)), 0)
    found: set[str] = set()
    for number, part in enumerate(parts):
        if len(found) > ENOUGH:
            return _Found(sorted(found), len(parts) - number)
        found |= look(part)
    return _Found(sorted(found), 0)


def _by_id(ids: Sequence[str], find: Callable[[Sequence[str]], Iterator[Row]]) -> Versions:
    found: Versions = {}
    for row in find(ids) if ids else ():
        for name in {row.id, row.name} - {""}:
            found.setdefault(name, []).append(row)
    return found
