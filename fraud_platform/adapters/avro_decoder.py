"""Writes a function that decodes bodies of one Avro schema."""

from collections.abc import Callable, Iterator, Mapping
from decimal import Context, Decimal
from typing import Any

from fraud_platform.adapters.avro_source import (
    CONTINUES,
    NULL,
    Source,
    Unsupported,
    from_millis,
    indented,
    kind,
    refuse,
)

DecodeBody = Callable[[bytes, int], tuple[dict[str, Any], int]]
"""The body that begins at an index of some bytes, to its value and the index after it.

Any exception means: let fastavro try. Bytes that end early may come back as a value whose end lies beyond them.
"""


def compile_decoder(schema: Any) -> DecodeBody:
    """The decoder of bodies of the record `schema`, the one that wrote them.

    Raises:
        Unsupported: see there.
    """
    function: DecodeBody = _DecoderSource(schema).function()
    return function


_LAST_SHIFT = 63
MOST_KNOWN, MOST_FORMS, LONGEST_KNOWN = 5_000, 4, 1024
"""First fields of nested records that are kept, records of each (a customer has accounts with several banks), and
the most bytes of one; 20 MB as a rule."""
_Known = tuple[bytes, dict[str, Any]]


def _read_long(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < CONTINUES:
            return (number >> 1) ^ -(number & 1), at
        shift += 7
        if shift > _LAST_SHIFT:
            refuse()


def _read_length(data: bytes, at: int) -> tuple[int, int]:
    length, at = _read_long(data, at)
    if length < 0:
        refuse()
    return length, at


class KnownRecords:
    """Reads a nested record, and knows those that come again by their bytes.

    A record's bytes say themselves where they end: what begins with those of a known one is that one. They are
    looked up by their first field, an id as a rule. Values are handed out again and again: nobody may change them.
    """

    def __init__(self, read: DecodeBody) -> None:
        self._read = read
        self._known: dict[bytes, tuple[_Known, ...]] = {}

    def __call__(self, data: bytes, at: int) -> tuple[dict[str, Any], int]:
        """As `DecodeBody`."""
        key = data[at : at + 1 + (data[at] >> 1)]
        for known, value in self._known.get(key, ()):
            if data.startswith(known, at):
                return value, at + len(known)
        value, end = self._read(data, at)
        if end <= len(data) and end - at <= LONGEST_KNOWN:
            self._remember(key, (data[at:end], value))
        return value, end

    def _remember(self, key: bytes, known: _Known) -> None:
        if len(self._known) >= MOST_KNOWN and key not in self._known:
            del self._known[next(iter(self._known))]
        self._known[key] = (known, *self._known.get(key, ()))[:MOST_FORMS]


_HELPERS: Mapping[str, Any] = {
    "read_long": _read_long, "read_length": _read_length, "time": from_millis, "refuse": refuse,
    "number": int.from_bytes, "remember": KnownRecords,
}  # fmt: skip


class _DecoderSource(Source):
    """Straight lines that walk over the bytes, and one dict at the end."""

    def __init__(self, schema: Any) -> None:
        super().__init__(schema, _HELPERS)
        self._known: dict[str, str] = {}
        self._functions: list[str] = []

    def lines(self) -> Iterator[str]:
        """See `Source.lines`."""
        run = self._function("run", self._top)
        yield from [*self._functions, *run]

    def _function(self, name: str, schema: Any) -> list[str]:
        body: list[str] = []
        value = self._record(schema, body)
        return [f"def {name}(data, at):", *indented([*body, f"return {value}, at"])]

    def _nested(self, schema: Any, value: str, body: list[str]) -> str:
        if len(self._within) > 1:
            return self._record(schema, body)
        body.append(f"{value}, at = {self._known_record(schema)}(data, at)")
        return value

    def _known_record(self, schema: Any) -> str:
        """The name of what reads a record in a record; one memory for all fields of that type."""
        if schema["name"] not in self._known:
            read = self.variable()
            function = self._function(read, schema)
            self._known[schema["name"]] = name = self.variable()
            self._functions += [*function, f"{name} = remember({read})"]
        return self._known[schema["name"]]

    def _record(self, schema: Any, body: list[str]) -> str:
        read = [(name, self._read(field, body)) for name, field in self.fields(schema)]
        return "{" + ", ".join(f"{name!r}: {value}" for name, value in read) + "}"

    def _read(self, schema: Any, body: list[str]) -> str:
        """Add the lines that read a value; returns the expression that holds it."""
        value = self.variable()
        match kind(schema):
            case "string":
                # Lengths of one byte, up to 63, are read in place: a call costs as much as all the rest.
                body += [
                    "n = data[at]",
                    "if n & 129: n, at = read_length(data, at)",
                    "else: n >>= 1; at += 1",
                    f"end = at + n; {value} = data[at:end].decode(); at = end",
                ]
            case "long" | "int":
                body.append(f"{value}, at = read_long(data, at)")
            case "long:timestamp-millis":
                body.append(f"n, at = read_long(data, at); {value} = time(n)")
            case "boolean":
                body.append(f"{value} = {{0: False, 1: True}}[data[at]]; at += 1")
            case "enum":
                symbols = self.constant(tuple(schema["symbols"]))
                body.append(f"n, at = read_length(data, at); {value} = {symbols}[n]")
            case "fixed:decimal":
                body += self._decimal(schema, value)
            case "record":
                return self._nested(schema, value, body)
            case "array":
                body += self._array(schema, value)
            case "optional":
                body += self._optional(schema, value)
            case other:
                raise Unsupported(other)
        return value

    def _decimal(self, schema: Mapping[str, Any], value: str) -> list[str]:
        context = self.constant(Context(prec=schema["precision"]))
        make, scale, size = self.constant(Decimal), schema.get("scale", 0), schema["size"]
        unscaled = f"{context}.create_decimal(number(data[at:at + {size:d}], 'big', signed=True))"
        return [f"{value} = {make}.scaleb({unscaled}, {-scale:d}, {context}); at += {size:d}"]

    def _array(self, schema: Mapping[str, Any], value: str) -> list[str]:
        count, inner = self.variable(), list[str]()
        item = self._read(self.resolved(schema["items"]), inner)
        return [
            f"{value} = []",
            f"{count}, at = read_length(data, at)",
            f"while {count}:",
            *indented([
                f"for _ in range({count}):",
                *indented([*inner, f"{value}.append({item})"]),
                f"{count}, at = read_length(data, at)",
            ]),
        ]  # fmt: skip

    def _optional(self, schema: list[Any], value: str) -> list[str]:
        null = schema.index(NULL)
        inner: list[str] = []
        other = self._read(self.resolved(schema[1 - null]), inner)
        return [
            "n = data[at]; at += 1",
            f"if n == {2 - null * 2}:",
            *indented([*inner, f"{value} = {other}"]),
            f"elif n == {null * 2}: {value} = None",
            "else: refuse()",
        ]
