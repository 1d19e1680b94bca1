"""The compaction of one hour, step by step; after each step readers see every row once.

1. The hour's raw objects are listed, read, and written as columns on this machine.
2. The files are put into a folder that is named by their content, the manifest last. No reader looks there yet.
3. The curated table learns the files' columns.
4. One call of the catalog lets the hour's partition point to the folder and say which raw objects it holds: the
   switch. From here on the local engine reads the files, and the raw objects that came later.
5. The view of the pending rows leaves the raw objects out, which is the switch for Athena. In between Athena reads
   rows twice that are the same version of the same id, and the view of the newest rows keeps one of them.

Whoever dies leaves a folder that the next one takes over, or that nobody reads. An hour never comes to hold less
than before: two at once end with the fuller one, and an hour whose raw objects are gone keeps their rows.
"""

import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from fraud_platform.adapters.lake_reader import LakeStore
from fraud_platform.adapters.s3 import ObjectInfo
from fraud_platform.catalog.columns import Column, fingerprint
from fraud_platform.catalog.holdings import CuratedHour, Holdings, curated_hours, version_folder
from fraud_platform.catalog.hours import HourKey, Place, folder_of, place_of
from fraud_platform.catalog.manifest import NAME, Manifest, missing, read_manifest
from fraud_platform.catalog.newest import newest_hour
from fraud_platform.catalog.pending import LATE_HOURS
from fraud_platform.catalog.publish import has_positions, publish, put_curated
from fraud_platform.catalog.store import Catalog
from fraud_platform.catalog.tables import LakeTable, TableEntry
from fraud_platform.catalog.types import parse
from fraud_platform.curated.build import Builder
from fraud_platform.curated.closed import closed
from fraud_platform.curated.tidy import superseded
from fraud_platform.errors import StoreUnavailable
from fraud_platform.topology import Naming

DELETED_AT_ONCE = 1000
PARQUET_TYPE, JSON_TYPE = "application/vnd.apache.parquet", "application/json"


class Compacted(msgspec.Struct, frozen=True):
    """What a compaction left of one hour.

    `objects` and `raw_size` (bytes) are of the raw objects, `files`, `rows` and `size` of the curated files;
    `built` says whether files were written. `left_out` = (object, reason) of what the table cannot hold; `gone` = raw
    objects that are missing, or are others now, while the curated files still hold their rows.
    """

    table: str
    key: HourKey
    objects: int
    raw_size: int
    files: int
    rows: int
    size: int
    seconds: float
    built: bool
    left_out: tuple[tuple[str, str], ...] = ()
    gone: tuple[str, ...] = ()


