"""From the schema in an Avro file's header to columns, and how a table's columns grow."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from fraud_platform.catalog.types import Array, Dictionary, Record, Scalar, Type, hive, widened
from fraud_platform.core.outcome import Rejected

PARTITION_KEYS = ("dt", "hr")
_PRIMITIVES = {
    "string": "string", "int": "int", "long": "bigint", "float": "float", "double": "double",
    "boolean": "boolean", "bytes": "binary",
}  # fmt: skip
LONGEST_DECIMAL = 38
"""Digits; no engine takes more."""
_LOGICAL = {"timestamp-millis": "timestamp", "timestamp-micros": "timestamp", "date": "date", "uuid": "string"}


class Column(msgspec.Struct, frozen=True):
    """A column: its lower-case name, the field's name in the files, and its type."""

    name: str
    source: str
    type: Type


class _Unsuitable(Exception):
    """A schema that makes no table."""


def columns_of(schema: Any) -> tuple[Column, ...] | Rejected:
    """The columns of a record schema, or why it makes no table. Field values never play a part."""
    if not isinstance(schema, Mapping) or schema.get("type") != "record":
        return Rejected("not-a-record", "the file's schema is no record")
    names: dict[str, Any] = {}
    try:
        fields = [(str(field["name"]), _type(field["type"], names)) for field in schema["fields"]]
    except (_Unsuitable, KeyError, TypeError, RecursionError) as error:
        reason = str(error) if isinstance(error, _Unsuitable) else "it is not well formed"
        return Rejected("unsuitable-schema", f"the file's schema makes no table: {reason}")
    columns = tuple(Column(name.lower(), name, kind) for name, kind in fields)
    lower = [column.name for column in columns]
    twice = sorted({name for name in lower if lower.count(name) > 1 or name in PARTITION_KEYS})
    if twice:
        return Rejected("ambiguous-column", f"columns would share a name: {', '.join(twice)}")
    return columns


def grown(known: Sequence[Column], found: Sequence[Column]) -> tuple[Column, ...] | Rejected:
    """The columns of a table that holds both; new ones come last, in the order of the file."""
    columns = {column.name: column for column in known}
    for column in found:
        if column.name not in columns:
            columns[column.name] = column
            continue
        kind = widened(columns[column.name].type, column.type)
        if kind is None:
            stored = hive(columns[column.name].type)
            return Rejected(
                "incompatible-column",
                f"column {column.name} is {hive(column.type)} in the file and {stored} in the table",
            )
        columns[column.name] = Column(column.name, columns[column.name].source, kind)
    return tuple(columns.values())


def fingerprint(columns: Sequence[Column]) -> str:
    """A short name of exactly these columns."""
    text = ";".join(f"{column.source}:{hive(column.type)}" for column in columns)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _type(avro: Any, names: dict[str, Any]) -> Type:
    if isinstance(avro, list):
        branches = [branch for branch in avro if branch != "null"]
        if len(branches) != 1:
            raise _Unsuitable("a union of several types")
        return _type(branches[0], names)
    if isinstance(avro, Mapping):
        return _complex(avro, names)
    if avro in _PRIMITIVES:
        return Scalar(_PRIMITIVES[avro])
    known = names.get(str(avro).rpartition(".")[2])
    if known is None:
        raise _Unsuitable("a type that contains itself, or is not known")
    return known  # type: ignore[no-any-return]


def _complex(avro: Mapping[str, Any], names: dict[str, Any]) -> Type:
    logical = avro.get("logicalType")
    kind: Type
    match avro["type"]:
        case "bytes" if logical == "decimal":
            raise _Unsuitable("a decimal of any length")  # DuckDB reads its bytes, and no number
        case "fixed" if logical == "decimal":
            kind = _decimal(avro["precision"], avro.get("scale", 0))
        case "int" | "long" | "string" if logical in _LOGICAL:
            kind = Scalar(_LOGICAL[logical])
        case "array":
            kind = Array(_type(avro["items"], names))
        case "map":
            kind = Dictionary(_type(avro["values"], names))
        case "record":
            kind = Record(tuple((str(f["name"]).lower(), _type(f["type"], names)) for f in avro["fields"]))
        case "enum":
            kind = Scalar("string")
        case "fixed":
            kind = Scalar("binary")
        case inner:
            kind = _type(inner, names)
    return _named(avro, kind, names)


def _decimal(precision: Any, scale: Any) -> Scalar:
    if not (isinstance(precision, int) and isinstance(scale, int) and 0 <= scale <= precision <= LONGEST_DECIMAL):
        raise _Unsuitable(f"a decimal that is not of 1 to {LONGEST_DECIMAL} digits")
    return Scalar(f"decimal({precision},{scale})")


def _named(avro: Mapping[str, Any], kind: Type, names: dict[str, Any]) -> Type:
    """Remember a named type: later fields may refer to it."""
    if "name" in avro:
        names[str(avro["name"]).rpartition(".")[2]] = kind
    return kind
