"""Queries on the local engine: DuckDB over the catalog's tables and the lake's objects."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb

from fraud_platform.adapters.aws import session_of
from fraud_platform.adapters.lake_reader import LakeReader
from fraud_platform.catalog.answer import Answer, QueryEngine, first_word, require_reading, unique
from fraud_platform.catalog.columns import PARTITION_KEYS
from fraud_platform.catalog.hours import UNUSABLE, place_of
from fraud_platform.catalog.store import Catalog
from fraud_platform.catalog.tables import TABLES, LakeTable, TableEntry
from fraud_platform.catalog.types import duckdb as sql_type
from fraud_platform.catalog.types import quoted
from fraud_platform.errors import ConfigurationError, StoreUnavailable
from fraud_platform.settings import Settings

_BATCH = 1000
_EXTENSIONS = ("avro", "httpfs")
_ABOUT_THE_TEXT = (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException, duckdb.PermissionException)
_VALUE = re.compile(r"'.*'|\".*\"")
_ADDRESS = re.compile(r"(https?|s3)://\S+")


class LocalEngine(QueryEngine):
    """Answers from what the catalog has registered; objects that a table cannot hold are left out.

    `missing` is told each table that the catalog lacks: the embedded one forgets them when it stops.
    """

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        lake: LakeReader,
        *,
        missing: Callable[[LakeTable], object] = lambda _: None,
    ) -> None:
        self._missing = missing
        self._settings = settings
        self._catalog = catalog
        self._lake = lake

    def ask(self, sql: str) -> Answer:
        """See `QueryEngine.ask`."""
        require_reading(sql)
        connection = duckdb.connect(":memory:")
        try:
            self._prepare(connection)
            _require_one(connection, sql)
            self._define(connection, _named(sql))
            _lock(connection, f"s3://{self._settings.lake_bucket}/")
            result = connection.execute(sql)
            columns = unique([str(each[0]) for each in result.description or ()])
            return Answer(columns, _rows(connection, columns))
        except (duckdb.Error, RuntimeError) as error:
            connection.close()
            raise _translated(error) from None

    def _prepare(self, connection: duckdb.DuckDBPyConnection) -> None:
        for name in _EXTENSIONS:
            connection.execute(f"LOAD '{_extension(name)}'")
        options = {"TYPE": "s3", "URL_STYLE": "path", **_access(self._settings)}
        names = list(options)
        text = ", ".join(f"{name} ${name.lower()}" for name in names if name != "TYPE")
        values = {name.lower(): options[name] for name in names if name != "TYPE"}
        connection.execute(f"CREATE SECRET (TYPE s3, {text})", values)
        connection.execute("SET TimeZone = 'UTC'")
        database = quoted(self._settings.glue_database)
        connection.execute(f"CREATE SCHEMA {database}")
        connection.execute(f"USE memory.{database}")

    def _define(self, connection: duckdb.DuckDBPyConnection, tables: Sequence[LakeTable]) -> None:
        """Make the tables and views that the query names, so that only their objects are listed."""
        for table in tables:
            entry = self._catalog.table(table.name)
            if entry is None:
                self._missing(table)
                entry = self._catalog.table(table.name)
            if entry is None or not entry.schemas:
                continue
            connection.execute(f"CREATE VIEW {table.name} AS {self._landing(table, entry)}")
            view = self._catalog.view(table.view)
            if view is not None:
                connection.execute(f"CREATE VIEW {table.view} AS {view.sql}")

    def _landing(self, table: LakeTable, entry: TableEntry) -> str:
        """The table as one SELECT per kind of file, since the reader cannot read several kinds at once."""
        kinds = self._objects(table, entry)
        selects = [_select(entry, kind, sorted(keys)) for kind, keys in sorted(kinds.items())]
        return "\nUNION ALL ".join(selects) or _nothing(entry)

    def _objects(self, table: LakeTable, entry: TableEntry) -> dict[str, list[str]]:
        """Addresses of the objects in registered hours by the name of their schema."""
        hours = self._catalog.hours(table.name)
        topic = self._settings.naming.topic(table.topic)
        kinds: dict[str, list[str]] = defaultdict(list)
        for info in self._lake.list(table.prefix(self._settings.naming)):
            place = place_of(topic, info.key)
            hour = hours.get(place.hour) if place else None
            if place is None or hour is None:
                continue
            # What came after the last crawl is read as what came before: its new columns wait for the next crawl.
            kind = hour.schema_of(place)
            if kind != UNUSABLE:
                kinds[kind or _fewest(entry)].append(f"s3://{self._settings.lake_bucket}/{info.key}")
        return kinds


def _select(entry: TableEntry, kind: str, addresses: Sequence[str]) -> str:
    # A kind that the table has lost is written again by the next crawl; until then its known columns are read.
    kind_columns = entry.schemas.get(kind, entry.schemas[_fewest(entry)])
    there = {column.name: column.source for column in kind_columns}
    columns = [
        f"CAST({quoted(there[c.name]) if c.name in there else 'NULL'} AS {sql_type(c.type)}) AS {quoted(c.name)}"
        for c in entry.columns
    ]
    files = ", ".join(_literal(address) for address in addresses)
    hive = ", ".join(f"'{key}': VARCHAR" for key in PARTITION_KEYS)
    source = f"read_avro([{files}], hive_partitioning = true, hive_types = {{{hive}}})"
    return f"SELECT {', '.join([*columns, *PARTITION_KEYS])} FROM {source}"  # noqa: S608 - all of it quoted


def _fewest(entry: TableEntry) -> str:
    return min(entry.schemas, key=lambda name: len(entry.schemas[name]))


def _nothing(entry: TableEntry) -> str:
    columns = [f"CAST(NULL AS {sql_type(column.type)}) AS {quoted(column.name)}" for column in entry.columns]
    keys = [f"CAST(NULL AS VARCHAR) AS {key}" for key in PARTITION_KEYS]
    return f"SELECT {', '.join([*columns, *keys])} WHERE false"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _access(settings: Settings) -> dict[str, Any]:
    """How DuckDB reaches the bucket: the embedded store's keys, or AWS's credential chain."""
    if settings.aws == "local":
        secret = settings.local_s3_secret_key
        key, hidden, token = settings.local_s3_access_key, secret.get_secret_value() if secret else None, None
    else:
        found = session_of(settings).get_credentials()
        frozen = found.get_frozen_credentials() if found else None
        key, hidden, token = (frozen.access_key, frozen.secret_key, frozen.token) if frozen else (None, None, None)
    if not key or not hidden:
        raise ConfigurationError("The lake's bucket cannot be read: no keys are known; run `make up` first.")
    access: dict[str, Any] = {"KEY_ID": key, "SECRET": hidden, "REGION": settings.my_aws_region or settings.aws_region}
    if token:
        access["SESSION_TOKEN"] = token
    if settings.s3_endpoint:
        address = urlsplit(settings.s3_endpoint)
        access |= {"ENDPOINT": address.netloc, "USE_SSL": address.scheme == "https"}
    return access | {"URL_STYLE": "path", "SCOPE": f"s3://{settings.lake_bucket}"}


def _require_one(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    statements = connection.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise ConfigurationError("One query at a time, and one that only reads.")


def _named(sql: str) -> list[LakeTable]:
    """The tables that the query may mean: all of them for SHOW and DESCRIBE.

    DuckDB's own `get_table_names` fails on an UNNEST that refers to another table.
    """
    words = {word.lower() for word in re.findall(r"\w+", sql)}
    everything = first_word(sql) in {"SHOW", "DESCRIBE"} or "information_schema" in words
    return [table for table in TABLES if everything or words & {table.name, table.view}]


def _lock(connection: duckdb.DuckDBPyConnection, folder: str) -> None:
    """From here on the lake is all that a query can see of this machine and the network."""
    connection.execute(f"SET allowed_directories = [{_literal(folder)}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _rows(connection: duckdb.DuckDBPyConnection, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    try:
        while some := connection.fetchmany(_BATCH):
            for row in some:
                yield dict(zip(columns, map(_value, row), strict=True))
    except (duckdb.Error, RuntimeError) as error:
        raise _translated(error) from None
    finally:
        connection.close()


def _value(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


def _translated(error: Exception) -> BaseException:
    """DuckDB's own words about the user's own text, without addresses, the repeated text, and values of rows."""
    if isinstance(error.__cause__, KeyboardInterrupt):  # DuckDB makes a RuntimeError of Ctrl-C
        return KeyboardInterrupt()
    words = _ADDRESS.sub("the lake", str(error).partition("\n")[0]).rstrip(". ")
    if not isinstance(error, _ABOUT_THE_TEXT):
        words = _VALUE.sub("a value", words)
    if isinstance(error, (duckdb.IOException, duckdb.HTTPException)):
        return StoreUnavailable(f"The lake's objects cannot be read now ({type(error).__name__}).")
    if isinstance(error, duckdb.CatalogException) and "Table with name" in words:
        words += "; tables appear with their first rows, by the `glue` assets in Dagster or within 15 minutes"
    return ConfigurationError(f"The query cannot be run: {words}.")


def _extension(name: str) -> Path:
    folder = resources.files(f"duckdb_extension_{name}")
    found = Path(str(folder)) / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
    if not found.exists():
        raise ConfigurationError(
            f"DuckDB {duckdb.__version__} has no {name} extension installed; run `make install` again."
        )
    return found