class Compactor:
    """Compacts hours of one table. `scratch` is where files are built."""

    def __init__(
        self, lake: LakeStore, catalog: Catalog, table: LakeTable, naming: Naming, *,
        scratch: Path | None = None,
    ) -> None:  # fmt: skip
        self._lake = lake
        self._catalog = catalog
        self._table = table
        self._topic = naming.topic(table.topic)
        self._raw_prefix = table.prefix(naming)
        self._prefix = table.curated_prefix(naming)
        self._scratch = scratch

    def compact(self, key: HourKey, *, rebuild: bool = False) -> Compacted | None:
        """Bring one hour up to its raw objects, or build it anew from them; None when there is nothing of it.

        Without `rebuild` an hour whose raw objects are gone stays as it is, and is reported. The pending view is
        left to `publish`.

        Raises:
            StoreUnavailable: the lake or the catalog does not answer, or the files cannot be written.
            ConfigurationError: one of them refuses us.
        """
        begun = time.monotonic()
        landing = self._landing()
        before = self._now(key)  # asked before the lake, so that it cannot hold more than what is listed
        placed = self._objects(key)
        held = Holdings.of((place, info.size) for place, info in placed)
        objects = [info for _, info in placed]
        if before and not rebuild and (manifest := self._intact(self._prefix + before.folder)):
            gone = missing(manifest, _sizes(objects))
            if gone or (before.raw == held and before.schema in self._kinds()):
                return _done(self._table, before, held, manifest, gone=gone, seconds=time.monotonic() - begun)
        if landing is None:
            return None
        if not objects:
            self._forget(before)
            return None
        finished = None if rebuild else self._finished(key, objects)
        manifest = finished or self._make(landing, key, objects)
        if finished and before and before.version != finished.version:
            self._put_manifest(key, finished)  # its age tells how long nobody has begun to read the version before
        after = self._switch(landing, key, manifest, held, before)
        if after is None:
            return self.compact(key, rebuild=rebuild)
        seconds = time.monotonic() - begun
        return _done(self._table, after, held, manifest, seconds=seconds, built=finished is None)

    def due(self, watermark: HourKey | None, *, full: bool = False, newest: int = LATE_HOURS) -> list[HourKey]:
        """The closed hours whose raw objects are others than those that their files hold, oldest first.

        Args:
            watermark: the newest hour of all tables, in event time.
            full: look at the objects of every hour.
            newest: how many of the newest closed hours are looked at, when not all are.

        Raises: as `compact`.
        """
        if watermark is None or self._landing() is None:
            return []
        kinds, curated = self._kinds(), self._curated()
        known = {key: hour for key, hour in curated.items() if hour.schema in kinds}
        hours = closed({*self._catalog.partitions(self._table.name), *curated}, watermark)
        again = set(hours if full else hours[-newest:])
        broken = self._broken(known.values()) if full else set()
        return [
            key for key in hours
            if key not in known or key in broken or (key in again and self._has_changed(known[key]))
        ]  # fmt: skip

    def is_lost(self) -> bool:
        """Whether files lie in the lake of which the catalog knows none, though it has the landing table's last hour.

        Errors as `compact`.
        """
        known = self._catalog.table(self._table.curated)
        if known is None or known.schemas or not any(True for _ in self._lake.folders(self._prefix)):
            return False
        crawled = max(self._catalog.partitions(self._table.name), default=None)
        return crawled is not None and folder_of(crawled) == f"{newest_hour(self._lake, self._raw_prefix)}/"

    def held(self) -> Iterator[Compacted]:
        """What the catalog has of each curated hour, whoever compacted it. Errors as `compact`."""
        for key, hour in self._curated().items():
            raw = hour.raw
            yield Compacted(
                self._table.curated, key, raw.objects, raw.size, hour.files, hour.rows, hour.size, 0.0, False
            )

    def publish(self) -> None:
        """Let the views know of the curated hours; errors as `compact`."""
        landing = self._landing()
        if landing is not None:
            publish(self._catalog, self._table, landing)

    def tidy(self, now: datetime) -> int:
        """Delete the versions that nobody has read for a day; the number of files. Errors as `compact`."""
        files = self._lake.list(self._prefix)
        old = list(superseded(files, self._curated(), prefix=self._prefix, now=now))
        for at in range(0, len(old), DELETED_AT_ONCE):
            self._lake.delete(old[at : at + DELETED_AT_ONCE])
        return len(old)

    def _landing(self) -> TableEntry | None:
        """The landing table; None when nobody has made it, or its rows cannot be told apart."""
        found = self._catalog.table(self._table.name)
        return found if found and has_positions(self._table, found) else None

    def _now(self, key: HourKey) -> CuratedHour | None:
        return CuratedHour.of(key, self._catalog.partition(self._table.curated, key))

    def _curated(self) -> dict[HourKey, CuratedHour]:
        name = self._table.curated
        return curated_hours(self._catalog.partitions(name)) if self._catalog.table(name) else {}

    def _intact(self, folder: str) -> Manifest | None:
        """The manifest of a version whose files are all there."""
        manifest = read_manifest(self._lake, folder)
        if manifest is None:
            return None
        there = dict(_sizes(self._lake.list(folder)))
        return manifest if all(there.get(folder + file.name) == file.size for file in manifest.files) else None

    def _broken(self, hours: Iterable[CuratedHour]) -> set[HourKey]:
        """The hours whose files are not all there."""
        there = dict(_sizes(self._lake.list(self._prefix)))
        return {
            hour.key for hour in hours if sum(there.get(self._prefix + name, 0) for name in hour.names()) != hour.size
        }

    def _forget(self, hour: CuratedHour | None) -> None:
        """Neither raw objects nor files are left: somebody has emptied the lake."""
        if hour:
            self._catalog.drop_hours(self._table.curated, [hour.key])

    def _kinds(self) -> Collection[str]:
        """The kinds of files that the curated table knows; two compactions at once may have lost one."""
        entry = self._catalog.table(self._table.curated)
        return entry.schemas.keys() if entry else ()

    def _has_changed(self, hour: CuratedHour) -> bool:
        placed = self._objects(hour.key)
        return Holdings.of((place, info.size) for place, info in placed) != hour.raw

    def _objects(self, key: HourKey) -> list[tuple[Place, ObjectInfo]]:
        """The hour's raw objects in the order of partitions and offsets; names that the lake does not give apart."""
        listed = self._lake.list(self._raw_prefix + folder_of(key))
        found = [(place, info) for info in listed if (place := place_of(self._topic, info.key))]
        return sorted(found, key=lambda each: (each[0].partition, each[0].start))

    def _finished(self, key: HourKey, objects: Sequence[ObjectInfo]) -> Manifest | None:
        """What an earlier compaction of the same objects has put and not switched to, or the catalog has forgotten."""
        for folder in self._lake.folders(self._prefix + folder_of(key)):
            manifest = self._intact(folder)
            if manifest and manifest.is_of(_sizes(objects)) and folder == self._folder(key, manifest):
                return manifest
        return None

    def _make(self, landing: TableEntry, key: HourKey, objects: Sequence[ObjectInfo]) -> Manifest:
        try:
            with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
                built = Builder(self._lake, landing.columns, Path(folder)).build(objects)
                target = self._folder(key, built.manifest)
                for file, path in zip(built.manifest.files, built.paths, strict=True):
                    body = path.read_bytes()
                    if self._lake.get(target + file.name) != body:  # a reader may be in the middle of it
                        self._lake.put(target + file.name, body, content_type=PARQUET_TYPE)
                self._put_manifest(key, built.manifest)
        except OSError as error:
            raise StoreUnavailable(f"Curated files cannot be built on this machine ({error.strerror}).") from None
        return built.manifest

    def _put_manifest(self, key: HourKey, manifest: Manifest) -> None:
        self._lake.put(self._folder(key, manifest) + NAME, manifest.to_bytes(), content_type=JSON_TYPE)

    def _folder(self, key: HourKey, manifest: Manifest) -> str:
        return self._prefix + version_folder(key, manifest.version)

    def _switch(
        self, landing: TableEntry, key: HourKey, manifest: Manifest, held: Holdings, before: CuratedHour | None
    ) -> CuratedHour | None:
        """None when another compaction has meanwhile switched to more than we saw: then the lake must be listed again.

        The version that was there `before` may be replaced by less.
        """
        columns = _columns(manifest)
        kind = fingerprint(columns)
        entry = put_curated(self._catalog, self._table, landing, kinds={kind: columns})
        after = CuratedHour(key, manifest.version, len(manifest.files), manifest.rows, manifest.size, kind, held)
        now = self._now(key)
        if now and now not in (before, after) and now.raw != held and held.is_within(now.raw):
            return None
        if now != after:
            self._catalog.put_hours(self._table.curated, entry, [after])
        return after


def _done(
    table: LakeTable, hour: CuratedHour, held: Holdings, manifest: Manifest, *, seconds: float,
    gone: Sequence[str] = (), built: bool = False,
) -> Compacted:  # fmt: skip
    return Compacted(
        table.curated, hour.key, held.objects, held.size, hour.files, hour.rows, hour.size, seconds, built,
        left_out=tuple((name, reason) for name, (_, reason) in sorted(manifest.left_out.items())),
        gone=tuple(gone),
    )  # fmt: skip


def _sizes(objects: Iterable[ObjectInfo]) -> Iterator[tuple[str, int]]:
    return ((info.key, info.size) for info in objects)


def _columns(manifest: Manifest) -> tuple[Column, ...]:
    return tuple(Column(name, name, parse(kind)) for name, kind in manifest.columns)
