"""Two readers of the same lake and catalog in memory: the local engine's tables, and the views as Athena runs them."""

import io
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import fastavro

from fraud_platform.adapters.duckdb_files import connect
from fraud_platform.adapters.lake_files import files_of, texts_of
from fraud_platform.catalog.columns import PARTITION_KEYS
from fraud_platform.catalog.holdings import CuratedHour
from fraud_platform.catalog.tables import LakeTable, view_sql
from fraud_platform.catalog.types import duckdb as sql_type
from fraud_platform.catalog.types import quoted
from fraud_platform.topology import Naming
from tests.fakes.lake import FakeCatalog, FakeLake

ROOT = "s3://bucket/"
Rows = list[tuple[Any, ...]]


@cache
def _database(_reader: str) -> duckdb.DuckDBPyConnection:
    """One for all tests, which define its tables anew: loading its extension takes longer than most questions."""
    database = connect("avro")
    database.execute("SET enable_external_file_cache = false")
    return database


class LocalReader:
    """What the local engine makes of the catalog and the lake; `folder` stands for the bucket."""

    def __init__(self, lake: FakeLake, catalog: FakeCatalog, naming: Naming, folder: Path) -> None:
        self.lake, self.catalog, self.naming, self.folder = lake, catalog, naming, folder
        self.database = _database(type(self).__name__)

    def open(self, table: LakeTable, *, every: bool = True) -> duckdb.DuckDBPyConnection:
        """The tables and the view, bound to the files of this moment; the landing table only with `every` whole."""
        _store(self.folder, self.lake)
        entry = self.catalog.table(table.name)
        assert entry
        files = files_of(self.catalog, self.lake, table, entry, naming=self.naming, bucket="bucket", every=every)
        connection = self.database.cursor()
        for name, text in texts_of(table, files).items():
            connection.execute(f"CREATE OR REPLACE VIEW {name} AS {text.replace(ROOT, f'{self.folder}/')}")
        connection.execute(f"CREATE OR REPLACE VIEW {table.view} AS {view_sql(table, entry.columns)}")
        return connection

    def rows(self, table: LakeTable, sql: str) -> Rows:
        with self.open(table, every=table.name in sql) as connection:
            return connection.execute(sql).fetchall()


class AthenaReader(LocalReader):
    """Runs the views' texts over what lies in the partitions' locations, with the hidden column `$path`."""

    def open(
        self, table: LakeTable, *, every: bool = True, texts: tuple[str, str] | None = None
    ) -> duckdb.DuckDBPyConnection:
        """`texts` are those of the pending and of the newest rows, if not the present ones."""
        _store(self.folder, self.lake)
        connection = self.database.cursor()
        self._table(connection, table.name, self._landing(table))
        self._table(connection, table.curated, self._curated(table))
        pending, newest = texts or self.texts(table)
        connection.execute(f"CREATE OR REPLACE VIEW {table.pending} AS {pending}")
        connection.execute(f"CREATE OR REPLACE VIEW {table.view} AS {newest}")
        return connection

    def texts(self, table: LakeTable) -> tuple[str, str]:
        found = self.catalog.view(table.pending), self.catalog.view(table.view)
        assert found[0]
        assert found[1]
        return found[0].sql, found[1].sql

    def _landing(self, table: LakeTable) -> Iterable[tuple[str, str]]:
        for dt, hr in self.catalog.kept.get(table.name, {}):
            prefix = f"{table.prefix(self.naming)}dt={dt}/hr={hr}/"
            yield from ((key, "read_avro") for key in self.lake.objects if key.startswith(prefix))

    def _curated(self, table: LakeTable) -> Iterable[tuple[str, str]]:
        for key, parameters in self.catalog.kept.get(table.curated, {}).items():
            hour = CuratedHour.of(key, parameters)
            assert hour
            prefix = table.curated_prefix(self.naming) + hour.folder
            names = [each for each in self.lake.objects if each.startswith(prefix)]
            yield from ((name, "read_parquet") for name in names if not name.rpartition("/")[2].startswith("_"))

    def _table(self, connection: duckdb.DuckDBPyConnection, name: str, files: Iterable[tuple[str, str]]) -> None:
        entry = self.catalog.table(name)
        columns = entry.columns if entry else ()
        shape = [f"{quoted(column.name)} {sql_type(column.type)}" for column in columns]
        text = ['"$path" VARCHAR', *(f"{key} VARCHAR" for key in PARTITION_KEYS), *shape]
        connection.execute(f"CREATE OR REPLACE TABLE {name} ({', '.join(text)})")
        for key, reader in files:
            hours = "hive_partitioning = true, hive_types = {'dt': VARCHAR, 'hr': VARCHAR}"
            rows = f"SELECT '{ROOT}{key}' AS \"$path\", * FROM {reader}(['{self.folder}/{key}'], {hours})"  # noqa: S608
            connection.execute(f"INSERT INTO {name} BY NAME {rows}")


def _store(folder: Path, lake: FakeLake) -> None:
    for key, body in lake.objects.items():
        path = folder / key
        if not path.exists() or path.read_bytes() != body:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)


def raw_rows(lake: FakeLake, prefix: str) -> list[dict[str, Any]]:
    """Every row of the raw objects, by another reader than the one under test."""
    bodies = [body for key, body in sorted(lake.objects.items()) if key.startswith(prefix)]
    return [row for body in bodies for row in fastavro.reader(io.BytesIO(body))]
