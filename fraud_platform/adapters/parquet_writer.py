"""Writes rows of Avro files as one Parquet file; equal rows give equal bytes with one version of DuckDB."""

from collections.abc import Sequence
from pathlib import Path

import duckdb

from fraud_platform.adapters.duckdb_files import bound, connect, literal, select
from fraud_platform.catalog.columns import Column

ROW_GROUP = 122_880


class ParquetWriter:
    """One database in memory that reads and writes files of this machine; `scratch` is a folder for what is large."""

    def __init__(self, scratch: Path) -> None:
        self._connection = connect("avro")
        bound(self._connection, scratch)
        # It knows files by their names, and would take a new one of an old name for the old one.
        self._connection.execute("SET enable_external_file_cache = false")
        self._connection.execute("SET threads = 1")  # several would cut the file's parts as they come

    def write(
        self, target: Path, columns: Sequence[Column], kinds: Sequence[tuple[Sequence[Column], Sequence[Path]]]
    ) -> int | None:
        """Write the rows of Avro files, in the order of their places in Kafka; the number of rows.

        Args:
            target: the file to write.
            columns: those that it gets.
            kinds: per kind of file its columns and the files.

        Returns:
            None when a file cannot be read, or the rows not be written.
        """
        selects = [
            select(columns, kind, [str(path) for path in files], reader="read_avro", hours=False)
            for kind, files in kinds
        ]
        rows = " UNION ALL ".join(selects)
        text = f"SELECT * FROM ({rows}) ORDER BY kafka_partition, kafka_offset"  # noqa: S608 - made by `select`
        options = f"FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP}"
        try:
            done = self._connection.execute(f"COPY ({text}) TO {literal(str(target))} ({options})").fetchone()
        except duckdb.Error:
            return None
        return int(done[0]) if done else None

    def rows(self, kind: Sequence[Column], path: Path) -> int | None:
        """How many rows of an Avro file can be read; None when not every value can."""
        source = select(kind, kind, [str(path)], reader="read_avro", hours=False)
        text = f"SELECT count(*), count(COLUMNS(*)) FROM ({source})"  # noqa: S608 - made by `select`
        try:
            found = self._connection.execute(text).fetchone()
        except duckdb.Error:
            return None
        return int(found[0]) if found else None

    def close(self) -> None:
        """Free what it holds."""
        self._connection.close()
