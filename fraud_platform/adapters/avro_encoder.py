"""Writes a function that encodes values of one Avro schema."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from fraud_platform.adapters.avro_source import (
    NULL,
    Numbers,
    Source,
    Unsupported,
    indented,
    kind,
    refuse,
    to_millis,
    unscaled,
    zigzag,
)

EncodeBody = Callable[[Any], bytes]
"""A value to its Avro body; any exception means: let fastavro try."""

_HELPERS: Mapping[str, Any] = {
    "LONG": Numbers(), "BRANCH_0": Numbers(b"\x00"), "BRANCH_1": Numbers(b"\x02"),
    "BOOLEAN": {False: b"\x00", True: b"\x01"}, "millis": to_millis, "unscaled": unscaled, "refuse": refuse,
}  # fmt: skip


def compile_encoder(
    schema: Any, *, header: bytes = b"", encoded: Collection[str] = (), in_order: bool = False
) -> EncodeBody:
    """The encoder of values of the record `schema`; every result begins with `header`.

    The values of the top-level fields named in `encoded` are Avro bytes already. A value is a dict, or with
    `in_order` a tuple of the top-level fields' values as the schema orders them.

    Raises:
        Unsupported: see there.
    """
    function: EncodeBody = _EncoderSource(schema, header, frozenset(encoded), in_order).function()
    return function


class _EncoderSource(Source):
    """Straight lines that put each field's bytes into variables, and one join at the end."""

    def __init__(self, schema: Any, header: bytes, encoded: frozenset[str], in_order: bool) -> None:
        super().__init__(schema, {**_HELPERS, "HEADER": header})
        self._encoded = encoded
        self._in_order = in_order
        self._body: list[str] = []

    def lines(self) -> Iterator[str]:
        """See `Source.lines`."""
        parts = ["HEADER"]
        given = [self.variable() for _ in self._top["fields"]] if self._in_order else []
        if given:
            self._body.append(f"{', '.join(given)}, = value")
        for position, (name, schema) in enumerate(self.fields(self._top)):
            value = given[position] if given else f"value[{name!r}]"
            parts += [value] if name in self._encoded else self._write(schema, value)
        yield "def run(value):"
        yield from indented([*self._body, f"return b''.join(({', '.join(parts)},))"])

    def _write(self, schema: Any, value: str) -> list[str]:  # noqa: PLR0911 - one per type
        """Add the lines that prepare `value`; returns the expressions that make its bytes."""
        match kind(schema):
            case "string":
                return self._text(value, "LONG")
            case "long" | "int":
                return [f"LONG[{value}.__index__()]"]
            case "long:timestamp-millis":
                return [f"LONG[millis({value})]"]
            case "boolean":
                return [f"BOOLEAN[{value}]"]
            case "enum":
                symbols = self.constant({symbol: zigzag(n) for n, symbol in enumerate(schema["symbols"])})
                return [f"{symbols}[{value}]"]
            case "fixed:decimal":
                scale, size = schema.get("scale", 0), schema["size"]
                limit = self.constant(10 ** schema["precision"])
                return [f"unscaled({value}, {scale:d}, {limit}).to_bytes({size:d}, 'big', signed=True)"]
            case "record":
                record = self._assigned(value)
                fields = ((field, f"{record}[{name!r}]") for name, field in self.fields(schema))
                return [part for field, inner in fields for part in self._write(field, inner)]
            case "array":
                return self._array(schema["items"], value)
            case "optional":
                return self._optional(schema, value)
            case other:
                raise Unsupported(other)

    def _assigned(self, value: str) -> str:
        name = self.variable()
        self._body.append(f"{name} = {value}")
        return name

    def _inner(self, schema: Any, value: str) -> tuple[list[str], list[str]]:
        """Lines and expressions as of `_write`, apart."""
        outer, self._body = self._body, []
        parts = self._write(schema, value)
        inner, self._body = self._body, outer
        return inner, parts

    def _text(self, value: str, numbers: str) -> list[str]:
        text = self._assigned(f"{value}.encode()")
        return [f"{numbers}[len({text})]", text]

    def _array(self, items: Any, value: str) -> list[str]:
        given, item, written = self._assigned(value), self.variable(), self.variable()
        inner, parts = self._inner(self.resolved(items), item)
        self._body += [
            f"if not isinstance({given}, (list, tuple)): refuse()",
            f"{written} = [LONG[len({given})]]",
            f"for {item} in {given}:",
            *indented([*inner, f"{written} += ({', '.join(parts)},)"]),
            f"if {given}: {written}.append(b'\\x00')",
        ]
        return [f"*{written}"]

    def _optional(self, schema: list[Any], value: str) -> list[str]:
        null = schema.index(NULL)
        other, given = self.resolved(schema[1 - null]), self._assigned(value)
        nothing, branch = bytes([null * 2]), bytes([2 - null * 2])
        if kind(other) == "string":  # most of our fields: two plain variables instead of a tuple
            number, text = self.variable(), self.variable()
            self._body += [
                f"if {given} is None: {number} = {nothing!r}; {text} = b''",
                f"else: {text} = {given}.encode(); {number} = BRANCH_{1 - null}[len({text})]",
            ]
            return [number, text]
        inner, parts = self._inner(other, given)
        written = self.variable()
        self._body += [
            f"if {given} is None: {written} = ({nothing!r},)",
            "else:",
            *indented([*inner, f"{written} = ({branch!r}, {', '.join(parts)})"]),
        ]
        return [f"*{written}"]
