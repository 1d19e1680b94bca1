"""JSON from outside -> a typed value, or `Rejected` with a reason that holds no value."""

import re
from typing import TypeVar

import msgspec

from fraud_platform.core.outcome import Rejected
from fraud_platform.topology import MAX_VALUE_BYTES

MAX_DEPTH = 200
"""Deepest nesting of a value; the parser's own limit would depend on the Python that runs it."""

NO_VALUE = Rejected("tombstone", "the record has no value")
TOO_DEEP = Rejected("invalid-json", f"the value is nested deeper than {MAX_DEPTH} levels")
_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)
_T = TypeVar("_T")


def decode(raw: bytes, decoder: "msgspec.json.Decoder[_T]") -> _T | Rejected:
    """Read one value; the decoder's messages name fields and types, never values."""
    if not raw:
        return Rejected("invalid-json", "the value is empty")
    if len(raw) > MAX_VALUE_BYTES:
        return Rejected("too-large", f"the value has {len(raw)} bytes, {MAX_VALUE_BYTES} are allowed")
    return _typed(raw, decoder)


def _typed(raw: bytes, decoder: "msgspec.json.Decoder[_T]") -> _T | Rejected:
    try:
        if not raw.isascii():
            raw.decode()  # ignored fields must be good UTF-8 too, and the decoder skips those
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        return Rejected("schema", str(error))
    except UnicodeDecodeError as error:
        return Rejected("invalid-utf8", f"the value is not UTF-8: {error.reason} at byte {error.start}")
    except msgspec.DecodeError as error:
        return Rejected("invalid-json", str(error))
    except RecursionError:
        return TOO_DEEP


def is_too_deep(raw: bytes) -> bool:
    """Whether good JSON is nested deeper than `MAX_DEPTH`, in fields that a decoder skips too."""
    if raw.count(b"{") + raw.count(b"[") <= MAX_DEPTH:
        return False
    depth = 0
    for found in _STRING_OR_BRACKET.finditer(raw):
        mark = found.group()
        depth += (mark in (b"{", b"[")) - (mark in (b"}", b"]"))
        if depth > MAX_DEPTH:
            return True
    return False
