"""Which known key a JSON object holds twice: the decoder keeps the last in silence, and the bank meant one of them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

_NONE = type(None)
_Pairs = list[tuple[str, Any]]


def is_surely_single(raw: bytes, parts: Sequence[msgspec.Struct]) -> bool:
    """Whether the quotes of `raw` leave no room for a key beyond those that were decoded into `parts`.

    Without a backslash each string owns two quotes, and a key is a string too. Nulls that are spelled out, escapes
    and unknown fields make it False: then `repeated_key` must tell, at three times the cost.
    """
    if b"\\" in raw:
        return False
    values: list[Any] = []
    for part in parts:
        values += msgspec.structs.astuple(part)
    kinds = [*map(type, values)]
    strings, at = kinds.count(str), -1
    for _ in range(kinds.count(list)):
        at = kinds.index(list, at + 1)
        strings += len(values[at])
    keys = len(kinds) - kinds.count(_NONE)
    return raw.count(b'"') == 2 * (keys + strings)


def repeated_key(raw: bytes, known: Mapping[str, Sequence[str]]) -> str | None:
    """The first known key that is there more than once, as a path like `$.sender_details.ssn`; None when all is well.

    `known` = key names by the object that holds them: `""` is the top, other names are fields of it.
    Raises RecursionError when `raw`, which must be good JSON, is nested too deeply.
    """
    top: _Pairs = json.loads(raw, object_pairs_hook=list, parse_int=len, parse_float=len)
    repeated = _twice(top, known[""])
    if repeated:
        return f"$.{repeated}"
    for name, value in top:
        inner = _twice(value, known[name]) if name in known else None
        if inner:
            return f"$.{name}.{inner}"
    return None


def _twice(pairs: _Pairs, known: Sequence[str]) -> str | None:
    names = [name for name, _ in pairs]
    if len(set(names)) == len(names):
        return None
    return next((name for name in known if names.count(name) > 1), None)
