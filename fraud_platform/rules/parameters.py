"""How the parameters of a rule are read and written; criteria take their types from here."""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum
from typing import Any, TypeAlias, TypeVar

import msgspec

from fraud_platform.core import money
from fraud_platform.core.decisions import canonical
from fraud_platform.rules.duration import Duration
from fraud_platform.rules.watch_list import WatchList

Money: TypeAlias = Decimal
"""An exact number of a rule: at most 29 digits before the point and 9 after it; negative ones for balances."""

T = TypeVar("T")


def read(kind: type[T], given: object, lists: Mapping[str, WatchList]) -> T:
    """Make `kind` from plain data.

    Raises:
        msgspec.ValidationError: something does not fit; the message ends with its path.
    """

    def custom(wanted: type, value: object) -> object:
        if wanted is Duration:
            return Duration.parse(value)
        if wanted is WatchList:
            if not isinstance(value, str) or value not in lists:
                raise ValueError(f"there is no such list; `lists` has {', '.join(sorted(lists)) or 'none'}")
            return lists[value]
        raise NotImplementedError(wanted)

    made = msgspec.convert(given, kind, dec_hook=custom)
    for fault in _inexact(made):
        raise msgspec.ValidationError(fault)
    return made


def write(value: object) -> Any:
    """Plain data in the one spelling that `read` takes back: what versions are computed of."""
    if is_dataclass(value):
        made = {field.name: write(getattr(value, field.name)) for field in fields(value)}
        return {name: item for name, item in made.items() if item is not None}
    if isinstance(value, frozenset | set):
        return sorted(map(write, value))
    if isinstance(value, tuple | list):
        return [write(item) for item in value]
    spell = next((_SPELLINGS[kind] for kind in type(value).__mro__ if kind in _SPELLINGS), None)
    return spell(value) if spell else value


_SPELLINGS: Mapping[type, Callable[[Any], object]] = {
    Duration: lambda span: span.text,
    Decimal: canonical,
    WatchList: lambda watched: watched.name,
    Enum: lambda member: member.value,
}


def _inexact(value: object) -> list[str]:
    """Numbers that money cannot hold, by the parameter's name."""
    if not is_dataclass(value):
        return []
    faults: list[str] = []
    for field in fields(value):
        item = getattr(value, field.name)
        if isinstance(item, Decimal) and money.fault(item, may_be_negative=True):
            faults.append(f"{field.name} {money.fault(item, may_be_negative=True)}")
        for part in item if isinstance(item, tuple) else ():
            faults += _inexact(part)
    return faults
