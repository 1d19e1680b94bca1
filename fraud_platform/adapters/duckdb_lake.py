"""Queries on the local engine: DuckDB over the catalog's tables and the lake's objects."""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import duckdb

from fraud_platform.adapters.aws import session_of
from fraud_platform.adapters.duckdb_files import bound, connect, literal
from fraud_platform.adapters.lake_files import files_of, texts_of
from fraud_platform.adapters.lake_reader import LakeReader
from fraud_platform.adapters.scratch import scratch_in
from fraud_platform.catalog.answer import Answer, QueryEngine, first_word, require_reading, unique
from fraud_platform.catalog.publish import has_positions
from fraud_platform.catalog.store import Catalog
from fraud_platform.catalog.tables import BY_NAME, TABLES, LakeTable, view_sql
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
        scratch = scratch_in(self._settings.data_dir, "queries")
        connection = connect(*_EXTENSIONS)
        try:
            bound(connection, scratch / uuid4().hex)
            self._prepare(connection)
            _require_one(connection, sql)
            self._define(connection, sql)
            _lock(connection, f"s3://{self._settings.lake_bucket}/")
            result = connection.execute(sql)
            columns = unique([str(each[0]) for each in result.description or ()])
            return Answer(columns, _rows(connection, columns))
        except (duckdb.Error, RuntimeError) as error:
            connection.close()
            raise _translated(error) from None

    def _prepare(self, connection: duckdb.DuckDBPyConnection) -> None:
        options = {"TYPE": "s3", "URL_STYLE": "path", **_access(self._settings)}
        names = list(options)
        text = ", ".join(f"{name} ${name.lower()}" for name in names if name != "TYPE")
        values = {name.lower(): options[name] for name in names if name != "TYPE"}
        connection.execute(f"CREATE SECRET (TYPE s3, {text})", values)
        database = quoted(self._settings.glue_database)
        connection.execute(f"CREATE SCHEMA {database}")
        connection.execute(f"USE memory.{database}")

    def _define(self, connection: duckdb.DuckDBPyConnection, sql: str) -> None:
        """Make the tables and views that the query names, so that only their objects are listed."""
        words = _words(sql)
        for table, names in _named(sql).items():
            entry = self._catalog.table(table.name)
            if entry is None:
                self._missing(table)
                entry = self._catalog.table(table.name)
            if entry is None or not entry.schemas:
                continue
            files = files_of(
                self._catalog, self._lake, table, entry,
                naming=self._settings.naming, bucket=self._settings.lake_bucket, every=table.name in words,
            )  # fmt: skip
            texts = texts_of(table, files)
            if table.view in names and has_positions(table, entry):
                names |= {table.pending, table.curated}
                texts[table.view] = view_sql(table, entry.columns)  # what the catalog says would run unguarded
            for name in (name for name in texts if name in names):
                connection.execute(f"CREATE VIEW {name} AS {texts[name]}")


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


def _named(sql: str) -> dict[LakeTable, set[str]]:
    """The tables that the query may mean, each with the names that it uses: all of them for SHOW and DESCRIBE.

    DuckDB's own `get_table_names` fails on an UNNEST that refers to another table.
    """
    words = _words(sql)
    if first_word(sql) in {"SHOW", "DESCRIBE"} or "information_schema" in words:
        words = set(BY_NAME)
    named = {table: words & {table.name, table.curated, table.pending, table.view} for table in TABLES}
    return {table: names for table, names in named.items() if names}


def _words(sql: str) -> set[str]:
    return {word.lower() for word in re.findall(r"\w+", sql)}


def _lock(connection: duckdb.DuckDBPyConnection, folder: str) -> None:
    """From here on the lake is all that a query can see of this machine and the network."""
    connection.execute(f"SET allowed_directories = [{literal(folder)}]")
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
