"""The books on one page: what each stage did, what crossed between stages, what the stores hold, and what is off."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from fraud_platform.books.balance import Crossing, text
from fraud_platform.books.finding import NEXT, Finding
from fraud_platform.books.page import Leaf, Totals, sums
from fraud_platform.books.reconcile import Reconciled
from fraud_platform.topology import DEAD_LETTERED

SHOWN = 20
"""Findings on the page; JSON holds all."""


class StageLine(msgspec.Struct, frozen=True):
    """One stage, in records since the books were opened; `day` = read in the last 24 hours, `lag` in offsets."""

    stage: str
    read: int
    accepted: int
    discarded: int
    dead: int
    day: int
    lag: int

    @classmethod
    def of(cls, stage: str, totals: Totals, *, day: int, lag: int) -> "StageLine":
        """The line behind a stage's sums."""
        discarded = sum(n for name, n in totals.outcomes.items() if name.startswith("discarded"))
        dead = totals.outcomes.get(DEAD_LETTERED, 0)
        accounted = sum(totals.outcomes.values())
        return cls(stage, totals.read, accounted - discarded - dead, discarded, dead, day, lag)


class HourLine(msgspec.Struct, frozen=True):
    """The sums of one hour (UTC, of the commits) over all ledger partitions; `late` entries came after its seal."""

    hour: str
    is_sealed: bool
    late: int
    faults: int
    stages: Mapping[str, Totals]

    @classmethod
    def of(cls, hour: str, leaves: Sequence[Leaf]) -> "HourLine":
        """The line behind an hour's leaves."""
        return cls(
            hour=hour,
            is_sealed=bool(leaves) and all(leaf.sealed for leaf in leaves),
            late=sum(leaf.late for leaf in leaves),
            faults=sum(len(leaf.faults) + leaf.more_faults for leaf in leaves),
            stages=sums(leaf.stages for leaf in leaves),
        )


class Report(msgspec.Struct, frozen=True):
    """What is known. `unknown` = what could not be looked at: check or store -> why; `hours` = the last 24."""

    newest: datetime | None
    is_whole: bool
    new: int
    stages: tuple[StageLine, ...]
    crossings: tuple[Crossing, ...]
    stores: tuple[Reconciled, ...]
    findings: tuple[Finding, ...]
    unknown: Mapping[str, str]
    hours: tuple[HourLine, ...] = ()

    @property
    def balances(self) -> bool:
        """Whether everything was looked at and nothing is off."""
        return not self.findings and not self.unknown

    def headline(self) -> str:
        """The result in one sentence."""
        if self.findings:
            many = "1 finding" if len(self.findings) == 1 else f"{len(self.findings):,} findings"
            return f"The books do not balance: {many}."
        if self.unknown:
            return "The books could not be looked at as a whole."
        return "The books balance."

    def opening(self) -> str:
        """What the books rest on."""
        if self.newest is None:
            return "The ledger has no entry yet."
        since = "since its beginning" if self.is_whole else "since it was first read; older entries were gone"
        return f"Ledger up to {self.newest:%Y-%m-%d %H:%M:%S} UTC, {since}; {self.new:,} entries were new."

    def to_json(self) -> dict[str, Any]:
        """As JSON types."""
        plain = msgspec.to_builtins(self)
        for store in plain["stores"]:
            del store["findings"]
        return {"balances": self.balances, "headline": self.headline(), **plain}


Table = tuple[tuple[str, ...], list[tuple[str, ...]]]
"""Headings and rows of texts."""


def stage_table(report: Report) -> Table:
    """One row per stage."""
    head = ("stage", "read", "accepted", "discarded", "dead letters", "last 24 h", "lag")
    return head, [
        (each.stage, *(f"{n:,}" for n in (each.read, each.accepted, each.discarded, each.dead, each.day, each.lag)))
        for each in report.stages
    ]


def crossing_table(report: Report) -> Table:
    """One row per topic and reader."""
    head = ("topic", "written", "reader", "read", "waiting", "balance")
    return head, [
        (each.topic.value, text(each.written), each.reader, f"{each.read:,}", text(each.waiting), _verdict(each))
        for each in report.crossings
    ]


def store_table(report: Report) -> Table:
    """One row per store."""
    head = ("store", "records", "compared", "ids that differ")
    return head, [(each.store, f"{each.records:,}", each.how, f"{each.differing:,}") for each in report.stores]


def _verdict(crossing: Crossing) -> str:
    if crossing.finding() is not None:
        return "off"
    return "ok" if crossing.difference.low == crossing.difference.high else "ok, in motion"


def finding_lines(findings: Sequence[Finding], *, shown: int = SHOWN) -> Iterator[str]:
    """Each finding in a line, those of one check together, and what to do about them."""
    checks = list(dict.fromkeys(each.check for each in findings))
    for check in checks:
        own = [each for each in findings if each.check == check]
        yield f"{check}: {NEXT[check]}"
        yield from (f"  {each.sentence()}" for each in own[:shown])
        if len(own) > shown:
            yield f"  and {len(own) - shown:,} more; --json lists them"
