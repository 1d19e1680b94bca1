"""How DuckDB reads the lake's files: extensions, and one SELECT per kind of file."""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import duckdb

from fraud_platform.catalog.columns import PARTITION_KEYS, Column
from fraud_platform.catalog.types import duckdb as sql_type
from fraud_platform.catalog.types import quoted
from fraud_platform.errors import ConfigurationError

MEMORY = "1GB"
"""What one compaction, or one query, may take."""
READERS = {"avro": "read_avro", "parquet": "read_parquet"}


def connect(*extensions: str) -> duckdb.DuckDBPyConnection:
    """A database in memory with these extensions, at the UTC clock.

    Raises:
        ConfigurationError: an extension is not installed.
    """
    connection = duckdb.connect(":memory:")
    for name in extensions:
        connection.execute(f"LOAD '{_extension(name)}'")
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def bound(connection: duckdb.DuckDBPyConnection, scratch: Path) -> None:
    """Let it take so much memory; the rest goes to files in this folder, which it makes and removes when need be."""
    connection.execute(f"SET temp_directory = {literal(str(scratch))}")
    connection.execute(f"SET memory_limit = '{MEMORY}'")


def select(columns: Sequence[Column], kind: Sequence[Column], files: Sequence[str], *, reader: str, hours: bool) -> str:
    """Files of one kind, read as these columns; what the kind lacks is null.

    Args:
        columns: those to read.
        kind: those that the files have.
        files: their addresses.
        reader: one of `READERS`.
        hours: whether their folders name day and hour, to be read as columns too.
    """
    there = {column.name: column.source for column in kind}
    wanted = [
        f"CAST({quoted(there[c.name]) if c.name in there else 'NULL'} AS {sql_type(c.type)}) AS {quoted(c.name)}"
        for c in columns
    ]
    options = ""
    if hours:
        types = ", ".join(f"'{key}': VARCHAR" for key in PARTITION_KEYS)
        options = f", hive_partitioning = true, hive_types = {{{types}}}"
        wanted.extend(PARTITION_KEYS)
    source = f"{reader}([{', '.join(map(literal, files))}]{options})"
    return f"SELECT {', '.join(wanted)} FROM {source}"  # noqa: S608 - all of it quoted


def nothing(columns: Sequence[Column]) -> str:
    """No rows of these columns, with day and hour."""
    wanted = [f"CAST(NULL AS {sql_type(column.type)}) AS {quoted(column.name)}" for column in columns]
    keys = [f"CAST(NULL AS VARCHAR) AS {key}" for key in PARTITION_KEYS]
    return f"SELECT {', '.join([*wanted, *keys])} WHERE false"


def literal(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def _extension(name: str) -> Path:
    folder = resources.files(f"duckdb_extension_{name}")
    found = Path(str(folder)) / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
    if not found.exists():
        raise ConfigurationError(
            f"DuckDB {duckdb.__version__} has no {name} extension installed; run `make install` again."
        )
    return found
