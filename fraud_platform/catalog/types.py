"""Column types of the catalog (Hive's), read, written and widened."""

import re
from collections.abc import Mapping

import msgspec

_SCALAR = re.compile(r"[a-z]+(\(\d+,\d+\))?")
_WIDER = {("int", "bigint"), ("float", "double"), ("int", "double"), ("date", "timestamp")}
_DUCKDB = {
    "string": "VARCHAR", "int": "INTEGER", "bigint": "BIGINT", "float": "FLOAT", "double": "DOUBLE",
    "boolean": "BOOLEAN", "binary": "BLOB", "timestamp": "TIMESTAMP", "date": "DATE",
}  # fmt: skip
_TRINO = {"string": "varchar", "int": "integer", "float": "real", "binary": "varbinary", "timestamp": "timestamp(3)"}


class Scalar(msgspec.Struct, frozen=True):
    """A type without parts, by its name, e.g. `string` or `decimal(38,9)`."""

    name: str


class Array(msgspec.Struct, frozen=True):
    """A list of items of one type."""

    item: "Type"


class Dictionary(msgspec.Struct, frozen=True):
    """Values of one type by text keys."""

    value: "Type"


class Record(msgspec.Struct, frozen=True):
    """Named fields, in order."""

    fields: tuple[tuple[str, "Type"], ...]


Type = Scalar | Array | Dictionary | Record


def hive(kind: Type) -> str:
    """The type as Glue and Hive write it."""
    match kind:
        case Scalar(name):
            return name
        case Array(item):
            return f"array<{hive(item)}>"
        case Dictionary(value):
            return f"map<string,{hive(value)}>"
        case Record(fields):
            return f"struct<{','.join(f'{name}:{hive(each)}' for name, each in fields)}>"


def trino(kind: Type) -> str:
    """The type as a view for Athena names it."""
    match kind:
        case Scalar(name):
            return _TRINO.get(name, name)
        case Array(item):
            return f"array({trino(item)})"
        case Dictionary(value):
            return f"map(varchar, {trino(value)})"
        case Record(fields):
            return f"row({', '.join(f'{quoted(name)} {trino(each)}' for name, each in fields)})"


def duckdb(kind: Type) -> str:
    """The type as DuckDB names it."""
    match kind:
        case Scalar(name):
            return _DUCKDB.get(name, name.upper())
        case Array(item):
            return f"{duckdb(item)}[]"
        case Dictionary(value):
            return f"MAP(VARCHAR, {duckdb(value)})"
        case Record(fields):
            return f"STRUCT({', '.join(f'{quoted(name)} {duckdb(each)}' for name, each in fields)})"


def quoted(name: str) -> str:
    """A name as an identifier of standard SQL."""
    return '"' + name.replace('"', '""') + '"'


def parse(text: str) -> Type:
    """The type behind its Hive name.

    Raises:
        ValueError: the text names no type.
    """
    kind, rest = _parse(text.replace(" ", ""))
    if rest:
        raise ValueError(f"not a column type: {text!r}")
    return kind


def _parse(text: str) -> tuple[Type, str]:
    for opening, reads in _READERS.items():
        if text.startswith(opening):
            return reads(text.removeprefix(opening))
    found = _SCALAR.match(text)
    if not found:
        raise ValueError(f"not a column type: {text!r}")
    return Scalar(found[0]), text[found.end() :]


def _array(text: str) -> tuple[Type, str]:
    item, rest = _parse(text)
    return Array(item), _after(rest, ">")


def _dictionary(text: str) -> tuple[Type, str]:
    value, rest = _parse(text)
    return Dictionary(value), _after(rest, ">")


def _record(text: str) -> tuple[Type, str]:
    fields: list[tuple[str, Type]] = []
    while True:
        name, colon, rest = text.partition(":")
        if not colon:
            raise ValueError("a struct's field has no type")
        kind, rest = _parse(rest)
        fields.append((name, kind))
        if rest.startswith(">"):
            return Record(tuple(fields)), rest[1:]
        text = _after(rest, ",")


_READERS = {"array<": _array, "map<string,": _dictionary, "struct<": _record}


def _after(text: str, mark: str) -> str:
    if not text.startswith(mark):
        raise ValueError(f"{mark!r} is missing")
    return text[len(mark) :]


def widened(known: Type, found: Type) -> Type | None:
    """A type that holds the values of both, or None when there is none; new fields of records come last."""
    match known, found:
        case Scalar(a), Scalar(b):
            return _wider_scalar(a, b)
        case Array(a), Array(b):
            item = widened(a, b)
            return item and Array(item)
        case Dictionary(a), Dictionary(b):
            value = widened(a, b)
            return value and Dictionary(value)
        case Record(a), Record(b):
            return _wider_record(dict(a), dict(b))
    return None


def _wider_scalar(known: str, found: str) -> Type | None:
    if known == found or (found, known) in _WIDER:
        return Scalar(known)
    return Scalar(found) if (known, found) in _WIDER else None


def _wider_record(known: Mapping[str, Type], found: Mapping[str, Type]) -> Type | None:
    fields = dict(known)
    for name, kind in found.items():
        wider = widened(fields[name], kind) if name in fields else kind
        if wider is None:
            return None
        fields[name] = wider
    return Record(tuple(fields.items()))
