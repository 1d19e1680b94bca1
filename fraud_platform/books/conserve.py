"""One look at the books: the ledger's own faults, and the equations between stages, taken while the flow goes on."""

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from types import MappingProxyType
from typing import Any

import msgspec

from fraud_platform.books.balance import (
    ANYTHING,
    DELIVERY,
    NOTHING,
    Crossing,
    Span,
    crossings,
    offsets_off,
    reader_stage,
)
from fraud_platform.books.book import Book, Look, read, stages_in_order
from fraud_platform.books.finding import OUTCOMES, RANGES, Finding
from fraud_platform.books.page import BALANCE_KINDS, Chain, Leaf
from fraud_platform.books.sources import Flow, Saved
from fraud_platform.topology import STAGES, Topic

COUNTED_AT_MOST = 200_000
"""Offsets of a topic that wait for a reader and are still counted one by one; of more, bounds are known."""
ATTEMPTS = 3
"""Looks before a difference is believed: a commit's markers appear a moment apart."""
PATIENT_ATTEMPTS = 16
"""Looks while a transaction is open: a dead slot's hides what others commit, for 30 s at most."""


class Conserved(msgspec.Struct, frozen=True):
    """What one look found. `lag` in offsets per (stage, topic); `new` ledger records were read."""

    look: Look
    crossings: tuple[Crossing, ...]
    lag: Mapping[tuple[str, str], int]
    findings: tuple[Finding, ...]
    new: int


class _Counted(msgspec.Struct):
    """Topics that the books count themselves, from their first look on."""

    chains: list[Chain] = []


class _Opening(msgspec.Struct):
    """What read + waiting - written may be, of a pair that a person has `settled` so many times."""

    allowed: Span = ANYTHING
    settled: int = 0


