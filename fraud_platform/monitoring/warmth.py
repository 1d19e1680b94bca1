"""Which windows the accounts of one partition have, and from where they get those that they lack."""

from collections.abc import Collection, Iterable, Iterator
from itertools import islice

import msgspec

from fraud_platform.monitoring.marker import Fill, Marker, read
from fraud_platform.rules.account import Lacked, Layout
from fraud_platform.rules.engine import Engine
from fraud_platform.rules.past import Past, begins_ms, part_of


class Warmth:
    """What `Marker` says, in memory: `covers` are windows that every record has, `fill` tells of those that some lack.

    Records that were written before there was a marker count as whole: a window that one lacks is not guessed, it
    begins to fill at the account's newest line.
    """

    __slots__ = ("_covers", "_fill", "_lacking", "_past", "_written")

    def __init__(self) -> None:
        self._covers: frozenset[int] | None = None
        self._fill: Fill | None = None
        self._past: Past | None = None
        self._lacking: dict[bytes, None] = {}
        self._written: Marker | None = None

    def take(self, value: bytes | None) -> None:
        """Follow a marker of the changelog."""
        self._written = found = read(value)
        self._covers = None if found is None else frozenset(found.covers)
        self._fill = None if found is None else found.fill

    def needs(self, engine: Engine, keys: Collection[bytes], upto: int) -> Fill | None:
        """What is to be read before the engine can judge these accounts; None = it can.

        `upto` is the offset to which they are judged.
        """
        missing = self._missing(engine.layout, keys)
        fill = self._fill
        if not missing:
            return None
        if fill is not None and missing <= frozenset(fill.ids):
            return None if self._past is not None else msgspec.structs.replace(fill, ids=tuple(sorted(missing)))
        wanted = part_of(engine.layout, missing)
        begins = begins_ms(wanted, engine.since)
        return Fill(tuple(sorted(missing)), int(engine.layout.lateness), begins, upto)

    def use(self, layout: Layout, keys: Iterable[bytes], *, fill: Fill | None = None, past: Past | None = None) -> None:
        """Go on with this layout; `past` has what `needs` asked for, read as `fill` says."""
        ids, keys = frozenset(layout.ids), list(keys)
        missing = self._missing(layout, keys)
        self._covers = ids - missing
        if not missing:
            self._done()
        elif past is not None:
            self._fill, self._past, self._lacking = fill, past, dict.fromkeys(keys)
        elif self._fill is not None:
            # What was changed since then lacks the windows that no rule asks for now.
            kept = tuple(each for each in self._fill.ids if each in ids)
            self._fill = msgspec.structs.replace(self._fill, ids=kept)

    def lacked(self, key: bytes) -> Lacked:
        """What the account's record may lack."""
        past = self._past
        return (lambda _: {}) if past is None else lambda watermark: past.tracks(key, watermark)

    def lacking(self, most: int) -> Iterator[bytes]:
        """Some of the accounts whose records may lack windows."""
        return islice(self._lacking, most)

    def written(self, keys: Iterable[bytes], marker: Marker | None) -> None:
        """The records of these accounts are whole now, and the marker, if any, is what the changelog says."""
        self._written = marker or self._written
        if self._past is not None:
            for key in keys:
                self._lacking.pop(key, None)
            if not self._lacking:
                self._covers = (self._covers or frozenset()) | frozenset(self._fill.ids if self._fill else ())
                self._done()

    @property
    def marker(self) -> Marker | None:
        """What the changelog is to say; None while it does."""
        marker = Marker(tuple(sorted(self._covers or ())), self._fill)
        return None if marker == self._written else marker

    @property
    def is_behind(self) -> bool:
        """Whether records are to be written that no line asks for."""
        return self._past is not None or (self._written is not None and self._written.fill != self._fill)

    def _missing(self, layout: Layout, keys: Collection[bytes]) -> frozenset[int]:
        if self._covers is None or not keys:
            return frozenset()
        return frozenset(layout.ids) - self._covers

    def _done(self) -> None:
        self._fill = self._past = None
        self._lacking = {}
