"""Sums of the ledger, kept so that each entry is read once: a page per ledger partition, a leaf per hour of it.

Both are versioned by the ledger offset up to which they account, so that whoever reads the same entries again,
after a crash or beside another reader, changes nothing.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from fraud_platform.books.page import (
    CLOCKS,
    GAP,
    GONE,
    IMPOSSIBLE,
    KEPT,
    MAX_FAULTS,
    OVERLAP,
    SEALED_AFTER,
    UNBALANCED,
    UNKNOWN,
    UNREADABLE,
    Chain,
    Fault,
    Leaf,
    Line,
    Page,
    Totals,
    hour_name,
)
from fraud_platform.core.ledger import Entry, InputRange
from fraud_platform.topology import STAGES, Topic


class Tally:
    """Counts lines of one ledger partition into its page and leaves; `load` finds an hour's stored leaf.

    The topic begins at `begin`; what lay between the page's end and that is lost, which the first new line tells of,
    since the page's own hours may be long over.
    """

    def __init__(self, page: Page, load: Callable[[str], Leaf | None], *, begin: int = 0) -> None:
        self.page = page
        self.leaves: dict[str, Leaf] = {}
        """The leaves that changed, by hour."""
        self._load = load
        self._begin = begin
        self._chains = {chain.place: chain for chain in page.chains}

    def add(self, lines: Iterable[Line]) -> None:
        """Count lines in; those that are counted already change nothing."""
        for line in lines:
            if line.offset >= self.page.upto:
                self._add(line, self._lost())
                self.page.upto = line.offset + 1

    def skip_to(self, offset: int) -> None:
        """All before `offset` is read; what lies there are markers."""
        if not self._lost():
            self.page.upto = max(self.page.upto, offset)

    def _lost(self) -> list[Fault]:
        upto = self.page.upto
        return [Fault(GONE, self.page.partition, upto, start=upto, end=self._begin)] if upto < self._begin else []

    def finish(self) -> tuple[Page, list[Leaf]]:
        """The page and the leaves to store, leaves first; hours that are over are sealed."""
        page = self.page
        if lost := self._lost():  # no line came that could tell of it
            leaf = self._leaf(page.newest)
            self._blame(leaf, lost if leaf.upto < self._begin else [])
            page.upto = self._begin
        for hour in page.open:
            if page.newest >= datetime.fromisoformat(hour) + timedelta(hours=1) + SEALED_AFTER:
                leaf = self._leaf_of(hour)
                leaf.sealed = True
        page.open = [hour for hour in page.open if hour not in self.leaves or not self.leaves[hour].sealed]
        page.faulty = [hour for hour in page.faulty if page.newest - datetime.fromisoformat(hour) <= KEPT]
        page.chains = sorted(self._chains.values(), key=lambda chain: chain.place)
        for leaf in self.leaves.values():
            leaf.upto = max(leaf.upto, page.upto)
        return page, list(self.leaves.values())

    def _add(self, line: Line, lost: list[Fault]) -> None:
        entry = line.entry
        at = line.at if entry is None else min(entry.committed_at, line.at + CLOCKS)
        leaf = self._leaf(at)
        is_new = line.offset >= leaf.upto
        faults = [*lost, *self._faults(line, entry)]
        self.page.newest = max(self.page.newest, at)
        if entry is not None:
            self._count(self.page.stages, entry)
            if is_new:
                self._count(leaf.stages, entry)
        if is_new:
            leaf.late += leaf.sealed
            self._blame(leaf, faults)
            leaf.upto = line.offset + 1
        elif faults:
            self._note_faulty(leaf.hour)

    def _count(self, stages: dict[str, Totals], entry: Entry) -> None:
        if entry.stage in STAGES and not _strange_outcomes(entry):  # else a fault tells of it
            stages.setdefault(entry.stage, Totals()).add(entry)

    def _faults(self, line: Line, entry: Entry | None) -> Iterable[Fault]:
        where = (line.partition, line.offset)
        if entry is None:
            return [Fault(UNREADABLE, *where)]
        found: list[Fault] = []
        read, accounted = sum(i.count for i in entry.inputs), sum(entry.outcomes.values())
        if read != accounted:
            detail = f"{read} records read, {accounted} accounted for"
            found.append(Fault(UNBALANCED, *where, stage=entry.stage, detail=detail))
        if unknown := _unknown(entry):
            found.append(Fault(UNKNOWN, *where, stage=entry.stage, detail=unknown))
        for i in entry.inputs:
            found += self._follow(entry.stage, i, where)
        return found

    def _follow(self, stage: str, i: InputRange, where: tuple[int, int]) -> list[Fault]:
        """Join the range to its chain; says what does not fit."""
        found: list[Fault] = []

        def blame(kind: str, start: int, end: int, detail: str = "") -> None:
            found.append(Fault(kind, *where, stage, i.topic, i.partition, start, end, detail))

        if i.end < i.start or not 0 <= i.count <= i.end - i.start:
            blame(IMPOSSIBLE, i.start, i.end, f"cannot hold {i.count} records")
        place = (stage, i.topic, i.partition)
        chain = self._chains.setdefault(place, Chain(*place, i.start, i.start))
        if i.start > chain.end:
            blame(GAP, chain.end, i.start)
        elif i.start <= chain.start and chain.start < chain.end:  # the stage begins again, and so does the sum
            blame(OVERLAP, i.start, chain.end)
            chain.start, chain.end, chain.count = i.start, i.start, 0
        elif i.start < chain.end:
            blame(OVERLAP, i.start, min(chain.end, max(i.end, i.start + 1)))
        chain.end = max(chain.end, i.end)
        chain.count += i.count
        return found

    def _blame(self, leaf: Leaf, faults: Iterable[Fault]) -> None:
        for fault in faults:
            self._note_faulty(leaf.hour)
            if len(leaf.faults) < MAX_FAULTS:
                leaf.faults.append(fault)
            else:
                leaf.more_faults += 1
                leaf.last_fault = fault.ledger_offset

    def _note_faulty(self, hour: str) -> None:
        if hour not in self.page.faulty:
            self.page.faulty.append(hour)

    def _leaf(self, at: datetime) -> Leaf:
        hour = hour_name(at)
        if hour not in self.leaves:
            leaf = self._leaf_of(hour)
            if not leaf.sealed and hour not in self.page.open:
                self.page.open.append(hour)
        return self.leaves[hour]

    def _leaf_of(self, hour: str) -> Leaf:
        if hour not in self.leaves:
            self.leaves[hour] = self._load(hour) or Leaf(hour, self.page.partition)
        return self.leaves[hour]


def _unknown(entry: Entry) -> str:
    if entry.stage not in STAGES:
        return "the topology knows no such stage"
    if strange := _strange_outcomes(entry):
        return f"the topology knows no outcome {', '.join(strange)}"
    topics = {topic.value for topic in Topic}
    return "" if all(i.topic in topics for i in entry.inputs) else "an input is no topic of ours"


def _strange_outcomes(entry: Entry) -> list[str]:
    return sorted({name.partition(":")[0] for name in entry.outcomes} - STAGES[entry.stage].outcomes.keys())
