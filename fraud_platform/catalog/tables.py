"""The tables of the catalog: what the lake's topics are called in SQL, and the views over them."""

import base64
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from types import MappingProxyType

import msgspec

from fraud_platform.catalog.columns import PARTITION_KEYS, Column
from fraud_platform.catalog.types import Scalar, hive, parse, quoted, trino
from fraud_platform.core.partitioning import curated_prefix, topic_prefix
from fraud_platform.topology import LAKE, TOPICS, Naming, Topic, TopicSpec

SCHEMA = "fraud_platform.schema."
"""Begins the name of a table parameter that holds the columns of files of one kind."""
AVRO, PARQUET = "avro", "parquet"
"""The formats of a table's files."""
_PARTITION_COLUMNS = tuple(Column(name, name, Scalar("string")) for name in PARTITION_KEYS)


class LakeTable(msgspec.Struct, frozen=True):
    """A topic of the lake as a table, and the view that keeps the newest row per id."""

    topic: Topic

    @property
    def ids(self) -> tuple[str, ...]:
        """The columns that make a row's id."""
        return ids_of(TOPICS[self.topic])

    @property
    def name(self) -> str:
        """The landing table: every row ever written."""
        return f"landing_{self._suffix}"

    @property
    def view(self) -> str:
        """The view: the newest row per id."""
        return f"raw_{self._suffix}"

    @property
    def curated(self) -> str:
        """The curated table: the rows of closed hours, in columns."""
        return f"curated_{self._suffix}"

    @property
    def pending(self) -> str:
        """The view of the landing rows that no curated file holds."""
        return f"pending_{self._suffix}"

    @property
    def _suffix(self) -> str:
        return self.topic.value.replace("-", "_").replace(".", "_")

    def prefix(self, naming: Naming) -> str:
        """The folder of the table's objects in the bucket."""
        return topic_prefix(naming.topic(self.topic))

    def curated_prefix(self, naming: Naming) -> str:
        """The folder of the curated table's files in the bucket."""
        return curated_prefix(naming.topic(self.topic))


@cache
def _first_field(schema: str) -> str:
    text = resources.files("fraud_platform").joinpath("schemas", f"{schema}.avsc").read_text()
    return str(json.loads(text)["fields"][0]["name"])


def ids_of(spec: TopicSpec) -> tuple[str, ...]:
    """The columns that make the id of a topic's rows, in lower case.

    Raises:
        ValueError: the topic carries no Avro.
    """
    if spec.schema is None:
        raise ValueError(f"{spec.topic} carries no Avro")
    return tuple(name.lower() for name in spec.ids or (_first_field(spec.schema),))


TABLES: Sequence[LakeTable] = tuple(LakeTable(topic) for topic in LAKE.reads)
BY_NAME: Mapping[str, LakeTable] = MappingProxyType(
    {name: t for t in TABLES for name in (t.name, t.curated, t.pending, t.view)}
)


class TableEntry(msgspec.Struct, frozen=True):
    """A table as the catalog knows it.

    `schemas` holds the columns of each kind of file; `literal` is the Avro schema that Athena reads all of them by.
    """

    location: str
    columns: tuple[Column, ...]
    schemas: Mapping[str, tuple[Column, ...]]
    literal: str
    format: str = AVRO

    def parameters(self) -> dict[str, str]:
        """As parameters of the catalog's table."""
        texts = {
            SCHEMA + name: json.dumps([[column.source, hive(column.type)] for column in kind])
            for name, kind in self.schemas.items()
        }
        return {"classification": self.format, "EXTERNAL": "TRUE", **texts}

    @classmethod
    def of(
        cls, location: str, columns: Sequence[tuple[str, str]], parameters: Mapping[str, str], literal: str
    ) -> "TableEntry":
        """The entry behind the catalog's columns (name and Hive type) and parameters.

        Raises:
            ValueError: another program wrote a table that cannot be read as one of ours.
        """
        schemas = {
            name.removeprefix(SCHEMA): _columns(json.loads(text))
            for name, text in parameters.items()
            if name.startswith(SCHEMA)
        }
        sources = {column.name: column.source for kind in schemas.values() for column in kind}
        found = tuple(Column(name, sources.get(name, name), parse(kind)) for name, kind in columns)
        kind = PARQUET if parameters.get("classification") == PARQUET else AVRO
        return cls(location, found, schemas, literal, kind)


def _columns(pairs: Sequence[Sequence[str]]) -> tuple[Column, ...]:
    return tuple(Column(source.lower(), source, parse(kind)) for source, kind in pairs)


def view_columns(columns: Sequence[Column]) -> tuple[Column, ...]:
    """The columns of a view over a table with these."""
    return (*columns, *_PARTITION_COLUMNS)


def view_sql(table: LakeTable, columns: Sequence[Column]) -> str:
    """The newest row per id; one text for Athena and for the local engine."""
    listed = [quoted(column.name) for column in view_columns(columns)]
    names, flat = ",\n    ".join(listed), ", ".join(listed)
    ids = ", ".join(quoted(name) for name in table.ids)
    return (
        f"SELECT\n    {names}\nFROM (\n"  # noqa: S608 - names of the catalog, quoted
        f"    SELECT *, row_number() OVER (\n"
        f"        PARTITION BY {ids} ORDER BY kafka_partition DESC, kafka_offset DESC\n"
        f"    ) AS version_number\n"
        f"    FROM (\n"
        f"        SELECT {flat} FROM {table.curated}\n"
        f"        UNION ALL\n"
        f"        SELECT {flat} FROM {table.pending}\n"
        f"    ) AS every_row\n"
        f") AS versions\nWHERE version_number = 1"
    )


class View(msgspec.Struct, frozen=True):
    """A view as the catalog keeps it: its SQL, and names and types of its columns as Athena writes them.

    Athena refuses a view whose types are no longer those of its tables, so both belong to it.
    """

    sql: str
    columns: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, sql: str, columns: Sequence[Column]) -> "View":
        """The view of these columns."""
        return cls(sql, tuple((column.name, trino(column.type)) for column in columns))


def view_text(sql: str, database: str, columns: Sequence[Column]) -> str:
    """A view's definition as Athena keeps it in the catalog."""
    content = {
        "originalSql": sql,
        "catalog": "awsdatacatalog",
        "schema": database,
        "columns": [{"name": name, "type": kind} for name, kind in View.of(sql, columns).columns],
    }
    return f"/* Presto View: {base64.b64encode(json.dumps(content).encode()).decode()} */"


def view_of(text: str) -> View | None:
    """The view behind its definition; None for one that Athena did not write."""
    try:
        content = json.loads(base64.b64decode(text.removeprefix("/* Presto View: ").removesuffix(" */")))
        columns = tuple((str(each["name"]), str(each["type"])) for each in content["columns"])
        return View(str(content["originalSql"]), columns)
    except (ValueError, KeyError, TypeError):
        return None
