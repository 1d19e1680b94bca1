"""A rule set: rules and lists that are applied together, and the version that their content gives them."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Self

import msgspec

from fraud_platform.core.decisions import Action
from fraud_platform.rules.criterion import Criterion
from fraud_platform.rules.duration import Duration
from fraud_platform.rules.parameters import write
from fraud_platform.rules.watch_list import FOREVER, WatchList

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
VERSION_DIGITS = 16  # 64 bits of the hash: short enough to read, long enough never to meet by chance
DEFAULT_LATENESS = Duration(24 * 3_600_000_000)


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A criterion with its parameters, and what follows when it is met."""

    id: str
    criterion: str
    test: Criterion
    action: Action
    enabled: bool = True
    description: str = ""


class RuleSet(msgspec.Struct, frozen=True, kw_only=True):
    """Rules sorted by id. `lateness`: how far behind its account's newest transaction one is still on time."""

    rules: tuple[Rule, ...]
    lists: Mapping[str, WatchList]
    lateness: Duration
    version: str

    @classmethod
    def of(
        cls, rules: Iterable[Rule], lists: Iterable[WatchList] = (), *, lateness: Duration = DEFAULT_LATENESS
    ) -> Self:
        """Sort, and compute the version.

        Raises:
            ValueError: two rules share an id.
        """
        ordered = tuple(sorted(rules, key=lambda rule: rule.id))
        ids = [rule.id for rule in ordered]
        if len(set(ids)) < len(ids):
            raise ValueError(f"rule ids must be unique, got {', '.join(ids)}")
        by_name = {each.name: each for each in sorted(lists, key=lambda each: each.name)}
        version = digest(_content(ordered, by_name, lateness))
        return cls(rules=ordered, lists=MappingProxyType(by_name), lateness=lateness, version=version)

    @property
    def enabled(self) -> tuple[Rule, ...]:
        """The rules that are applied."""
        return tuple(rule for rule in self.rules if rule.enabled)

    def canonical(self) -> bytes:
        """The content as JSON in its one spelling; `parse` reads it back to the same version."""
        return _encoded(_content(self.rules, self.lists, self.lateness))


def digest(content: object) -> str:
    """The hash of plain data, whatever the order of its keys."""
    return hashlib.sha256(_encoded(content)).hexdigest()[:VERSION_DIGITS]


def list_content(accounts: Mapping[str, int], names: Mapping[str, int]) -> dict[str, Any]:
    """The plain data of a list, entries spelled as they are compared."""
    return {"accounts": _entries(accounts), "names": _entries(names)}


def _content(rules: Iterable[Rule], lists: Mapping[str, WatchList], lateness: Duration) -> dict[str, Any]:
    return {
        "lateness": lateness.text,
        "lists": {name: list_content(each.accounts, each.names) for name, each in lists.items()},
        "rules": [
            {
                "id": rule.id,
                "criterion": rule.criterion,
                "parameters": write(rule.test),
                "action": rule.action.value,
                "enabled": rule.enabled,
                "description": rule.description,
            }
            for rule in rules
        ],
    }


def _entries(entries: Mapping[str, int]) -> list[Any]:
    return [
        entry if expiry == FOREVER else {"value": entry, "expires": instant_text(expiry)}
        for entry, expiry in sorted(entries.items())
    ]


def instant_text(micros: int) -> str:
    """An instant in UTC, to the microsecond.

    Raises:
        OverflowError: it lies outside of the years 1 to 9999.
    """
    return (_EPOCH + timedelta(microseconds=micros)).isoformat()


def micros(instant: datetime) -> int:
    """Epoch microseconds of an instant; one without a zone is UTC."""
    aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    since = aware - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _encoded(content: object) -> bytes:
    return msgspec.json.encode(content, order="sorted")
