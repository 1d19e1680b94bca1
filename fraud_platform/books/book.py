"""The book: the ledger's sums as they are stored, brought up to the ledger's end with each look."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeVar

import msgspec

from fraud_platform.books.page import Leaf, Page, Totals, hour_name, sums
from fraud_platform.books.sources import BookStore, Flow, Saved
from fraud_platform.books.tally import Tally
from fraud_platform.topology import STAGES, Topic

CHECKPOINT = 50_000
"""Ledger records after which the sums are stored: a first look at a month of ledger may be interrupted."""
Kind = TypeVar("Kind", bound=msgspec.Struct)


class Look(msgspec.Struct, frozen=True):
    """The whole ledger's sums at one moment; `new` records were read for it."""

    pages: tuple[Page, ...]
    new: int

    @property
    def is_whole(self) -> bool:
        """Whether no entry was gone before the books were opened."""
        return all(page.is_whole for page in self.pages)

    @property
    def version(self) -> int:
        """Grows with each ledger record."""
        return sum(page.upto for page in self.pages)

    @property
    def newest(self) -> datetime | None:
        """When the youngest entry was committed; None without one."""
        found = max((page.newest for page in self.pages), default=None)
        return found if found is not None and found.timestamp() > 0 else None

    def stages(self) -> dict[str, Totals]:
        """Totals per stage."""
        return sums(page.stages for page in self.pages)

    def written(self, topic: Topic) -> int:
        """Records that the outcomes must have written to the topic."""
        return sum(totals.written.get(topic.value, 0) for totals in self.stages().values())

    def read(self, stage: str, topic: Topic) -> int:
        """Records of the topic that the stage has read."""
        return sum(c.count for page in self.pages for c in page.chains if (c.stage, c.topic) == (stage, topic.value))

    def ends(self, stage: str) -> dict[tuple[str, int], int]:
        """(topic, partition) -> where the stage's ranges end."""
        return {(c.topic, c.partition): c.end for page in self.pages for c in page.chains if c.stage == stage}


class Book:
    """Reads the ledger once. Safe to use beside another one on the same store."""

    def __init__(self, flow: Flow, store: BookStore, *, checkpoint: int = CHECKPOINT) -> None:
        self._flow = flow
        self.store = store
        self._checkpoint = checkpoint
        self._ledger = flow.ledger_id()

    def look(self) -> Look:
        """The sums up to the ledger's present end; what is new is stored.

        Raises:
            BrokerUnavailable: Kafka does not answer; what was stored stays.
            StoreUnavailable: the store does not.
        """
        bounds = self._flow.bounds([Topic.LEDGER])[Topic.LEDGER]
        notes = self.store.get([self._page_note(partition) for partition in bounds])
        found = []
        for partition, (begin, end) in sorted(bounds.items()):
            page = read(notes.get(self._page_note(partition)), Page) or Page(partition, begin, begin)
            found.append(self._brought_up(page, begin, end))
        return Look(tuple(page for page, _ in found), sum(new for _, new in found))

    def faulty(self, look: Look) -> list[Leaf]:
        """The hours that hold faults, oldest first."""
        return self._leaves((page.partition, hour) for page in look.pages for hour in page.faulty)

    def hours(self, look: Look, names: Sequence[str]) -> dict[str, list[Leaf]]:
        """The leaves of these hours."""
        leaves = self._leaves((page.partition, hour) for hour in names for page in look.pages)
        return {name: [leaf for leaf in leaves if leaf.hour == name] for name in names}

    def note(self, *name: str) -> str:
        """The id of a note about this ledger."""
        return "/".join((self._ledger, *name))

    def _brought_up(self, page: Page, begin: int, end: int) -> tuple[Page, int]:
        """The page with all that is new in `[begin, end)`, and how many entries that were."""
        partition, new = page.partition, 0
        if page.upto < begin == end:
            page = self._keep(self._tally(page, begin))
        starts = {partition: max(begin, page.upto)}
        lines = self._flow.ledger(starts, {partition: end}) if page.upto < end else iter(())
        while page.upto < end:
            some = list(islice(lines, self._checkpoint))
            tally = self._tally(page, begin)
            tally.add(some)
            if len(some) < self._checkpoint:
                tally.skip_to(end)  # transaction markers alone are left
            page, new = self._keep(tally), new + len(some)
        return page, new

    def _tally(self, page: Page, begin: int) -> Tally:
        def load(hour: str) -> Leaf | None:
            name = self._leaf_note(page.partition, hour)
            return read(self.store.get([name]).get(name), Leaf)

        return Tally(page, load, begin=begin)

    def _keep(self, tally: Tally) -> Page:
        page, leaves = tally.finish()
        notes = [
            Saved(self._leaf_note(leaf.partition, leaf.hour), (leaf.partition, leaf.upto), msgspec.to_builtins(leaf))
            for leaf in leaves
        ]
        self.store.put(notes)  # first: a page never claims what its leaves do not hold
        self.store.put([Saved(self._page_note(page.partition), (page.partition, page.upto), msgspec.to_builtins(page))])
        return page

    def _page_note(self, partition: int) -> str:
        return self.note("page", str(partition))

    def _leaf_note(self, partition: int, hour: str) -> str:
        return self.note("hour", str(partition), hour)

    def _leaves(self, wanted: Iterator[tuple[int, str]]) -> list[Leaf]:
        names = [self._leaf_note(partition, hour) for partition, hour in wanted]
        found = (read(content, Leaf) for content in self.store.get(names).values())
        return sorted((leaf for leaf in found if leaf is not None), key=lambda leaf: (leaf.hour, leaf.partition))


def newest_hours(until: datetime, count: int) -> list[str]:
    """The names of the last `count` hours, that of `until` included, newest first."""
    last = int(until.timestamp()) // 3600
    return [hour_name(datetime.fromtimestamp(3600 * (last - n), UTC)) for n in range(count)]


def stages_in_order() -> list[str]:
    """The stages that keep a ledger, in flow order."""
    return [stage.name for stage in STAGES.values() if stage.consumes]


def read(content: Mapping[str, Any] | None, kind: type[Kind]) -> Kind | None:
    """The note behind its content; one that another version of the platform wrote counts as none."""
    if content is None:
        return None
    try:
        return msgspec.convert(dict(content), kind)
    except msgspec.ValidationError:
        return None
