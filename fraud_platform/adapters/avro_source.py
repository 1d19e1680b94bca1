"""Functions that are written for one Avro schema, at start: what the encoder and the decoder share.

fastavro asks at each field of each value what its schema is; here that is asked once. These functions know
the common types only and judge nothing: whatever they stumble over is fastavro's to do, or to refuse.
docs/performance.md has the gain.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, Inexact
from typing import Any, NoReturn

import fastavro

NULL = "null"
CONTINUES = 128
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EXACT = Context(prec=100, traps=[Inexact])
_KNOWN_NUMBERS = 4096
_LONGS = range(-(2**63), 2**63)


class Unsupported(Exception):
    """The schema has a type that no function is written for; fastavro knows it."""


def refuse() -> NoReturn:
    """Leave a value to fastavro."""
    raise ValueError("not for us")


def zigzag(number: int) -> bytes:
    """An Avro `int` or `long`."""
    if number not in _LONGS:
        refuse()
    number = number * 2 if number >= 0 else -number * 2 - 1
    written = bytearray()
    while number >= CONTINUES:
        written.append(number % CONTINUES + CONTINUES)
        number //= CONTINUES
    written.append(number)
    return bytes(written)


class Numbers(dict[int, bytes]):
    """Each number's zigzag form after a fixed prefix; those of small numbers are kept, and the last large one.

    The last one is mostly the time of a batch.
    """

    def __init__(self, prefix: bytes = b"") -> None:
        self._prefix = prefix
        self._last = 0, b""
        super().__init__()

    def __missing__(self, number: int) -> bytes:
        last, written = self._last
        if number == last and written:
            return written
        written = self._prefix + zigzag(number)
        if 0 <= number < _KNOWN_NUMBERS:
            self[number] = written
        else:
            self._last = number, written
        return written


def to_millis(value: datetime | int) -> int:
    """A time as `timestamp-millis` writes it; naive ones are refused."""
    if isinstance(value, int):
        return value
    since = value - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


def from_millis(millis: int) -> datetime:
    """The time behind a `timestamp-millis`."""
    return _EPOCH + timedelta(milliseconds=millis)


def unscaled(value: Decimal, scale: int, limit: int) -> int:
    """The integer, below `limit`, that a `decimal` writes: exact, whatever zeros fill the fraction."""
    scaled = value.scaleb(scale, _EXACT)
    number = int(scaled)
    if number != scaled or not -limit < number < limit:
        refuse()
    return number


def kind(schema: Any) -> str:
    """What a resolved schema is, its logical type after a colon; `optional` = null and one other."""
    if isinstance(schema, str):
        return schema
    if isinstance(schema, list):
        return "optional" if len(schema) == 2 and schema.count(NULL) == 1 else "union"  # noqa: PLR2004
    logical = schema.get("logicalType")
    return f"{schema['type']}:{logical}" if logical else str(schema["type"])


def indented(lines: Iterable[str]) -> Iterator[str]:
    """The lines one level deeper."""
    return (f"    {line}" for line in lines)


class Source:
    """Python text in the making. A schema's names enter it by `repr` only, so it can bring no code."""

    def __init__(self, schema: Any, constants: Mapping[str, Any]) -> None:
        if not isinstance(schema, dict) or schema.get("type") != "record":
            raise Unsupported("no record")
        parsed = fastavro.parse_schema(schema, _force=True)
        self._named: Mapping[str, Any] = parsed["__named_schemas"]
        self._top = self.resolved(parsed["name"])
        self._numbers = itertools.count()
        self._within: list[str] = []
        self._constants = dict(constants)

    def lines(self) -> Iterator[str]:
        """The function `run`."""
        raise NotImplementedError

    def function(self) -> Any:
        """The finished function."""
        text = "\n".join(self.lines())
        namespace = dict(self._constants)
        exec(compile(text, f"<avro {self._top['name']}>", "exec"), namespace)  # noqa: S102 - as `dataclass` does
        return namespace["run"]

    def variable(self) -> str:
        """A name of its own."""
        return f"v{next(self._numbers)}"

    def constant(self, value: Any) -> str:
        """The name under which the function finds `value`."""
        name = f"C{next(self._numbers)}"
        self._constants[name] = value
        return name

    def resolved(self, schema: Any) -> Any:
        """The schema behind a name."""
        return self._named.get(schema, schema) if isinstance(schema, str) else schema

    def fields(self, record: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """Names and resolved schemas of a record's fields; raises Unsupported for one within itself."""
        if record["name"] in self._within or not record["fields"]:
            raise Unsupported(record["name"])
        self._within.append(record["name"])
        for field in record["fields"]:
            yield field["name"], self.resolved(field["type"])
        self._within.pop()
