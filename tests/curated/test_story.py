"""Days of a lake in random order: objects on time and late, crawls, compactions that die anywhere, lost catalogs."""

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from fraud_platform.core.partitioning import LAKE_ROOT
from fraud_platform.curated.run import Curation
from fraud_platform.errors import StoreUnavailable
from tests.curated.conftest import NAMING, USERS, World
from tests.curated.readers import raw_rows

STEPS, HOURS, IDS = 30, 6, 12
ASKED = "SELECT id, name, kafka_partition, kafka_offset, dt, hr FROM raw_users ORDER BY ALL"


class Story:
    """One lake, and what its views must show."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.random = random.Random(seed)
        self.next_start = [1000, 1000]

    def step(self) -> None:
        act = self.random.choices(
            [self.write, self.world.crawl, self.compact, self.die, self.forget], weights=[10, 4, 4, 4, 1]
        )[0]
        act()

    def write(self) -> None:
        partition = self.random.randrange(2)
        ids = [f"u-{self.random.randrange(IDS)}" for _ in range(self.random.randrange(1, 4))]
        start = self.next_start[partition]
        self.next_start[partition] += len(ids)
        self.world.put(*ids, name=f"at {start}", partition=partition, start=start, at=self.random.randrange(HOURS))

    def compact(self) -> None:
        list(Curation(self.world.lake, self.world.catalog, NAMING).due(full=self.random.random() < 0.3))

    def die(self) -> None:
        with pytest.MonkeyPatch.context() as patch, self._dying(patch, after=self.random.randrange(6)):
            self.compact()

    @contextmanager
    def _dying(self, patch: pytest.MonkeyPatch, *, after: int) -> Iterator[None]:
        left = after

        def dying(write: Any) -> Any:
            def written(*arguments: Any, **named: Any) -> None:
                nonlocal left
                if left == 0:
                    raise StoreUnavailable("killed on purpose")
                left -= 1
                write(*arguments, **named)

            return written

        for owner, name in ((self.world.lake, "put"), *((self.world.catalog, f"put_{n}") for n in WRITES)):
            patch.setattr(owner, name, dying(getattr(owner, name)))
        try:
            yield
        except StoreUnavailable:
            return

    def forget(self) -> None:
        for each in (self.world.catalog.tables, self.world.catalog.kept, self.world.catalog.views):
            each.clear()
        self.world.crawl()

    def expected(self) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        """By the local engine, which looks for hours itself, and by Athena, to which crawls tell them."""
        prefix = USERS.prefix(NAMING)
        there = {tuple(key.removeprefix(prefix).split("/")[:2]) for key in self.world.lake.objects if prefix in key}
        told = {(f"dt={dt}", f"hr={hr}") for dt, hr in self.world.catalog.kept["landing_users"]}
        return self._newest_of(there), self._newest_of(told)

    def _newest_of(self, hours: Iterable[tuple[str, ...]]) -> list[tuple[Any, ...]]:
        newest: dict[str, tuple[Any, ...]] = {}
        for dt, hr in hours:
            for row in raw_rows(self.world.lake, f"{USERS.prefix(NAMING)}{dt}/{hr}/"):
                place = (row["kafka_partition"], row["kafka_offset"])
                if row["ID"] not in newest or newest[row["ID"]][2:4] < place:
                    newest[row["ID"]] = (row["ID"], row["NAME"], *place, dt[3:], hr[3:])
        return sorted(newest.values())


PLACES = "SELECT id, kafka_partition, kafka_offset FROM {}_users ORDER BY ALL"
WRITES = ("table", "hours", "view")


@pytest.mark.parametrize("seed", range(2))
def test_both_readers_always_see_the_newest_row_of_every_id(world: World, seed: int) -> None:
    story = Story(world, seed)
    for _ in range(STEPS):
        raw = {key: body for key, body in world.lake.objects.items() if key.startswith(f"{LAKE_ROOT}/")}
        story.step()
        assert raw.items() <= world.lake.objects.items()
        assert world.newest() == story.expected()
    story.world.crawl()
    story.compact()
    assert world.newest() == story.expected()
    landing, curated, pending = (
        world.local.rows(USERS, PLACES.format(kind)) for kind in ("landing", "curated", "pending")
    )
    assert sorted([*curated, *pending]) == landing
    assert curated
