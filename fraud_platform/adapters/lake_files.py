"""Which files of the bucket make up each table of the local engine at this moment.

The curated hours are read first and the raw objects are listed after them: raw objects only ever come, so each row
is in one of the two, whatever a compaction does meanwhile.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from fraud_platform.adapters.duckdb_files import READERS, nothing, select
from fraud_platform.adapters.lake_reader import LakeReader
from fraud_platform.adapters.s3 import ObjectInfo
from fraud_platform.catalog.holdings import CuratedHour, Holdings, curated_hours
from fraud_platform.catalog.hours import UNUSABLE, Hour, HourKey, Place, place_of
from fraud_platform.catalog.manifest import read_manifest
from fraud_platform.catalog.store import Catalog
from fraud_platform.catalog.tables import LakeTable, TableEntry
from fraud_platform.topology import Naming

Kinds = Mapping[str, Sequence[str]]
"""Addresses of files by the name of their schema in the table's entry."""


class Files(msgspec.Struct, frozen=True):
    """The files of one topic by table: all raw objects, the curated files, and the raw objects not in them.

    `table` is the curated table that knows the kinds of the curated files.
    """

    landing: Kinds
    curated: Kinds
    pending: Kinds
    table: TableEntry | None


def files_of(
    catalog: Catalog, lake: LakeReader, table: LakeTable, entry: TableEntry, *, naming: Naming, bucket: str
) -> Files:
    """The files as they are now; raw objects in hours that the catalog does not know are left out.

    Raises:
        StoreUnavailable: the lake or the catalog does not answer.
    """
    known = catalog.table(table.curated)
    schemas = known.schemas if known else {}
    hours = curated_hours(catalog.partitions(table.curated) if known else {})
    curated = {key: hour for key, hour in hours.items() if hour.schema in schemas}
    landing = catalog.hours(table.name)
    topic, root = naming.topic(table.topic), f"s3://{bucket}/"
    raw: dict[HourKey, list[tuple[Place, ObjectInfo]]] = defaultdict(list)
    for info in lake.list(table.prefix(naming)):
        place = place_of(topic, info.key)
        if place and place.hour in landing:
            raw[place.hour].append((place, info))
    fewest = _fewest(entry)
    every: defaultdict[str, list[str]] = defaultdict(list)
    pending: defaultdict[str, list[str]] = defaultdict(list)
    held: defaultdict[str, list[str]] = defaultdict(list)
    for key, objects in raw.items():
        left_out = _held(lake, table, naming, curated.get(key), objects)
        for kind, info in _readable(landing[key], objects, fewest):
            every[kind].append(root + info.key)
            if info.key not in left_out:
                pending[kind].append(root + info.key)
    for hour in curated.values():
        held[hour.schema].extend(root + table.curated_prefix(naming) + name for name in hour.names())
    return Files(every, held, pending, known)


def _readable(hour: Hour, objects: Sequence[tuple[Place, ObjectInfo]], fewest: str) -> Iterator[tuple[str, ObjectInfo]]:
    """The objects that the table can hold, each with the name of its schema."""
    for place, info in objects:
        # What came after the last crawl is read as what came before: its new columns wait for the next crawl.
        kind = hour.schema_of(place)
        if kind != UNUSABLE:
            yield kind or fewest, info


def _held(
    lake: LakeReader, table: LakeTable, naming: Naming, hour: CuratedHour | None,
    objects: Sequence[tuple[Place, ObjectInfo]],
) -> set[str]:  # fmt: skip
    """The raw objects of an hour whose rows are in its curated files.

    Their places tell, unless objects are gone or came out of order; then the manifest does.
    """
    if hour is None:
        return set()
    found = [(place, info) for place, info in objects if hour.raw.holds(place)]
    if Holdings.of((place, info.size) for place, info in found) == hour.raw:
        return {info.key for _, info in found}
    manifest = read_manifest(lake, table.curated_prefix(naming) + hour.folder)
    return manifest.keys() if manifest else {info.key for _, info in found}


def sql_of(entry: TableEntry, kinds: Kinds, *, columns_of: TableEntry) -> str:
    """A table of these files as one SELECT per kind, since a reader cannot read several kinds at once.

    Args:
        entry: knows the kinds.
        kinds: the files.
        columns_of: whose columns are read.
    """
    reader = READERS[entry.format]
    # A kind that the table has lost is written again by the next crawl; until then its known columns are read.
    selects = [
        select(columns_of.columns, entry.schemas.get(kind, entry.schemas[_fewest(entry)]), sorted(files),
               reader=reader, hours=True)
        for kind, files in sorted(kinds.items()) if files
    ]  # fmt: skip
    return "\nUNION ALL ".join(selects) or nothing(columns_of.columns)


def _fewest(entry: TableEntry) -> str:
    return min(entry.schemas, key=lambda name: len(entry.schemas[name]))
