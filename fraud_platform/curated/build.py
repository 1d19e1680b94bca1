"""From the raw objects of an hour to curated files on this machine, and the manifest that says what they hold."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
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
READERS = 4
"""Threads that fetch raw objects, of up to 64 MB each."""
_UNWRITABLE = "A curated file cannot be written: look at this machine's disk and memory."
_ROWS_UNREADABLE = "its rows cannot be read"
_NO_COLUMNS = (
    "none of its objects has columns that the table can hold ({}); if the table's are wrong, drop the landing table"
    " in Glue, and the next crawl makes it again"
)
_MISCOUNTED = "it does not hold as many rows as its blocks count"


class Unbuilt(StoreUnavailable):
    """This hour cannot be built now; others can."""


class Built(msgspec.Struct, frozen=True):
    """What was built: the manifest, and where its files lie, in its order."""

    manifest: Manifest
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

    def build(self, objects: Sequence[ObjectInfo]) -> Built:
        """The files of these raw objects, which come in the order of partitions and offsets.

        Raises:
            Unbuilt: an object changed meanwhile, the table can hold none for its columns, or the files cannot be
                written.
            StoreUnavailable: the lake does not answer.
            OSError: this machine's disk does not take what is fetched.
        """
        with ThreadPoolExecutor(READERS) as readers:
            found = zip(objects, readers.map(self._fetch, range(len(objects)), objects), strict=True)
            fetched, columns = self._fitting(found)
        files: list[CuratedFile] = []
        writer = ParquetWriter(self._folder)
        try:
            for some in _groups(fetched):
                if file := self._file(writer, self._folder / file_name(len(files)), columns, some):
                    files.append(file)
        finally:
            writer.close()
        shape = tuple((column.name, hive(column.type)) for column in columns)
        return Built(Manifest(shape, tuple(files), self._left_out), tuple(self._folder / file.name for file in files))

    def _fetch(self, number: int, info: ObjectInfo) -> _Fetched | Rejected:
        body = self._lake.part(info.key, 0, info.size)
        if len(body) != info.size:
            raise Unbuilt(f"The object {info.key} changed while it was read; it is looked at again next time.")
        header = read_header(lambda start, length: body[start : start + length], len(body))
        if isinstance(header, Rejected):
            return header
        kind = columns_of(header.schema)
        if isinstance(kind, Rejected):
            return kind
        path = self._folder / f"{number:06d}.avro"
        path.write_bytes(body)
        return _Fetched(info, path, kind, header.rows)

    def _fitting(
        self, found: Iterator[tuple[ObjectInfo, _Fetched | Rejected]]
    ) -> tuple[list[_Fetched], tuple[Column, ...]]:
        """The objects that the table can hold and their columns, as wide as it needs them."""
        whole, names, fitting, misfits = self._known, set[str](), list[_Fetched](), 0
        for info, each in found:
            wider = each if isinstance(each, Rejected) else grown(whole, each.kind)
            if isinstance(wider, Rejected):
                self._left_out[info.key] = (info.size, wider.reason)
                misfits += not isinstance(each, Rejected)
            elif not isinstance(each, Rejected):
                whole, names = wider, names | {column.name for column in each.kind}
                fitting.append(each)
        if misfits and misfits == len(self._left_out) and not fitting:
            raise Unbuilt(_NO_COLUMNS.format(next(iter(self._left_out.values()))[1]))
        return fitting, tuple(Column(each.name, each.name, each.type) for each in whole if each.name in names)

    def _file(
        self, writer: ParquetWriter, path: Path, columns: Sequence[Column], fetched: Sequence[_Fetched]
    ) -> CuratedFile | None:
        """One curated file; None when no object of the group has readable rows."""
        if not _write(writer, path, columns, fetched):
            fetched = self._readable(writer, fetched)
            if not fetched:
                return None
            if not _write(writer, path, columns, fetched):
                raise Unbuilt(_UNWRITABLE)
        for each in fetched:
            each.path.unlink()
        body = path.read_bytes()
        held = tuple(RawObject(each.info.key, each.info.size, each.rows) for each in fetched)
        return CuratedFile(path.name, _rows(fetched), len(body), hashlib.sha256(body).hexdigest(), held)

    def _readable(self, writer: ParquetWriter, fetched: Sequence[_Fetched]) -> list[_Fetched]:
        good: list[_Fetched] = []
        for each in fetched:
            rows = writer.rows(each.kind, each.path)
            if rows == each.rows:
                good.append(each)
            else:
                self._left_out[each.info.key] = (each.info.size, _ROWS_UNREADABLE if rows is None else _MISCOUNTED)
        return good


def _write(writer: ParquetWriter, path: Path, columns: Sequence[Column], fetched: Sequence[_Fetched]) -> bool:
    """Whether all rows are in the file now."""
    kinds: dict[str, list[_Fetched]] = defaultdict(list)
    for each in fetched:
        kinds[fingerprint(each.kind)].append(each)
    given = [(some[0].kind, [each.path for each in some]) for _, some in sorted(kinds.items())]
    return writer.write(path, columns, given) == _rows(fetched)


def _rows(fetched: Sequence[_Fetched]) -> int:
    return sum(each.rows for each in fetched)


def _groups(fetched: Sequence[_Fetched]) -> Iterator[list[_Fetched]]:
    """Neighbours that make one curated file each."""
    group: list[_Fetched] = []
    size = 0
    for each in fetched:
        if group and size + each.info.size > FILE_BYTES:
            yield group
            group, size = [], 0
        group.append(each)
        size += each.info.size
    if group:
        yield group
