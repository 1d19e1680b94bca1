"""What lies between two rule sets: rules that came, went or changed, parameter by parameter."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from fraud_platform.rules.rule_set import RuleSet
from fraud_platform.rules.window import Window

Plain = Mapping[str, Any]


class Change(msgspec.Struct, frozen=True):
    """One value of a rule before and after, as plain JSON; None = not there."""

    name: str
    before: Any
    after: Any


class RuleChange(msgspec.Struct, frozen=True):
    """A rule that is in both sets and differs."""

    id: str
    changes: tuple[Change, ...]


class ListChange(msgspec.Struct, frozen=True):
    """How many entries of a list differ; which ones is nobody's to read: they are accounts and names."""

    name: str
    added: int
    removed: int
    changed: int


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """From one version to another; `added` and `removed` are whole rules as plain JSON."""

    before: str
    after: str
    added: tuple[Plain, ...] = ()
    removed: tuple[Plain, ...] = ()
    changed: tuple[RuleChange, ...] = ()
    lists: tuple[ListChange, ...] = ()
    lateness: Change | None = None

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed or self.lists or self.lateness)


def difference(before: RuleSet, after: RuleSet) -> Difference:
    """Compare the contents; equal ones have nothing in any field but the versions."""
    old, new = (msgspec.json.decode(each.canonical()) for each in (before, after))
    then, now = ({rule["id"]: rule for rule in each["rules"]} for each in (old, new))
    lateness = Change("lateness", old["lateness"], new["lateness"])
    return Difference(
        before=before.version,
        after=after.version,
        added=tuple(rule for name, rule in now.items() if name not in then),
        removed=tuple(rule for name, rule in then.items() if name not in now),
        changed=tuple(_changed(then, now)),
        lists=tuple(_lists(old["lists"], new["lists"])),
        lateness=None if lateness.before == lateness.after else lateness,
    )


def _changed(then: Mapping[str, Plain], now: Mapping[str, Plain]) -> Iterator[RuleChange]:
    for name in sorted(then.keys() & now.keys()):
        changes = tuple(_changes(settings(then[name]), settings(now[name])))
        if changes:
            yield RuleChange(name, changes)


def _changes(old: Plain, new: Plain) -> Iterator[Change]:
    for name in dict.fromkeys([*old, *new]):
        if old.get(name) != new.get(name):
            yield Change(name, old.get(name), new.get(name))


def settings(rule: Plain) -> dict[str, Any]:
    """What a rule is made of, but for its id; parameters are named as faults name them."""
    flat = {f"parameters.{name}": value for name, value in rule["parameters"].items()}
    return {"criterion": rule["criterion"], "action": rule["action"], "enabled": rule["enabled"], **flat} | {
        "description": rule["description"]
    }


def _lists(old: Mapping[str, Plain], new: Mapping[str, Plain]) -> Iterator[ListChange]:
    for name in sorted(old.keys() | new.keys()):
        then, now = _entries(old.get(name, {})), _entries(new.get(name, {}))
        moved = sum(then[each] != now[each] for each in then.keys() & now.keys())
        change = ListChange(name, len(now.keys() - then.keys()), len(then.keys() - now.keys()), moved)
        if (change.added, change.removed, change.changed) != (0, 0, 0) or (name in old) != (name in new):
            yield change


def _entries(listed: Plain) -> dict[tuple[str, str], str | None]:
    """Each entry's expiry, None without."""
    found: dict[tuple[str, str], str | None] = {}
    for kind in ("accounts", "names"):
        for entry in listed.get(kind, []):
            plain = isinstance(entry, str)
            found[kind, entry if plain else entry["value"]] = None if plain else entry.get("expires")
    return found


def new_windows(before: RuleSet, after: RuleSet) -> frozenset[Window]:
    """What the enabled rules look back on, and those before did not."""
    return _windows(after) - _windows(before)


def _windows(rule_set: RuleSet) -> frozenset[Window]:
    return frozenset(window for rule in rule_set.enabled for window in rule.test.windows())
