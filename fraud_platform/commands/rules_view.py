"""How rule sets, their history and their differences look, on a terminal and as JSON. Lists show counts only."""

from collections.abc import Iterator
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fraud_platform.rules.difference import Change, Difference, Plain
from fraud_platform.rules.history import History
from fraud_platform.rules.rule_set import RuleSet

_ADDED, _REMOVED, _CHANGED = "green", "red", "yellow"


def write_json(value: Any, console: Console) -> None:
    """One indented JSON value."""
    raw = bytes(value) if isinstance(value, msgspec.Raw) else msgspec.json.encode(value)
    console.file.write(msgspec.json.format(raw, indent=2).decode() + "\n")


def count_of(rule_set: RuleSet) -> str:
    """How many rules there are and how many of them are on."""
    count = len(rule_set.rules)
    return f"{count} {'rule' if count == 1 else 'rules'}, {len(rule_set.enabled)} enabled"


# Rules ----------------------------------------------------------------------------------------------


def rules_of(rule_set: RuleSet) -> list[dict[str, Any]]:
    """Each rule as plain data: id, criterion, action, enabled, parameters, description."""
    found: list[dict[str, Any]] = msgspec.json.decode(rule_set.canonical())["rules"]
    return found


def rules_table(rule_set: RuleSet) -> Table:
    """A row per rule."""
    table = Table(box=None, pad_edge=False)
    for name in ("rule", "criterion", "action", "on", "parameters"):
        table.add_column(name, overflow="fold")
    for rule in rules_of(rule_set):
        on = "yes" if rule["enabled"] else "no"
        row = (rule["id"], rule["criterion"], rule["action"], on, parameters_text(rule))
        table.add_row(*(Text(cell) for cell in row), style="" if rule["enabled"] else "dim")
    return table


def parameters_text(rule: Plain) -> str:
    """The parameters on one line."""
    return ", ".join(f"{name}: {_text(value)}" for name, value in rule["parameters"].items())


def _text(value: Any) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


# Differences ----------------------------------------------------------------------------------------


def difference_lines(between: Difference) -> Iterator[Text]:
    """What changes, a line each; the first names the versions."""
    if not between:
        yield Text(f"{between.after} says the same as {between.before}." if between.before != between.after
                   else f"No difference: both are {between.after}.")  # fmt: skip
        return
    yield Text(f"{between.before} -> {between.after}", style="bold")
    for rule in between.added:
        yield Text(f"+ {_rule(rule)}", style=_ADDED)
    for rule in between.removed:
        yield Text(f"- {_rule(rule)}", style=_REMOVED)
    for each in between.changed:
        yield Text(f"~ {each.id}", style=_CHANGED)
        yield from (Text(f"    {_change(change)}") for change in each.changes)
    for moved in between.lists:
        counts = f"{moved.added} added, {moved.removed} removed, {moved.changed} with another expiry"
        yield Text(f"~ list {moved.name}: {counts}", style=_CHANGED)
    if between.lateness:
        yield Text(f"~ {_change(between.lateness)}", style=_CHANGED)


def difference_json(between: Difference) -> dict[str, Any]:
    """The same as plain data."""
    found: dict[str, Any] = msgspec.to_builtins(between)
    return found


def _rule(rule: Plain) -> str:
    off = "" if rule["enabled"] else ", disabled"
    return f"{rule['id']}: {rule['criterion']} ({parameters_text(rule)}) -> {rule['action']}{off}"


def _change(change: Change) -> str:
    return f"{change.name}: {_text(change.before)} -> {_text(change.after)}"


# History --------------------------------------------------------------------------------------------


def history_table(found: History) -> Table:
    """A row per publication, the newest first."""
    table = Table(box=None, pad_edge=False)
    for name in ("number", "version", "when (UTC)", "how", "by", "rules", "note"):
        table.add_column(name, overflow="fold")
    for each in reversed(found.publications):
        when = f"{each.at:%Y-%m-%d %H:%M:%S}"
        rules = "{} of {} on".format(*each.counts)
        row = (str(each.number), each.version, when, each.kind.value, each.by, rules, each.note)
        table.add_row(*(Text(cell) for cell in row), style="bold" if each is found.active else "")
    return table


def history_json(found: History) -> list[dict[str, Any]]:
    """The same as plain data, the newest first."""
    names = ("number", "version", "kind", "by", "at", "note", "replaces")
    return [
        {**{name: getattr(each, name) for name in names}, "active": each is found.active}
        for each in reversed(found.publications)
    ]
