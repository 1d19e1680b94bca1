"""Reads a query as people write it in MongoDB's shell: `db.<collection>.aggregate([...])` or `.find({...})`.

Values are relaxed JSON: bare keys, single or double quotes, comments, trailing commas, and the shell's
NumberDecimal, NumberLong, NumberInt and ISODate. Nothing is evaluated.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from fraud_platform.errors import ConfigurationError

READING: Mapping[str, tuple[tuple[type, ...], str]] = {
    "aggregate": ((list,), "a pipeline [...]"),
    "find": ((dict, dict), "a filter {...} and a projection {...}, both if you like"),
}
MODIFIERS: Mapping[str, type] = {"sort": dict, "limit": int, "skip": int}
_FORBIDDEN = frozenset({"$out", "$merge", "$function", "$where", "$accumulator"})
_MAX_DEPTH = 100
_CONSTANTS: Mapping[str, Any] = {"true": True, "false": False, "null": None}

_TOKEN = re.compile(
    r"""(?P<space>(?:\s|//[^\n]*|/\*.*?\*/)+)
      | (?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
      | (?P<number>-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
      | (?P<name>[A-Za-z_$][\w$]*)
      | (?P<mark>[][{}(),:.;])""",
    re.VERBOSE | re.DOTALL,
)


class Query(msgspec.Struct, frozen=True):
    """A query that only reads: `aggregate` or `find`, its arguments, and find's modifiers in order."""

    collection: str
    operation: str
    arguments: tuple[Any, ...]
    modifiers: tuple[tuple[str, Any], ...] = ()


def parse(text: str) -> Query:
    """The query behind the text.

    Raises:
        ConfigurationError: it is none, or it would write or run code.
    """
    query = _Parser(text).query()
    _refuse_writes(query.arguments)
    return query


def _refuse_writes(value: Any) -> None:
    if isinstance(value, dict):
        for name in value.keys() & _FORBIDDEN:
            raise ConfigurationError(f"{name} writes or runs code, and queries here only read; leave it out.")
        value = tuple(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            _refuse_writes(item)


class _Token(msgspec.Struct, frozen=True):
    kind: str
    text: str
    at: int


class _Parser:
    """Recursive descent over the tokens."""

    def __init__(self, text: str) -> None:
        self._source = text
        self._tokens = self._split(text)
        self._next = 0
        self._depth = 0

    def query(self) -> Query:
        self._take("db")
        self._take(".")
        collection = self._collection()
        operation, arguments = self._call()
        modifiers = []
        while self._peek().text == ".":
            name, values = self._call()
            if operation != "find" or [type(value) for value in values] != [MODIFIERS.get(name)]:
                raise self._fault("only find can be followed, by .sort({...}), .limit(n) and .skip(n)")
            modifiers.append((name, values[0]))
        while self._peek().text == ";":
            self._advance()
        if self._peek().kind != "end":
            raise self._fault("there is something after the query's end")
        self._check(operation, arguments)
        return Query(collection, operation, arguments, tuple(modifiers))

    def _check(self, operation: str, arguments: tuple[Any, ...]) -> None:
        if operation not in READING:
            raise self._fault(f"only {' and '.join(READING)} are allowed here, not {operation}")
        shapes, usage = READING[operation]
        fits = all(isinstance(value, shape) for value, shape in zip(arguments, shapes, strict=False))
        if not fits or len(arguments) > len(shapes) or (shapes[0] is list and not arguments):
            raise self._fault(f"{operation} takes {usage}")

    def _collection(self) -> str:
        name = self._take_kind("name").text
        if name == "getCollection" and self._peek().text == "(":
            (name,) = self._arguments() or ("",)
        if not isinstance(name, str) or not name:
            raise self._fault("a collection's name is missing")
        return name

    def _call(self) -> tuple[str, tuple[Any, ...]]:
        self._take(".")
        return self._take_kind("name").text, self._arguments()

    def _arguments(self) -> tuple[Any, ...]:
        self._take("(")
        return tuple(self._items(")", self._value))

    def _items(self, end: str, item: Callable[[], Any]) -> list[Any]:
        """Items up to the closing mark, a trailing comma allowed."""
        found: list[Any] = []
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._fault(f"it is nested deeper than {_MAX_DEPTH} levels")
        while self._peek().text != end:
            found.append(item())
            if self._peek().text != end:
                self._take(",")
        self._advance()
        self._depth -= 1
        return found

    def _value(self) -> Any:
        token = self._advance()
        if token.kind == "text":
            return self._text(token)
        if token.kind == "number":
            return _number(token.text)
        if token.text == "{":
            return dict(self._items("}", self._member))
        if token.text == "[":
            return self._items("]", self._value)
        if token.text == "new":
            token = self._advance()
        if self._peek().text == "(":
            return self._constructed(token)
        if token.text in _CONSTANTS:
            return _CONSTANTS[token.text]
        found = repr(token.text[:20]) if token.text else "the end"
        raise self._fault(f"a value was expected, not {found}")

    def _member(self) -> tuple[str, Any]:
        token = self._advance()
        if token.kind == "text":
            name = self._text(token)
        elif token.kind in {"name", "number"}:
            name = token.text
        else:
            raise self._fault("a field name was expected")
        self._take(":")
        return name, self._value()

    def _constructed(self, token: _Token) -> Any:
        build = _CONSTRUCTORS.get(token.text)
        arguments = self._arguments()
        if build is None or len(arguments) != 1:
            raise self._fault(f"of functions only {', '.join(_CONSTRUCTORS)} are known, of one value")
        try:
            return build(arguments[0])
        except (ValueError, TypeError, InvalidOperation):
            raise self._fault(f"{token.text}(...) cannot hold that value") from None

    def _text(self, token: _Token) -> str:
        body = token.text[1:-1]
        if token.text[0] == "'":
            body = re.sub(r"\\.|\"", lambda m: {"\\'": "'", '"': '\\"'}.get(m[0], m[0]), body)
        try:
            return str(json.loads(f'"{body}"', strict=False))
        except json.JSONDecodeError:
            raise self._fault("a text holds an escape that JSON does not know") from None

    def _split(self, text: str) -> list[_Token]:
        tokens: list[_Token] = []
        at = 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                place = self._place(at)
                raise ConfigurationError(f"The query cannot be read at {place}: {text[at]!r} is unexpected.")
            if match.lastgroup != "space":
                tokens.append(_Token(str(match.lastgroup), match[0], at))
            at = match.end()
        return [*tokens, _Token("end", "", len(text))]

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _advance(self) -> _Token:
        token = self._tokens[self._next]
        if token.kind != "end":
            self._next += 1
        return token

    def _take(self, text: str) -> None:
        if self._advance().text != text:
            raise self._fault(f"{text!r} was expected; a query looks like db.transactions.aggregate([...])")

    def _take_kind(self, kind: str) -> _Token:
        token = self._advance()
        if token.kind != kind:
            raise self._fault(f"a {kind} was expected; a query looks like db.transactions.aggregate([...])")
        return token

    def _fault(self, what: str) -> ConfigurationError:
        at = self._tokens[max(self._next - 1, 0)].at
        return ConfigurationError(f"The query cannot be read at {self._place(at)}: {what}.")

    def _place(self, at: int) -> str:
        line = self._source.count("\n", 0, at) + 1
        return f"line {line}, column {at - self._source.rfind(chr(10), 0, at)}"


def _number(text: str) -> int | float:
    return int(text) if re.fullmatch(r"-?\d{1,18}", text) else float(text)


def _date(value: Any) -> datetime:
    when = datetime.fromisoformat(value)
    return when if when.tzinfo else when.replace(tzinfo=UTC)


_CONSTRUCTORS: Mapping[str, Callable[[Any], Any]] = {
    "NumberDecimal": lambda value: Decimal(str(value)),
    "NumberLong": int,
    "NumberInt": int,
    "ISODate": _date,
    "Date": _date,
}
