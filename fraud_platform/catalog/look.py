"""How hours of the lake are looked at: which there are, and which objects of them the catalog has not seen."""

import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from fraud_platform.adapters.lake_reader import LakeReader
from fraud_platform.adapters.s3 import ObjectInfo
from fraud_platform.catalog.columns import columns_of, fingerprint, grown
from fraud_platform.catalog.header import Header, read_header
from fraud_platform.catalog.hours import UNUSABLE, Hour, HourKey, Place, copy_of, folder_of, parts_of, place_of
from fraud_platform.catalog.tables import TableEntry
from fraud_platform.core.outcome import Rejected

NEWEST_DAYS = 32
"""No record older than 29 days reaches the result topics: in older days no new hour appears."""
OPENERS = 8
"""Threads that open objects."""


def hours_in(
    lake: LakeReader, prefix: str, known: Iterable[HourKey], registered: Iterable[HourKey], *, every: bool
) -> list[HourKey]:
    """The hours in a table's folder, oldest first.

    Args:
        lake: the bucket.
        prefix: the table's folder.
        known: the hours that a crawl has seen.
        registered: the hours that the catalog has, maybe by another crawler.
        every: look into every day; else into the newest ones, and those that no crawl has seen to its end. Crawls go
            from the oldest hour on, so of the days that one has reached only the last may be unfinished.

    Raises:
        StoreUnavailable: the lake does not answer.
    """
    days = parts_of(lake.folders(prefix), "dt")
    believed = set(known)
    doubtful = {key[0] for key in registered if key not in believed}
    reached = sorted({day for day, _ in believed})
    seen = {*reached[:-1]} - doubtful
    last = {day for _, day in days[-NEWEST_DAYS:]}
    wanted = [folder for folder, day in days if every or day in last or day not in seen]
    return [(day, hour) for folder in wanted for day, hour in _hours(lake, folder)]


def _hours(lake: LakeReader, folder: str) -> Iterable[HourKey]:
    day = folder.rstrip("/").rpartition("dt=")[2]
    return ((day, hour) for _, hour in parts_of(lake.folders(folder), "hr"))


class Look:
    """One pass over a table's hours; grows the table's columns on its way, and writes nothing.

    `known` are the registered hours whose notes can be believed; `opened` counts the objects that were read.
    """

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
        return self.of(key, list(self._lake.list(self._prefix + folder_of(key))))

    def of(self, key: HourKey, objects: Sequence[ObjectInfo]) -> Hour | None:
        """The hour when it holds these objects; None when nothing changed."""
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
