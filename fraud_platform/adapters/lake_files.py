"""Which files of the bucket make up each table of the local engine at this moment.

The curated hours are read first and the raw objects are listed after them: raw objects only ever come, so each row
is in one of the two, whatever a compaction does meanwhile.

Hours whose rows all lie in curated files are not listed, but for the newest ones, into which late objects come. What
no crawl has seen is opened as a crawl would open it, so a query needs no crawl to be right.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from fraud_platform.adapters.duckdb_files import READERS, nothing, select
from fraud_platform.adapters.lake_reader import LakeReader
from fraud_platform.adapters.s3 import ObjectInfo
from fraud_platform.catalog.columns import Column, grown
from fraud_platform.catalog.holdings import CuratedHour, Holdings, curated_hours
from fraud_platform.catalog.hours import UNUSABLE, Hour, HourKey, Place, folder_of, place_of
from fraud_platform.catalog.look import Look, hours_in
from fraud_platform.catalog.manifest import read_manifest
from fraud_platform.catalog.pending import has_all, newest_curated
from fraud_platform.catalog.store import Catalog
from fraud_platform.catalog.tables import PARQUET, LakeTable, TableEntry
from fraud_platform.core.outcome import Rejected
from fraud_platform.topology import Naming

LISTED_SINGLY = 200
"""Hours; a listing of the whole table takes no longer than that of more."""
LISTERS = 8
"""Threads that list hours."""

Kinds = Mapping[str, Sequence[str]]
"""Addresses of files by the name of their schema in the table's entry."""


class Files(msgspec.Struct, frozen=True):
    """The files of one topic by table: all raw objects, the curated files, and the raw objects not in them.

    `entry` and `table` are the landing and the curated table, and know the kinds of their files.
    """

    landing: Kinds
    curated: Kinds
    pending: Kinds
    entry: TableEntry
    table: TableEntry


def files_of(
    catalog: Catalog, lake: LakeReader, table: LakeTable, entry: TableEntry, *, naming: Naming, bucket: str,
    every: bool = True,
) -> Files:  # fmt: skip
    """The files as they are now. Objects that the table cannot hold are left out.

    Without `every` only the raw objects of hours in which rows may be pending are looked for, so `landing` lacks some.

    Raises:
        StoreUnavailable: the lake or the catalog does not answer.
    """
    known = catalog.table(table.curated)
    hours = curated_hours(catalog.partitions(table.curated) if known else {})
    curated = {key: hour for key, hour in hours.items() if known and hour.schema in known.schemas}
    registered = catalog.hours(table.name)
    prefix, root = table.prefix(naming), f"s3://{bucket}/"
    look = Look(lake, naming.topic(table.topic), prefix, entry, registered)
    wanted = {*hours_in(lake, prefix, look.known, registered, every=every), *registered}
    if not every:
        wanted = set(_waiting(wanted, registered, curated))
    raw, pending, held = (defaultdict[str, list[str]](list) for _ in range(3))
    for key, objects in _listed(lake, naming.topic(table.topic), prefix, wanted):
        left_out = _held(lake, table, naming, curated.get(key), objects)
        for kind, info in _readable(look, key, objects):
            raw[kind].append(root + info.key)
            if info.key not in left_out:
                pending[kind].append(root + info.key)
    for hour in curated.values():
        held[hour.schema].extend(root + table.curated_prefix(naming) + name for name in hour.names())
    landing = _read_by(entry, look)
    return Files(raw, held, pending, landing, _curated(known, landing))


def _waiting(
    keys: Iterable[HourKey], registered: Mapping[HourKey, Hour], curated: Mapping[HourKey, CuratedHour]
) -> Iterator[HourKey]:
    """The hours in which rows may be that no curated file holds."""
    newest = set(newest_curated(curated))
    for key in keys:
        counted = registered.get(key)
        if key in newest or key not in curated or (counted and not has_all(curated[key], counted)):
            yield key


def _listed(
    lake: LakeReader, topic: str, prefix: str, keys: set[HourKey]
) -> Iterator[tuple[HourKey, list[tuple[Place, ObjectInfo]]]]:
    """The objects of these hours."""
    if len(keys) > LISTED_SINGLY:
        listings = [list(lake.list(prefix))]
    else:
        with ThreadPoolExecutor(LISTERS) as listers:
            listings = list(listers.map(lambda key: list(lake.list(prefix + folder_of(key))), sorted(keys)))
    found: dict[HourKey, list[tuple[Place, ObjectInfo]]] = defaultdict(list)
    for info in (info for listing in listings for info in listing):
        place = place_of(topic, info.key)
        if place and place.hour in keys:
            found[place.hour].append((place, info))
    return iter(found.items())


def _readable(
    look: Look, key: HourKey, objects: Sequence[tuple[Place, ObjectInfo]]
) -> Iterator[tuple[str, ObjectInfo]]:
    """The objects that the table can hold, each with the name of its schema."""
    hour = look.of(key, [info for _, info in objects]) or look.known[key]
    for place, info in objects:
        kind = hour.schema_of(place)
        if kind and kind != UNUSABLE:
            yield kind, info


def _read_by(entry: TableEntry, look: Look) -> TableEntry:
    """The table with all kinds of files that were met; columns that it does not have wait for the next crawl."""
    names = {column.name for column in entry.columns}
    columns = tuple(column for column in look.columns if column.name in names)
    return TableEntry(entry.location, columns, look.schemas, entry.literal, entry.format)


def _curated(known: TableEntry | None, landing: TableEntry) -> TableEntry:
    """The curated table with all columns of the landing table, which may have got one this moment."""
    kinds: Mapping[str, tuple[Column, ...]] = known.schemas if known else {}
    columns = grown(known.columns if known else (), landing.columns)
    whole = landing.columns if isinstance(columns, Rejected) else columns
    return TableEntry("", whole, kinds, "", PARQUET)


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
    if manifest is None:
        return {info.key for _, info in found}
    return manifest.covered((info.key, info.size) for _, info in objects)


def texts_of(table: LakeTable, files: Files) -> dict[str, str]:
    """The tables under a topic's view by their names, each as a SELECT."""
    return {
        table.name: _text(files.entry, files.landing),
        table.pending: _text(files.entry, files.pending),
        table.curated: _text(files.table, files.curated),
    }


def _text(entry: TableEntry, kinds: Kinds) -> str:
    """One SELECT per kind, since a reader cannot read several kinds at once."""
    selects = [
        select(entry.columns, entry.schemas[kind], sorted(files), reader=READERS[entry.format], hours=True)
        for kind, files in sorted(kinds.items()) if files
    ]  # fmt: skip
    return "\nUNION ALL ".join(selects) or nothing(entry.columns)
