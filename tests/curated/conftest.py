"""A lake in memory with some hours of users, its catalog, and both readers."""

from pathlib import Path
from typing import Any

import pytest

from fraud_platform.catalog.crawl import Crawler
from fraud_platform.catalog.tables import BY_NAME, LakeTable
from fraud_platform.curated.compaction import Compactor
from fraud_platform.topology import Naming, Topic
from tests.catalog.conftest import lake_endpoints  # noqa: F401 - a fixture
from tests.catalog.objects import put, users
from tests.curated.readers import AthenaReader, LocalReader
from tests.fakes.lake import FakeCatalog, FakeLake

NAMING = Naming("p-")
USERS = BY_NAME["landing_users"]
FIRST = ("2026-01-01", "00")


class World:
    """One bucket and one catalog."""

    def __init__(self, folder: Path) -> None:
        self.lake, self.catalog = FakeLake(), FakeCatalog()
        self.folder = folder
        self.local = LocalReader(self.lake, self.catalog, NAMING, folder)
        self.athena = AthenaReader(self.lake, self.catalog, NAMING, folder)

    def compactor(self, table: LakeTable = USERS) -> Compactor:
        return Compactor(self.lake, self.catalog, table, NAMING)

    def crawl(self, table: LakeTable = USERS) -> None:
        Crawler(self.lake, self.catalog, NAMING, "bucket").crawl(table, full=True)

    def put(self, *ids: str, **where: Any) -> str:
        changes = {name.upper(): where.pop(name) for name in ("name",) if name in where}
        return put(self.lake, NAMING, Topic.USERS, users(*ids, **changes), **where)

    def newest(self, **how: Any) -> tuple[list[Any], list[Any]]:
        """Ids and names of the view of the newest rows, by both readers."""
        return self.both("SELECT id, name, kafka_partition, kafka_offset, dt, hr FROM raw_users ORDER BY ALL")

    def both(self, sql: str, table: LakeTable = USERS) -> tuple[list[Any], list[Any]]:
        return self.local.rows(table, sql), self.athena.rows(table, sql)

    def agreed(self, sql: str, table: LakeTable = USERS) -> list[Any]:
        local, athena = self.both(sql, table)
        assert local == athena
        return local


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Three hours of users on two partitions; u-2 changes in the second hour."""
    found = World(tmp_path)
    found.put("u-1", "u-2", name="old")
    found.put("u-3", partition=1, start=4)
    found.put("u-4", start=2)
    found.put("u-2", name="new", at=1, start=3)
    found.put("u-5", at=2, start=4)
    found.crawl()
    return found
