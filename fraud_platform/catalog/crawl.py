"""The crawler: finds new objects by hour, reads their headers, and brings tables, partitions and views up to date.

An incremental crawl lists the days, the hours of the newest days, and the objects of new and of the newest hours,
and of hours that another crawler registered; a full one lists every object. Both open only objects that they have
not seen.
"""

from collections.abc import Callable, Collection, Mapping

import msgspec

from fraud_platform.adapters.lake_reader import LakeReader
from fraud_platform.catalog.columns import Column
from fraud_platform.catalog.hours import Hour, HourKey
from fraud_platform.catalog.look import Look, hours_in
from fraud_platform.catalog.publish import publish
from fraud_platform.catalog.store import Catalog
from fraud_platform.catalog.tables import LakeTable, TableEntry
from fraud_platform.topology import TOPICS, Naming

NEWEST_HOURS = 3
SAVED_AT_ONCE = 100
"""Hours: as many partitions as one call of Glue takes."""
OPENED_AT_ONCE = 5000
"""Objects opened between two saves, or those of one hour when it has more."""
_STILL_READ = "Athena reads all that lies in an hour, so move it out of the table's folder"


class Found(msgspec.Struct, frozen=True):
    """What a crawl left of one table.

    `problems` = (object, reason) of what the table cannot hold; `newest` = the last hour that has a partition.
    """

    table: str
    location: str
    columns: tuple[Column, ...]
    hours: int
    rows: int
    objects: int
    opened: int
    new_hours: int
    new_columns: tuple[str, ...]
    problems: tuple[tuple[str, str], ...]
    newest: HourKey | None = None


class Crawler:
    """Crawls one table after the other. `bucket` is the lake's."""

    def __init__(self, lake: LakeReader, catalog: Catalog, naming: Naming, bucket: str) -> None:
        self._lake = lake
        self._catalog = catalog
        self._naming = naming
        self._bucket = bucket

    def crawl(
        self, table: LakeTable, *, full: bool = False, newest: int = NEWEST_HOURS,
        stop: Callable[[], bool] = lambda: False,
    ) -> Found | None:  # fmt: skip
        """Bring one table up to date; None when it has no object yet, or was told to stop.

        Args:
            table: which one.
            full: list every object.
            newest: how many of the newest hours are listed object by object, when not all are.
            stop: asked before each hour.

        Raises:
            StoreUnavailable: the bucket or the catalog does not answer; what was done stays done.
            ConfigurationError: one of them refuses us.
        """
        entry = self._catalog.table(table.name)
        registered = dict(self._catalog.hours(table.name)) if entry else {}
        prefix = table.prefix(self._naming)
        look = Look(self._lake, self._naming.topic(table.topic), prefix, entry, registered)
        crawl = _Crawl(self._catalog, table, look, f"s3://{self._bucket}/{prefix}", registered)
        gone = set(registered) if full else set()
        hours = hours_in(self._lake, prefix, look.known, registered, every=full)
        again = set(hours if full else hours[-newest:])
        for key in (key for key in hours if key in again or key not in look.known):
            if stop():
                crawl.save()
                return None
            gone.discard(key)
            crawl.take(look.at(key))
        return crawl.end(gone)


class _Crawl:
    """Writes what the look finds, some hours at a time, so that a crawl that ends early has not been for nothing."""

    def __init__(
        self, catalog: Catalog, table: LakeTable, look: Look, location: str, registered: Mapping[HourKey, Hour]
    ) -> None:
        self._catalog = catalog
        self._table = table
        self._look = look
        self._location = location
        self._registered = registered
        self._hours = dict(registered)
        self._unsaved: list[Hour] = []
        self._opened = 0
        self._entry = look.entry

    def take(self, hour: Hour | None) -> None:
        if hour is None:
            return
        self._hours[hour.key] = hour
        self._unsaved.append(hour)
        if len(self._unsaved) >= SAVED_AT_ONCE or self._look.opened - self._opened >= OPENED_AT_ONCE:
            self.save()

    def save(self) -> None:
        """The table first: a partition must never hold files of a kind that its table does not know."""
        look, name = self._look, self._table.name
        if not look.columns:
            return
        entry = TableEntry(self._location, look.columns, dict(look.schemas), look.literal)
        if entry != self._entry:
            self._catalog.put_table(name, entry, about=TOPICS[self._table.topic].about)
            self._entry = entry
        self._catalog.put_hours(name, entry, self._unsaved)
        self._unsaved, self._opened = [], look.opened
        publish(self._catalog, self._table, entry)

    def end(self, gone: Collection[HourKey]) -> Found | None:
        """Write the rest and forget the hours that are gone; None when no object was ever found."""
        look = self._look
        self.save()
        self._catalog.drop_hours(self._table.name, gone)
        hours = {key: hour for key, hour in self._hours.items() if key not in gone}
        if not hours and not look.columns:
            return None
        had = {column.name for column in look.entry.columns} if look.entry else set()
        return Found(
            table=self._table.name,
            location=self._location,
            columns=look.columns,
            hours=len(hours) if look.columns else 0,
            rows=sum(hour.rows for hour in hours.values()),
            objects=sum(hour.objects for hour in hours.values()),
            opened=look.opened,
            new_hours=len(hours.keys() - self._registered.keys()) if look.columns else 0,
            new_columns=tuple(column.name for column in look.columns if column.name not in had),
            problems=tuple((name, f"{why}; {_STILL_READ}") for h in hours.values() for name, why in h.strange.items()),
            newest=max(hours, default=None),
        )
