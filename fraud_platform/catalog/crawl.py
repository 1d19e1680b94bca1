"""The crawler: finds new objects by hour, reads their headers, and brings tables, partitions and views up to date.

An incremental crawl lists the days, the hours of the newest days, and the objects of new and of the newest hours,
and of hours that another crawler registered; a full one lists every object. Both open only objects that they have
not seen.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from fraud_platform.adapters.lake_reader import LakeReader
from fraud_platform.adapters.s3 import ObjectInfo
from fraud_platform.catalog.columns import Column, columns_of, fingerprint, grown
from fraud_platform.catalog.header import Header, read_header
from fraud_platform.catalog.hours import UNUSABLE, Hour, HourKey, Place, copy_of, folder_of, parts_of, place_of
from fraud_platform.catalog.publish import publish
from fraud_platform.catalog.store import Catalog
from fraud_platform.catalog.tables import LakeTable, TableEntry
from fraud_platform.core.outcome import Rejected
from fraud_platform.topology import TOPICS, Naming

NEWEST_DAYS = 32
"""No record older than 29 days reaches the result topics: in older days no new hour appears."""
NEWEST_HOURS = 3
SAVED_AT_ONCE = 100
"""Hours: as many partitions as one call of Glue takes."""
OPENED_AT_ONCE = 5000
"""Objects opened between two saves, or those of one hour when it has more."""
_STILL_READ = "Athena reads all that lies in an hour, so move it out of the table's folder"
OPENERS = 8
"""Threads that open objects."""


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
        look = _Look(self._lake, self._naming.topic(table.topic), prefix, entry, registered)
        crawl = _Crawl(self._catalog, table, look, f"s3://{self._bucket}/{prefix}", registered)
        gone = set(registered) if full else set()
        for key in self._hours(prefix, look.known, registered, newest=None if full else newest):
            if stop():
                crawl.save()
                return None
            gone.discard(key)
            crawl.take(look.at(key))
        return crawl.end(gone)

    def _hours(
        self, prefix: str, known: Mapping[HourKey, Hour], registered: Iterable[HourKey], *, newest: int | None
    ) -> Iterator[HourKey]:
        """The hours whose objects must be listed, oldest first; all when `newest` is None."""
        days = parts_of(self._lake.folders(prefix), "dt")
        doubtful = {day for day, hour in registered if (day, hour) not in known}
        seen_days = {day for day, _ in known} - doubtful
        last = {day for _, day in days[-NEWEST_DAYS:]}
        wanted = [each for each in days if newest is None or each[1] in last or each[1] not in seen_days]
        hours = [(day, hour) for folder, day in wanted for _, hour in parts_of(self._lake.folders(folder), "hr")]
        again = set(hours if newest is None else hours[-newest:])
        yield from (key for key in hours if key in again or key not in known)


class _Crawl:
    """Writes what the look finds, some hours at a time, so that a crawl that ends early has not been for nothing."""

    def __init__(
        self, catalog: Catalog, table: LakeTable, look: "_Look", location: str, registered: Mapping[HourKey, Hour]
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


class _Look:
    """One pass over a table's hours; grows the table's columns on its way."""

    def __init__(
        self, lake: LakeReader, topic: str, prefix: str, entry: TableEntry | None, registered: Mapping[HourKey, Hour]
    ) -> None:
        self._lake = lake
        self._topic = topic
        self._prefix = prefix
        self.entry = entry
        schemas = entry.schemas if entry else {}
        self.known = {key: hour for key, hour in registered.items() if hour.is_described_by(schemas)}
        self.columns = entry.columns if entry else ()
        self.schemas = dict(entry.schemas) if entry else {}
        self.literal = entry.literal if entry else ""
        self.opened = 0

    def at(self, key: HourKey) -> Hour | None:
        """The hour as it is now; None when nothing changed."""
        folder = self._prefix + folder_of(key)
        objects = list(self._lake.list(folder))
        placed = [(place_of(self._topic, info.key), info) for info in objects]
        known = self.known.get(key)
        before = [(place, info.size) for place, info in placed if place and known and known.knows(place)]
        hour = copy_of(known) if known and known.is_as_seen(before) else Hour(key)
        for name in (info.key for place, info in placed if place is None):
            hour.note(name, "its name is not one that the lake gives")
        fresh = [(place, info) for place, info in placed if place and not hour.knows(place)]
        self._add(hour, sorted(fresh, key=lambda each: (each[0].partition, each[0].start)))
        return None if hour == known else hour

    def _add(self, hour: Hour, fresh: Sequence[tuple[Place, ObjectInfo]]) -> None:
        self.opened += len(fresh)
        with ThreadPoolExecutor(OPENERS) as openers:
            headers = list(openers.map(self._header, (info for _, info in fresh)))
        for (place, info), header in zip(fresh, headers, strict=True):
            schema = header if isinstance(header, Rejected) else self._fit(header)
            if isinstance(schema, Rejected):
                hour.note(info.key, schema.reason)
                hour.add(place, size=info.size, rows=0, schema=UNUSABLE)
            elif not isinstance(header, Rejected):
                hour.add(place, size=info.size, rows=header.rows, schema=schema)

    def _header(self, info: ObjectInfo) -> Header | Rejected:
        return read_header(lambda start, length: self._lake.part(info.key, start, length), info.size)

    def _fit(self, header: Header) -> str | Rejected:
        """Let the table grow so that it holds the file; the name of the file's schema."""
        found = columns_of(header.schema)
        if isinstance(found, Rejected):
            return found
        name = fingerprint(found)
        if name in self.schemas:
            return name
        columns = grown(self.columns, found)
        if isinstance(columns, Rejected):
            return columns
        self.columns, self.schemas[name] = columns, found
        if {column.name for column in columns} <= {column.name for column in found}:
            self.literal = json.dumps(header.schema)  # newest of those that know every column
        return name
