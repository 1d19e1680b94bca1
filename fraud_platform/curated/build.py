"""From the raw objects of an hour to curated files on this machine, and the manifest that says what they hold."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import msgspec

from fraud_platform.adapters.lake_reader import LakeReader
from fraud_platform.adapters.parquet_writer import ParquetWriter
from fraud_platform.adapters.s3 import ObjectInfo
from fraud_platform.catalog.columns import Column, columns_of, fingerprint, grown
from fraud_platform.catalog.header import read_header
from fraud_platform.catalog.holdings import file_name
from fraud_platform.catalog.manifest import CuratedFile, Manifest, RawObject
from fraud_platform.catalog.types import hive
from fraud_platform.core.outcome import Rejected
from fraud_platform.errors import StoreUnavailable

FILE_BYTES = 128 * 1024 * 1024
"""Raw bytes whose rows make one curated file: what is sorted at once, and sent in one piece."""
READERS = 8
"""Threads that fetch raw objects."""
_UNWRITABLE = "A curated file cannot be written: look at this machine's disk and memory."
_ROWS_UNREADABLE = "its rows cannot be read"


class Built(msgspec.Struct, frozen=True):
    """What was built: the manifest, the files' columns, and where the files lie, in the manifest's order."""

    manifest: Manifest
    columns: tuple[Column, ...]
    paths: tuple[Path, ...]


class _Fetched(msgspec.Struct, frozen=True):
    """A raw object on this machine; `rows` as its header counts them."""

    info: ObjectInfo
    path: Path
    kind: tuple[Column, ...]
    rows: int


class Builder:
    """Builds one hour in a folder of its own. `known` are the columns that the table has already."""

    def __init__(self, lake: LakeReader, known: Sequence[Column], folder: Path) -> None:
        self._lake = lake
        self._known = tuple(known)
        self._folder = folder
        self._left_out: dict[str, tuple[int, str]] = {}
        self._numbers = count()

    def build(self, objects: Sequence[ObjectInfo]) -> Built:
        """The files of these raw objects, which come in the order of partitions and offsets.

        Raises:
            StoreUnavailable: the lake does not answer, an object changed meanwhile, or the files cannot be written.
        """
        paths: list[Path] = []
        files: list[CuratedFile] = []
        writer = ParquetWriter(self._folder)
        try:
            columns = self._columns(objects)
            for some in _groups([each for each in objects if each.key not in self._left_out]):
                path = self._folder / file_name(len(files))
                if file := self._file(writer, path, columns, some):
                    files.append(file)
                    paths.append(path)
        finally:
            writer.close()
        shape = tuple((column.name, hive(column.type)) for column in columns)
        return Built(Manifest(shape, tuple(files), self._left_out), columns, tuple(paths))

    def _columns(self, objects: Sequence[ObjectInfo]) -> tuple[Column, ...]:
        """The columns that the objects have, as wide as the table needs them; leaves out what does not fit."""
        whole, names = self._known, set[str]()
        with ThreadPoolExecutor(READERS) as readers:
            headers = readers.map(self._kind, objects)
            for info, found in zip(objects, headers, strict=True):
                wider = found if isinstance(found, Rejected) else grown(whole, found)
                if isinstance(wider, Rejected):
                    self._left_out[info.key] = (info.size, wider.reason)
                elif not isinstance(found, Rejected):
                    whole, names = wider, names | {column.name for column in found}
        return tuple(Column(each.name, each.name, each.type) for each in whole if each.name in names)

    def _kind(self, info: ObjectInfo) -> tuple[Column, ...] | Rejected:
        header = read_header(lambda start, length: self._lake.part(info.key, start, length), info.size)
        return header if isinstance(header, Rejected) else columns_of(header.schema)

    def _file(
        self, writer: ParquetWriter, path: Path, columns: Sequence[Column], objects: Sequence[ObjectInfo]
    ) -> CuratedFile | None:
        """One curated file; None when no object of the group has readable rows."""
        with ThreadPoolExecutor(READERS) as readers:
            fetched = list(readers.map(self._fetch, zip(self._numbers, objects, strict=False)))
        try:
            if not self._write(writer, path, columns, fetched):
                fetched = self._readable(writer, fetched)
                if not fetched:
                    return None
                if not self._write(writer, path, columns, fetched):
                    raise StoreUnavailable(_UNWRITABLE)
        finally:
            for each in self._folder.glob("*.avro"):
                each.unlink()
        held = tuple(RawObject(each.info.key, each.info.size, each.rows) for each in fetched)
        body = path.read_bytes()
        rows = sum(each.rows for each in fetched)
        return CuratedFile(path.name, rows, len(body), hashlib.sha256(body).hexdigest(), held)

    def _fetch(self, numbered: tuple[int, ObjectInfo]) -> _Fetched:
        number, info = numbered
        body = self._lake.part(info.key, 0, info.size)
        header = read_header(lambda start, length: body[start : start + length], len(body))
        kind = header if isinstance(header, Rejected) else columns_of(header.schema)
        if len(body) != info.size or isinstance(kind, Rejected) or isinstance(header, Rejected):
            raise StoreUnavailable(f"The object {info.key} changed while it was read; it is looked at again next time.")
        path = self._folder / f"{number:06d}.avro"
        path.write_bytes(body)
        return _Fetched(info, path, kind, header.rows)

    def _readable(self, writer: ParquetWriter, fetched: Sequence[_Fetched]) -> list[_Fetched]:
        good = [each for each in fetched if writer.reads(each.kind, each.path)]
        for each in fetched:
            if each not in good:
                self._left_out[each.info.key] = (each.info.size, _ROWS_UNREADABLE)
        return good

    def _write(self, writer: ParquetWriter, path: Path, columns: Sequence[Column], fetched: Sequence[_Fetched]) -> bool:
        """Whether all rows are in the file now."""
        kinds: dict[str, list[_Fetched]] = defaultdict(list)
        for each in fetched:
            kinds[fingerprint(each.kind)].append(each)
        given = [(some[0].kind, [each.path for each in some]) for _, some in sorted(kinds.items())]
        return writer.write(path, columns, given) == sum(each.rows for each in fetched)


def _groups(objects: Sequence[ObjectInfo]) -> Iterator[list[ObjectInfo]]:
    """Neighbours that make one curated file each."""
    group: list[ObjectInfo] = []
    size = 0
    for each in objects:
        if group and size + each.size > FILE_BYTES:
            yield group
            group, size = [], 0
        group.append(each)
        size += each.size
    if group:
        yield group
