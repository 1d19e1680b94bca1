"""Reads past lines into windows that are new, a slice at a time, beside the lines that are judged."""

import logging
from collections.abc import Callable, Mapping

import msgspec

from fraud_platform.core.outcome import Record
from fraud_platform.core.rereading import Rereader
from fraud_platform.monitoring.marker import Fill
from fraud_platform.monitoring.shelf import Shelf
from fraud_platform.rules.duration import Duration
from fraud_platform.rules.engine import Engine
from fraud_platform.rules.past import Past, part_of

logger = logging.getLogger(__name__)

SLICE_S = 0.5
FEW, FEW_S = 20_000, 2.0
"""So few offsets are read at once: a busy partition would be ahead again after the next transaction."""
TOLD_PERCENT = 10
_TWENTIETH = 5
_NOTHING_MS = 2**52
"""Begins after every line: what is missing of an account ends at its newest one."""

Place = Callable[[bytes], int]


class Warming:
    """Makes accounts ready for an engine: one that they are not ready for is filled for, until they are."""

    def __init__(self, rereader: Rereader, place: Place) -> None:
        """`place` tells on which partition an account belongs."""
        self._rereader = rereader
        self._place = place
        self._filling: Filling | None = None
        self._told = self._percent = 0

    def needs(self, engine: Engine, shelves: Mapping[int, Shelf]) -> dict[int, Fill]:
        """What is still to be read before the engine may judge, per partition."""
        found = {number: shelf.needs(engine) for number, shelf in shelves.items()}
        return {number: fill for number, fill in found.items() if fill is not None}

    def advance(self, engine: Engine, shelves: Mapping[int, Shelf]) -> bool:
        """Read for a moment what the engine needs; whether it may judge now. Raises as `Rereader`."""
        fills = self.needs(engine, shelves)
        if not fills:
            return True
        if self._filling is None or not self._filling.is_for(engine, fills):
            self._filling = Filling(self._rereader, engine, fills, self._place)
            self._told, self._percent = -TOLD_PERCENT, 0
        done = self._filling.read(fills)
        self._percent = self._filling.percent(fills)
        if self._percent >= self._told + TOLD_PERCENT:
            self._told = self._percent
            logger.info("%s", self.progress)
        return done

    @property
    def coming(self) -> str:
        """The version that is made ready, and how far in twentieths; empty when none is."""
        if self._filling is None:
            return ""
        return f"{self._filling.version} ({self._percent // _TWENTIETH * _TWENTIETH} %)"

    @property
    def progress(self) -> str:
        """How far it is, as a sentence."""
        version = "" if self._filling is None else self._filling.version
        return f"Windows of rule set {version} are being filled from past lines: {self._percent} %."

    def hand_over(self, engine: Engine, shelves: Mapping[int, Shelf]) -> None:
        """Let the shelves go on with the engine, once `advance` says that it may judge."""
        filling, fills = self._filling, self.needs(engine, shelves)
        for number, shelf in shelves.items():
            fill = fills.get(number)
            past = None if fill is None or filling is None else filling.past(number)
            shelf.use(engine.layout, fill, past)
        if fills:
            self.cancel()

    def cancel(self) -> None:
        """Nothing is to be filled any more."""
        if self._filling is not None:
            self._filling = None
            self._rereader.close()


class Filling:
    """The windows of some partitions while past lines are read into them."""

    def __init__(self, rereader: Rereader, engine: Engine, fills: Mapping[int, Fill], place: Place) -> None:
        """Raises as `Rereader.begin`."""
        self._rereader = rereader
        self._engine = engine
        self._fills = fills
        self._place = place
        self._begins = rereader.begin({number: fill.begins_ms for number, fill in fills.items()})
        self._pasts: dict[int, Past] = {}

    @property
    def version(self) -> str:
        """Of the rule set."""
        return self._engine.rule_set.version

    def is_for(self, engine: Engine, fills: Mapping[int, Fill]) -> bool:
        """Whether it fills these windows from these lines, wherever they end by now."""
        own = {number: msgspec.structs.replace(fill, upto=0) for number, fill in self._fills.items()}
        return engine is self._engine and own == {n: msgspec.structs.replace(f, upto=0) for n, f in fills.items()}

    def read(self, fills: Mapping[int, Fill]) -> bool:
        """Read on for a moment; whether all is read. Raises as `Rereader.read`."""
        upto, positions = {number: fill.upto for number, fill in fills.items()}, self._rereader.positions
        left = sum(max(0, end - positions[number]) for number, end in upto.items())
        if left:
            for record in self._rereader.read(upto, FEW_S if left < FEW else SLICE_S):
                self._take(record)
        return all(positions[number] >= end for number, end in upto.items())

    def percent(self, fills: Mapping[int, Fill]) -> int:
        """How much of it was read."""
        done = whole = 0
        for number, begin in self._begins.items():
            done += self._rereader.positions[number] - begin.offset
            whole += max(0, fills[number].upto - begin.offset) if number in fills else 0
        return min(100, 100 * done // whole) if whole else 100

    def past(self, number: int) -> Past:
        """What was read of this partition."""
        return self._pasts.get(number) or self._opened(number, _NOTHING_MS)

    def _take(self, record: Record) -> None:
        past = self._pasts.get(record.partition)
        if past is None:
            past = self._pasts[record.partition] = self._opened(record.partition, record.timestamp_ms)
        past.take(record)

    def _opened(self, number: int, first_ms: int) -> Past:
        """`first_ms`: Kafka time of the first record that was read."""
        fill, begin = self._fills[number], self._begins[number]
        begins_ms: int | None = fill.begins_ms
        if begin.offset == 0:
            begins_ms = None
        elif begin.offset == begin.first:  # what lay before is gone, and some of it may have been as young as this
            begins_ms = max(fill.begins_ms, first_ms)
        layout = part_of(self._engine.layout, fill.ids, lateness=Duration(fill.lateness))
        return Past(layout, begins_ms=begins_ms, is_here=lambda key: self._place(key) == number)
