"""Hide social security numbers in what our tools show; bank-transactions and dead-letters hold plain ones.

Where in doubt it masks: a field hidden by mistake costs a person a minute, one shown costs a customer more.
"""

import re
from typing import Any

MASK = "***"

# A letter may be a JSON escape, as `"\\u0073sn"` is a good spelling of the same name. `business_name`
# holds the letters too and is none: they count at the end of a name, at a word's start, or as `Ssn`.
# Repeats are bounded, or a dead letter of eight million backslashes would take hours.
_SSN = rb"(?:s|\\{1,8}u00[57]3){2}(?:n|\\{1,8}u00[46]e)"
_NAME_END = rb"\\{0,8}[\"']?\s*[:=]\s*"
_NAME = re.compile(
    rb"(?:%b|(?:(?<![a-z])%b|(?-i:Ssn|SSN)|social[\s_-]?security)[\w -]{0,40})%b" % (_SSN, _SSN, _NAME_END),
    re.IGNORECASE,
)
# What any of the above needs; most strings have none of it, and a topic has millions of strings.
_HINT = re.compile(r"ssn|\\|social|[0-9]\x00?[- ]", re.IGNORECASE)
_WORD = re.compile(r"ssn$|(?<![a-z])ssn|social[\s_-]?security|(?-i:Ssn|SSN)", re.IGNORECASE)
# Digits may be a byte apart: UTF-16 is not decoded here, and must not leak either.
_SHAPE = re.compile(rb"(?<![0-9])(?:[0-9]\x00?){3}[- ]\x00?(?:[0-9]\x00?){2}[- ]\x00?(?:[0-9]\x00?){3}[0-9](?![0-9])")
_VALUE = re.compile(
    rb"""(?P<quote>")(?:\\.|[^"\\])*"?"""
    rb"""|(?P<single>')(?:\\.|[^'\\])*'?"""
    rb"""|(?P<escaped>(?P<slashes>\\+)["'])(?:(?!(?<!\\)(?P=escaped)).)*(?:(?P=escaped))?"""
    rb"""|(?P<null>null\b)"""
    rb"""|[^,}\]"'\r\n&;]*""",
    re.DOTALL,
)
_QUOTED_OR_BRACKET = re.compile(rb"\"(?:\\.|[^\"\\])*\"?|[\[{]|[\]}]", re.DOTALL)
_DEPTH = {b"[": 1, b"{": 1, b"]": -1, b"}": -1}


def mask_value(value: Any) -> Any:
    """A copy of decoded JSON or Avro in which each ssn field, at any depth, reads `***` (null stays null)."""
    if isinstance(value, dict):
        return {name: _masked_member(name, member) for name, member in value.items()}
    if isinstance(value, list):
        return [mask_value(item) for item in value]
    if isinstance(value, str) and _HINT.search(value):
        return mask_text(value.encode()).decode()
    return value


def mask_text(text: bytes) -> bytes:
    """Undecoded text, good JSON or not, with whatever follows a name like ssn, or looks like one, masked."""
    parts: list[bytes] = []
    end = 0
    while found := _NAME.search(text, end):
        parts.append(text[end : found.end()])
        (masked, end) = _masked_from(text, found.end())
        parts.append(masked)
    parts.append(text[end:])
    return _SHAPE.sub(MASK.encode(), b"".join(parts))


def _masked_member(name: str, member: Any) -> Any:
    if _WORD.search(name):
        return None if member is None else MASK
    return mask_value(member)


def _masked_from(text: bytes, start: int) -> tuple[bytes, int]:
    """What stands for the value that begins at `start`, and where it ends (the text's end if cut off)."""
    if text[start : start + 1] in (b"[", b"{"):
        return b'"***"', _bracket_end(text, start)
    found = _VALUE.match(text, start)
    if found is None or found["null"]:
        return (found.group() if found else b""), (found.end() if found else start)
    quote = found["quote"] or found["single"] or found["escaped"] or b""
    return quote + MASK.encode() + quote, found.end()


def _bracket_end(text: bytes, start: int) -> int:
    depth = 0
    for found in _QUOTED_OR_BRACKET.finditer(text, start):
        depth += _DEPTH.get(found.group(), 0)
        if depth == 0:
            return found.end()
    return len(text)