class Conservation:
    """Takes looks. `pause` waits a moment between two attempts."""

    def __init__(
        self, book: Book, flow: Flow, *, pause: Callable[[], None] = lambda: None, counted: int = COUNTED_AT_MOST
    ) -> None:
        self._book = book
        self._flow = flow
        self._pause = pause
        self._counted_at_most = counted
        self._notes: Mapping[str, Mapping[str, Any]] = {}

    def check(self) -> Conserved:
        """Look until all balances, or until a difference is believed.

        Raises:
            BrokerUnavailable: Kafka does not answer.
            StoreUnavailable: the books' store does not.
        """
        new = 0
        for attempt in count(1):
            before = self._book.look()
            self._notes = self._book.store.get(self._names())
            committed = {name: self._flow.committed(STAGES[name]) for name in stages_in_order()}
            measured, lag = self._crossings(before)
            after = self._book.look()
            new += before.new + after.new
            found = [msgspec.structs.replace(each, written=Span(each.written.low, after.written(each.topic)))
                     for each in measured]  # fmt: skip
            off = offsets_off(before, after, committed)
            off += [finding for each in found if (finding := each.finding()) is not None]
            if not off or attempt >= PATIENT_ATTEMPTS or (attempt >= ATTEMPTS and not self._flow.is_open()):
                break
            self._pause()
        self._remember(found, after)
        settled = {int(partition): upto for partition, upto in self._notes.get(self._settled, {}).items()}
        ledger = ledger_findings(self._book.faulty(after), settled)
        return Conserved(after, tuple(found), lag, (*ledger, *off), new)

    def settle(self, found: Conserved) -> None:
        """Take faults of the ledger and differences between stages, as they are in `found`, as known from now on."""
        upto = {str(page.partition): page.upto for page in found.look.pages}
        notes = [Saved(self._settled, (0, found.look.version), upto)]
        for each in found.crossings:
            if each.finding() is not None:
                times = self._opening(each.topic, each.reader).settled + 1
                notes.append(self._opened(each, each.difference, times, found.look))
        self._book.store.put(notes)

    @property
    def _settled(self) -> str:
        """The note of ledger offsets per partition below which faults are settled."""
        return self._book.note("settled")

    def _names(self) -> list[str]:
        """All notes that a look needs."""
        pairs = [name for pair in crossings() for name in (self._opening_note(*pair), self._counted_note(pair[0]))]
        return [self._settled, *dict.fromkeys(pairs)]

    def _crossings(self, look: Look) -> tuple[list[Crossing], dict[tuple[str, str], int]]:
        found: list[Crossing] = []
        lag: dict[tuple[str, str], int] = {}
        bounds = self._flow.bounds([topic for topic in Topic if topic is not Topic.LEDGER])
        for topic, reader in crossings():
            stage = reader_stage(reader)
            if stage is None:
                found.append(self._delivery(look, topic, bounds[topic]))
            else:
                found.append(self._crossing(look, topic, reader, bounds[topic]))
        for name in stages_in_order():
            ends = look.ends(name)
            for topic in STAGES[name].reads:
                places = bounds[topic].items()
                lag[name, topic.value] = sum(
                    max(0, end - ends.get((topic.value, p), begin)) for p, (begin, end) in places
                )
        return found, lag

    def _crossing(self, look: Look, topic: Topic, reader: str, bounds: Mapping[int, tuple[int, int]]) -> Crossing:
        ends = look.ends(reader)
        starts = {p: ends.get((topic.value, p), begin) for p, (begin, _) in bounds.items()}
        tops = {p: max(starts[p], end) for p, (_, end) in bounds.items()}
        offsets = sum(tops[p] - starts[p] for p in tops)
        if offsets <= self._counted_at_most:
            waiting = sum(self._flow.count(topic, starts, tops).values()) if offsets else 0
            span = Span(waiting, waiting)
        else:
            span = Span(0, offsets)
        return Crossing(topic, reader, Span(look.written(topic), None), look.read(reader, topic), span,
                        self._allowed(topic, reader, is_whole=look.is_whole))  # fmt: skip

    def _delivery(self, look: Look, topic: Topic, bounds: Mapping[int, tuple[int, int]]) -> Crossing:
        """Count what is new in a topic that no stage reads."""
        name = self._counted_note(topic)
        known = {c.partition: c for c in (read(self._notes.get(name), _Counted) or _Counted()).chains}
        for partition, (begin, _) in bounds.items():
            chain = known.setdefault(partition, Chain(DELIVERY, topic.value, partition, begin, begin))
            if begin > chain.end:  # records were gone before they were counted
                chain.start = chain.end = begin
        new = {p: end for p, (_, end) in bounds.items() if known[p].end < end}
        counts = self._flow.count(topic, {p: known[p].end for p in new}, new) if new else {}
        for partition, end in new.items():
            known[partition].count += counts.get(partition, 0)
            known[partition].end = end
        is_whole = look.is_whole and all(chain.start == 0 for chain in known.values())
        version = (0, sum(chain.end for chain in known.values()))
        self._book.store.put([Saved(name, version, msgspec.to_builtins(_Counted(list(known.values()))))])
        total = sum(chain.count for chain in known.values())
        allowed = self._allowed(topic, DELIVERY, is_whole=is_whole)
        return Crossing(topic, DELIVERY, Span(look.written(topic), None), total, Span(0, 0), allowed)

    def _allowed(self, topic: Topic, reader: str, *, is_whole: bool) -> Span:
        opening = self._opening(topic, reader)
        return NOTHING if is_whole and not opening.settled else opening.allowed

    def _remember(self, found: Sequence[Crossing], look: Look) -> None:
        """Books that were opened late know the difference of their opening better with each look."""
        notes = []
        for each in found:
            known = each.difference.meet(each.allowed)
            if each.allowed != NOTHING and known is not None and known != each.allowed:
                settled = self._opening(each.topic, each.reader).settled
                notes.append(self._opened(each, known, settled, look))
        self._book.store.put(notes)

    def _opening(self, topic: Topic, reader: str) -> "_Opening":
        return read(self._notes.get(self._opening_note(topic, reader)), _Opening) or _Opening()

    def _opened(self, crossing: Crossing, allowed: Span, settled: int, look: Look) -> Saved:
        name = self._opening_note(crossing.topic, crossing.reader)
        return Saved(name, (settled, look.version), msgspec.to_builtins(_Opening(allowed, settled)))

    def _opening_note(self, topic: Topic, reader: str) -> str:
        return self._book.note("opening", topic.value, reader)

    def _counted_note(self, topic: Topic) -> str:
        return self._book.note("counted", topic.value)


def ledger_findings(leaves: Sequence[Leaf], settled: Mapping[int, int] = MappingProxyType({})) -> list[Finding]:
    """The faults of the ledger itself, but for those before the `settled` offset of their ledger partition."""
    found: list[Finding] = []
    for leaf in leaves:
        known = settled.get(leaf.partition, 0)
        for fault in (each for each in leaf.faults if each.ledger_offset >= known):
            check = OUTCOMES if fault.kind in BALANCE_KINDS else RANGES
            found.append(Finding(check, "ledger", what=fault.sentence()))
        if leaf.more_faults and leaf.last_fault >= known:
            found.append(Finding(RANGES, "ledger", what=f"{leaf.more_faults:,} more faults in the hour {leaf.hour}"))
    return found
