"""The first hour of the world: compact it, look at it, and see that every reader agrees."""

from typing import Any

from fraud_platform.catalog.holdings import CuratedHour
from fraud_platform.catalog.manifest import NAME, Manifest
from fraud_platform.curated.compaction import Compactor
from tests.curated.conftest import FIRST, NAMING, USERS, World

EVERY = "SELECT id, name, kafka_partition, kafka_offset, dt, hr FROM {} ORDER BY ALL"


def curated(world: World) -> CuratedHour:
    found = CuratedHour.of(FIRST, world.catalog.partition("curated_users", FIRST))
    assert found
    return found


def manifest(world: World, hour: CuratedHour) -> Manifest:
    found = Manifest.of(world.lake.objects[USERS.curated_prefix(NAMING) + hour.folder + NAME])
    assert found
    return found


def run(compactor: Compactor) -> None:
    compactor.compact(FIRST)
    compactor.publish()


def check(world: World, expected: list[Any]) -> None:
    """Both readers see these rows; and for the local one each row lies in one of the two tables."""
    assert world.athena.rows(USERS, EVERY.format("raw_users")) == expected
    with world.local.open(USERS) as connection:
        assert connection.execute(EVERY.format("raw_users")).fetchall() == expected
        names = ("landing_users", "curated_users", "pending_users")
        landing, *parts = (connection.execute(EVERY.format(name)).fetchall() for name in names)
        assert sorted([*parts[0], *parts[1]]) == landing
