"""Counts of the last two hours from the ledger, in pieces of five minutes: pure, and small enough for a cursor."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from fraud_platform.core.ledger import Entry, records_read
from fraud_platform.topology import DEAD_LETTERED

PIECE_S = 300
KEPT_S = 2 * 3600
FRAUDULENT = "accepted.fraudulent"


class Count(msgspec.Struct, frozen=True, omit_defaults=True):
    """Records of one stage: read, dead-lettered, and found or called fraudulent."""

    read: int = 0
    dead: int = 0
    fraud: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(self.read + other.read, self.dead + other.dead, self.fraud + other.fraud)


class Tally(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Counts by the beginning of their piece (Unix seconds) and stage; `positions` = the ledger's next offsets."""

    positions: dict[int, int] = {}
    pieces: dict[int, dict[str, Count]] = {}

    @classmethod
    def of(cls, memory: str) -> "Tally":
        """The tally in a sensor's memory; one that is damaged is begun anew."""
        try:
            return msgspec.json.decode(memory or "{}", type=cls)
        except msgspec.DecodeError:
            return cls()

    @property
    def memory(self) -> str:
        """The tally as a sensor's memory."""
        return msgspec.json.encode(self).decode()

    def after(self, entries: Iterable[Entry], positions: Mapping[int, int], *, now: float) -> "Tally":
        """With these entries, and without what has grown too old."""
        counting = self.counting()
        for entry in entries:
            counting.add(entry)
        return counting.tally(positions, now=now)

    def counting(self) -> "Counting":
        """A copy that entries can be added to, one by one."""
        return Counting({at: dict(stages) for at, stages in self.pieces.items()})

    def between(self, stage: str, begin: float, end: float) -> Count:
        """The stage's count over the pieces that begin in `[begin, end)`."""
        return sum((stages.get(stage, Count()) for at, stages in self.pieces.items() if begin <= at < end), Count())

    def stages(self) -> list[str]:
        """Every stage that has a count."""
        return sorted({stage for stages in self.pieces.values() for stage in stages})


@dataclass(frozen=True, slots=True)
class Counting:
    """A tally in the making: it keeps no entry, only what they add up to."""

    pieces: dict[int, dict[str, Count]] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        """Count the entry into its piece."""
        at = int(entry.committed_at.timestamp()) // PIECE_S * PIECE_S
        stages = self.pieces.setdefault(at, {})
        stages[entry.stage] = stages.get(entry.stage, Count()) + _count(entry)

    def tally(self, positions: Mapping[int, int], *, now: float) -> Tally:
        """What was counted, without what has grown too old."""
        kept = {at: self.pieces[at] for at in sorted(self.pieces) if now - KEPT_S - PIECE_S < at <= now + PIECE_S}
        return Tally(positions=dict(positions), pieces=kept)


def _count(entry: Entry) -> Count:
    return Count(records_read([entry]), entry.outcomes.get(DEAD_LETTERED, 0), entry.outcomes.get(FRAUDULENT, 0))
