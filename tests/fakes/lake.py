"""A lake and a catalog in memory, which count what they are asked."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from fraud_platform.adapters.lake_reader import LakeStore
from fraud_platform.adapters.s3 import ObjectInfo
from fraud_platform.catalog.columns import Column
from fraud_platform.catalog.hours import HourKey
from fraud_platform.catalog.store import Catalog, Partition
from fraud_platform.catalog.tables import TableEntry, View
from tests.fakes.bucket import FakeBucket

PAGE = 1000


class FakeLake(FakeBucket, LakeStore):
    """As S3: a page of a listing holds 1,000 names."""

    def __init__(self) -> None:
        super().__init__()
        self.listed = 0
        self.pages = 0
        self.opened: list[str] = []

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        found = list(super().list(prefix))
        self.pages += 1 + len(found) // PAGE
        self.listed += len(found)
        return iter(found)

    def folders(self, prefix: str) -> Iterator[str]:
        self._answer()
        below = {key.removeprefix(prefix).partition("/") for key in self.objects if key.startswith(prefix)}
        found = sorted({f"{prefix}{name}/" for name, slash, _ in below if slash})
        self.pages += 1 + len(found) // PAGE
        return iter(found)

    def delete(self, keys: Sequence[str]) -> None:
        self._answer()
        for key in keys:
            self.objects.pop(key, None)

    def part(self, key: str, start: int, length: int) -> bytes:
        self._answer()
        self.opened.append(key)
        return self.objects.get(key, b"")[start : start + length]


class FakeCatalog(Catalog):
    """Keeps copies, as a service does."""

    def __init__(self) -> None:
        self.tables: dict[str, TableEntry] = {}
        self.kept: dict[str, dict[HourKey, dict[str, str]]] = {}
        self.views: dict[str, View] = {}
        self.writes: list[str] = []

    def table(self, name: str) -> TableEntry | None:
        return self.tables.get(name)

    def partitions(self, name: str) -> Mapping[HourKey, Mapping[str, str]]:
        return dict(self.kept.get(name, {}))

    def partition(self, name: str, key: HourKey) -> Mapping[str, str] | None:
        return self.kept.get(name, {}).get(key)

    def put_table(self, name: str, entry: TableEntry, *, about: str) -> None:
        self.writes.append(f"table {name}")
        self.tables[name] = entry

    def put_hours(self, name: str, entry: TableEntry, hours: Sequence[Partition]) -> None:
        self.writes.extend(f"hour {name} {'/'.join(hour.key)}" for hour in hours)
        self.kept.setdefault(name, {}).update({hour.key: hour.parameters() for hour in hours})

    def drop_hours(self, name: str, hours: Iterable[HourKey]) -> None:
        for key in hours:
            self.writes.append(f"drop {name} {'/'.join(key)}")
            self.kept[name].pop(key, None)

    def view(self, name: str) -> View | None:
        return self.views.get(name)

    def put_view(self, name: str, sql: str, columns: Sequence[Column], *, about: str) -> None:
        self.writes.append(f"view {name}")
        self.views[name] = View.of(sql, columns)
