"""The equations between stages: what one has written, the next has read or finds waiting.

The flow does not stand still to be counted. Sums are taken before and after, so that each side is a closed interval
of records; at rest its ends are equal and the equations exact.
"""

from collections.abc import Mapping, Sequence

import msgspec

from fraud_platform.books.book import Look
from fraud_platform.books.finding import FLOW, OFFSETS, Finding
from fraud_platform.books.sources import Place
from fraud_platform.topology import STAGES, TOPICS, Stage, Topic

DELIVERY = "the topic"
"""Reader of a topic that no stage reads: the books count it themselves."""


class Span(msgspec.Struct, frozen=True):
    """A number of which only bounds are known, both included; None = no bound."""

    low: int | None
    high: int | None

    def meet(self, other: "Span") -> "Span | None":
        """What both allow; None when they contradict each other."""
        low = max((each for each in (self.low, other.low) if each is not None), default=None)
        high = min((each for each in (self.high, other.high) if each is not None), default=None)
        return None if low is not None and high is not None and low > high else Span(low, high)


NOTHING, ANYTHING = Span(0, 0), Span(None, None)


class Crossing(msgspec.Struct, frozen=True):
    """A topic between its writers and one reader, in records.

    `written` follows from the ledger; `read` is what the reader's entries count; `waiting` lies between the
    reader's last entry and the topic's end. `allowed` is what read + waiting - written may be: 0 in books that
    were opened with the topic, else what it was when they were opened.
    """

    topic: Topic
    reader: str
    written: Span
    read: int
    waiting: Span
    allowed: Span

    @property
    def difference(self) -> Span:
        """Read + waiting - written."""
        low, high = self.waiting.low or 0, self.waiting.high
        return Span(
            None if self.written.high is None else self.read + low - self.written.high,
            None if high is None or self.written.low is None else self.read + high - self.written.low,
        )

    def finding(self) -> Finding | None:
        """What is off, if anything."""
        if self.difference.meet(self.allowed) is not None:
            return None
        low, high = self.difference.low, self.difference.high
        if self.allowed.low is not None and high is not None and high < self.allowed.low:
            what = f"{self.allowed.low - high:,} missing"
        else:
            what = f"{(low or 0) - (self.allowed.high or 0):,} too many"
        writers = " and ".join(writers_in_ledger(self.topic))
        waiting = f"{text(self.waiting)} waiting for it"
        there = f"{self.read:,} counted in it" if self.reader == DELIVERY else f"{self.read:,} read by {self.reader}"
        return Finding(
            FLOW, self.topic.value, what=f"{what}: {text(self.written)} written by {writers}, {there}, {waiting}",
            stage="" if self.reader == DELIVERY else self.reader,
        )  # fmt: skip


def text(span: Span) -> str:
    """A number, or its bounds."""
    if span.low == span.high:
        return f"{span.low:,}"
    return f"{span.low or 0:,} to {'any number' if span.high is None else f'{span.high:,}'}"


def writers_in_ledger(topic: Topic) -> list[str]:
    """The stages whose outcomes write the topic and that keep a ledger, in flow order."""
    return [
        stage.name
        for stage in STAGES.values()
        if stage.consumes and any(topic in counts for counts in stage.outcomes.values())
    ]


def crossings() -> list[tuple[Topic, str]]:
    """Every (topic, reader) between two stages; a topic that none reads is counted in itself.

    A topic from outside has writers that keep no ledger, so what is written is unknown, though a stage may add to it
    (`rekeyed`). What a stage remembers is between it and itself.
    """
    found: list[tuple[Topic, str]] = []
    for topic in Topic:
        if writers_in_ledger(topic) and not TOPICS[topic].external:
            readers = [stage.name for stage in STAGES.values() if topic in stage.reads]
            found += [(topic, reader) for reader in readers or [DELIVERY]]
    return found


def offsets_off(before: Look, after: Look, committed: Mapping[str, Mapping[Place, int]]) -> list[Finding]:
    """Where a group does not stand where its ledger ends; `committed`, per stage, was asked between the two looks."""
    found: list[Finding] = []
    for stage, offsets in committed.items():
        first, last = before.ends(stage), after.ends(stage)
        for (topic, partition), at in sorted(offsets.items()):
            place = (topic.value, partition)
            if place not in last and not after.is_whole:
                continue  # its entries may be older than the books
            low, high = first.get(place, 0), last.get(place, 0)
            if not low <= at <= high:
                end = low if at < low else high
                what = f"the group stands at {at:,}, the ledger ends at {end:,}"
                found.append(Finding(OFFSETS, f"{topic.value}/{partition}", what=what, stage=stage))
        found += _vanished(stage, first, offsets)
    return found


def _vanished(stage: str, ends: Mapping[tuple[str, int], int], offsets: Mapping[Place, int]) -> Sequence[Finding]:
    there = {(topic.value, partition) for topic, partition in offsets}
    return [
        Finding(
            OFFSETS, f"{topic}/{partition}", what=f"the group has no offset, the ledger ends at {end:,}", stage=stage
        )
        for (topic, partition), end in sorted(ends.items())
        if (topic, partition) not in there and end > 0
    ]


def reader_stage(reader: str) -> Stage | None:
    """The stage behind a crossing's reader; None when the books count themselves."""
    return None if reader == DELIVERY else STAGES[reader]
