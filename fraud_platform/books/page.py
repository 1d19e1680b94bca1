"""What the books keep of the ledger: lines, faults, chains of ranges, sums by stage, leaves and pages."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from fraud_platform.core.ledger import Entry
from fraud_platform.topology import STAGES

MAX_FAULTS = 50
"""Kept in full per hour; more are counted."""
SEALED_AFTER = timedelta(minutes=10)
"""An hour is sealed when its partition holds an entry that is so much younger; a commit takes seconds."""
CLOCKS = timedelta(hours=1)
"""A commit's time may be so much ahead of its record's, which the broker bounds."""
KEPT = timedelta(days=30)
"""How long a fault counts: as long as the ledger can show its entries."""


class Line(msgspec.Struct, frozen=True):
    """One record of the ledger topic and where it lies; `entry` is None when nobody can read it.

    Names of topics in the entry are those before the platform's prefix. `at` is the record's own time.
    """

    partition: int
    offset: int
    at: datetime
    entry: Entry | None


class Fault(msgspec.Struct, frozen=True):
    """An entry that does not add up, or does not follow the one before; `[start, end)` are input offsets."""

    kind: str
    ledger_partition: int
    ledger_offset: int
    stage: str = ""
    topic: str = ""
    partition: int = -1
    start: int = 0
    end: int = 0
    detail: str = ""

    def sentence(self) -> str:
        """What is off, for a person."""
        where = f"{self.stage}: " if self.stage else ""
        what = _SENTENCES[self.kind].format(f=self, place=f"{self.topic}/{self.partition}")
        return f"{where}{what} (ledger/{self.ledger_partition} at {self.ledger_offset})"


GAP, OVERLAP, UNBALANCED, IMPOSSIBLE, UNREADABLE, UNKNOWN, GONE = (
    "gap", "overlap", "unbalanced", "impossible", "unreadable", "unknown", "gone",
)  # fmt: skip
_SENTENCES = {
    GAP: "{place} [{f.start}, {f.end}) is in no ledger entry",
    OVERLAP: "{place} [{f.start}, {f.end}) was read more than once",
    UNBALANCED: "{f.detail}",
    IMPOSSIBLE: "{place} [{f.start}, {f.end}) {f.detail}",
    UNREADABLE: "a ledger record cannot be read",
    UNKNOWN: "{f.detail}",
    GONE: "ledger records [{f.start}, {f.end}) were gone before they were read",
}
BALANCE_KINDS = frozenset({UNBALANCED, UNREADABLE, UNKNOWN})
"""Faults of single entries; the others are of ranges."""


class Chain(msgspec.Struct):
    """Ranges of one input partition that follow each other: `[start, end)`, `count` records read in it."""

    stage: str
    topic: str
    partition: int
    start: int
    end: int
    count: int = 0

    @property
    def place(self) -> tuple[str, str, int]:
        """(stage, topic, partition)."""
        return (self.stage, self.topic, self.partition)


class Totals(msgspec.Struct):
    """Sums over a stage's entries; `written` as the topology stated it when they were read."""

    entries: int = 0
    read: int = 0
    outcomes: dict[str, int] = {}
    written: dict[str, int] = {}

    def add(self, entry: Entry) -> None:
        """Count one entry in.

        Raises:
            KeyError: the stage or an outcome is unknown.
        """
        stage = STAGES[entry.stage]
        made = [(topic.value, n * count) for name, count in entry.outcomes.items()
                for topic, n in stage.written_by(name).items()]  # fmt: skip
        for topic, count in made:
            self.written[topic] = self.written.get(topic, 0) + count
        for name, count in entry.outcomes.items():
            self.outcomes[name] = self.outcomes.get(name, 0) + count
        self.entries += 1
        self.read += sum(i.count for i in entry.inputs)

    def merge(self, other: "Totals") -> None:
        """Count another sum in."""
        self.entries += other.entries
        self.read += other.read
        for mine, theirs in ((self.outcomes, other.outcomes), (self.written, other.written)):
            for name, count in theirs.items():
                mine[name] = mine.get(name, 0) + count


class Leaf(msgspec.Struct):
    """What the entries of one hour (UTC, of their commit) in one ledger partition add up to.

    `upto` = ledger offset before which every entry of the hour is counted; `late` of them came after the seal.
    `last_fault` = ledger offset of the last of `more_faults`.
    """

    hour: str
    partition: int
    upto: int = 0
    sealed: bool = False
    late: int = 0
    stages: dict[str, Totals] = {}
    faults: list[Fault] = []
    more_faults: int = 0
    last_fault: int = 0


class Page(msgspec.Struct):
    """What all entries of one ledger partition `[first, upto)` add up to.

    `open` are the hours that are not sealed, `faulty` those that hold faults, `newest` the youngest commit.
    """

    partition: int
    first: int
    upto: int
    newest: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    stages: dict[str, Totals] = {}
    chains: list[Chain] = []
    open: list[str] = []
    faulty: list[str] = []

    @property
    def is_whole(self) -> bool:
        """Whether the page begins where the topic began."""
        return self.first == 0


def hour_name(at: datetime) -> str:
    """The hour in which a time lies, as ISO 8601 in UTC."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0).isoformat()


def sums(parts: Iterable[Mapping[str, Totals]]) -> dict[str, Totals]:
    """Totals per stage over several pages or leaves."""
    found: dict[str, Totals] = {}
    for part in parts:
        for stage, totals in part.items():
            found.setdefault(stage, Totals(0, 0, {}, {})).merge(totals)
    return found
