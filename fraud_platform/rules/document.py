"""YAML text -> plain data that remembers its lines. A strict subset: no aliases, no tags, no key twice.

Plain scalars follow YAML 1.2 (`no` is a word, `10:30` is a text) and numbers stay exact: integers or Decimals.
"""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import msgspec
import yaml

Path = tuple[str | int, ...]
_MOST_BYTES = 8 * 1024 * 1024
_DEEPEST = 40
_INTEGER = re.compile(r"[-+]?[0-9]{1,40}")
_NUMBER = re.compile(r"[-+]?(\.[0-9]{1,40}|[0-9]{1,40}(\.[0-9]{0,40})?)([eE][-+]?[0-9]{1,3})?")
_WORDS: Mapping[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None, "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


class Fault(msgspec.Struct, frozen=True, order=True):
    """What is wrong with a rule set, and where: `line` counts from 1."""

    line: int
    where: str
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.where + ': ' if self.where else ''}{self.reason}"


class Document(msgspec.Struct, frozen=True):
    """The data, and the line of every value by its path."""

    data: Any
    lines: Mapping[Path, int]

    def line(self, path: Path) -> int:
        """The line of the value, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


class _Refused(Exception):
    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.fault = Fault(line, "", reason)


def read(written: str) -> Document | Fault:
    """Read one YAML (or JSON) document."""
    try:
        return _document(written)
    except _Refused as refused:
        return refused.fault
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        return Fault((mark.line if mark else 0) + 1, "", f"this is not YAML: {error.problem or error.context}")
    except yaml.YAMLError:
        return Fault(1, "", "this is not YAML: it holds characters that YAML does not allow")
    except RecursionError:
        return Fault(1, "", "the rule set is nested too deeply")


def _document(written: str) -> Document:
    if len(written) > _MOST_BYTES:
        raise _Refused(1, f"the rule set is longer than {_MOST_BYTES} characters")
    _refuse_aliases(written)
    node = yaml.compose(written, Loader=_LOADER)
    if node is None:
        raise _Refused(1, "the rule set is empty")
    lines: dict[Path, int] = {}
    return Document(_plain(node, (), lines), lines)


def _refuse_aliases(written: str) -> None:
    """Before anything is built: aliases can make a small file huge, and nesting can exhaust the parser."""
    depth = 0
    for event in yaml.parse(written, Loader=_LOADER):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _Refused(_line(event), "anchors and aliases (& and *) are not allowed; write the value out")
        if getattr(event, "tag", None):
            raise _Refused(_line(event), "tags (!) are not allowed; write the plain value")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise _Refused(_line(event), f"the rule set is nested deeper than {_DEEPEST} levels")


def _line(part: Any) -> int:
    return int(part.start_mark.line) + 1


def _plain(node: Any, path: Path, lines: dict[Path, int]) -> Any:
    lines.setdefault(path, _line(node))
    if isinstance(node, yaml.MappingNode):
        return dict(_items(node, path, lines))
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*path, place), lines) for place, item in enumerate(node.value)]
    return node.value if node.style else scalar(str(node.value))


def _items(node: yaml.MappingNode, path: Path, lines: dict[Path, int]) -> Iterator[tuple[str, Any]]:
    seen: set[str] = set()
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _Refused(_line(key), "a key must be a word")
        if key.value in seen:
            raise _Refused(_line(key), f"the key `{key.value}` is there more than once")
        seen.add(key.value)
        lines[(*path, key.value)] = _line(key)
        yield key.value, _plain(value, (*path, key.value), lines)


def scalar(written: str) -> Any:
    """A plain scalar: null, a boolean, an exact number, or the text itself."""
    if written in _WORDS:
        return _WORDS[written]
    if _INTEGER.fullmatch(written):
        return int(written)
    return Decimal(written) if _NUMBER.fullmatch(written) else written
