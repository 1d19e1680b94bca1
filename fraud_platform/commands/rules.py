"""`fraud-platform rules ...`: rule sets checked, compared, published and taken back."""

import math
from pathlib import Path

from rich.console import Console
from rich.text import Text

from fraud_platform.adapters.rule_set_topic import read_history, rule_set_of
from fraud_platform.commands.rules_view import (
    count_of,
    difference_json,
    difference_lines,
    history_json,
    history_table,
    rules_table,
    write_json,
)
from fraud_platform.core.outcome import Rejected
from fraud_platform.live.change import SWITCH_S, user
from fraud_platform.live.change import publish as make_active
from fraud_platform.live.change import rollback as make_active_again
from fraud_platform.live.judges import Switch, wait_for_judges
from fraud_platform.rules import files
from fraud_platform.rules.account import Layout
from fraud_platform.rules.difference import difference, new_windows
from fraud_platform.rules.history import History
from fraud_platform.rules.past import begins_ms
from fraud_platform.rules.publication import Kind, Publication
from fraud_platform.settings import Settings

_DAY_S = 86_400


def check(path: str, console: Console) -> int:
    """Check a file; 0 when it can be published.

    Raises:
        ConfigurationError: it is refused; every fault has a line.
    """
    found = files.load(Path(path))
    console.print(Text(f"{path} is good: {count_of(found)}; version {found.version}"))
    return 0


def diff(settings: Settings, path: str, console: Console, *, against: str | None, as_json: bool) -> int:
    """Show what publishing the file would change, against the active version or another one.

    Raises:
        ConfigurationError: the file is refused, or there is no such version.
        BrokerUnavailable: no answer.
    """
    found = files.load(Path(path))
    history = read_history(settings)
    before = history.find(against) if against else history.require_active()
    between = difference(rule_set_of(before), found)
    if as_json:
        write_json(difference_json(between), console)
        return 0
    for line in difference_lines(between):
        console.print(line)
    return 0


def publish(settings: Settings, path: str, console: Console, *, note: str, expect: str | None) -> int:
    """Make the file's rule set the active one and say what that changes.

    What is active when this begins is what it replaces, so that nobody overwrites what they have not seen.

    Raises:
        ConfigurationError: the file is refused, or active already, or somebody else publishes.
        BrokerUnavailable: no answer.
    """
    found = files.load(Path(path))
    active = read_history(settings).active
    if active is not None:
        expect = expect or active.version
    made = make_active(settings, found, by=user(), note=note, expect=expect)
    if active is not None and not isinstance(before := active.rule_set(), Rejected):
        for line in difference_lines(difference(before, found)):
            console.print(line)
    _say(settings, made, active, console)
    return 0


def rollback(settings: Settings, version: str | None, console: Console, *, note: str) -> int:
    """Make an earlier version active again, the one before when none is named; errors as `publish`."""
    active = read_history(settings).active
    made = make_active_again(settings, version, by=user(), note=note)
    _say(settings, made, active, console)
    return 0


def history(settings: Settings, console: Console, *, as_json: bool) -> int:
    """List every publication, the newest first; errors as `read_history`."""
    found = read_history(settings)
    if as_json:
        write_json(history_json(found), console)
        return 0
    found.require_active()
    console.print(history_table(found))
    if found.refused:
        console.print(Text(f"{found.refused} other records of the topic are no publications; consumers refuse them."))
    return 0


def show(settings: Settings, version: str | None, console: Console, *, as_json: bool) -> int:
    """Show a version's rules, the active one's when none is named; as JSON it is a file to edit and publish.

    Raises:
        ConfigurationError: there is no such version.
        BrokerUnavailable: no answer.
    """
    found = read_history(settings)
    chosen = found.find(version) if version else found.require_active()
    if as_json:
        write_json(chosen.content, console)
        return 0
    rule_set = rule_set_of(chosen)
    console.print(Text(_headline(chosen, found), style="bold"))
    console.print(rules_table(rule_set))
    for name, listed in rule_set.lists.items():
        console.print(Text(f"list {name}: {len(listed.accounts)} accounts, {len(listed.names)} names"))
    console.print(Text(f"lateness {rule_set.lateness.text}"))
    return 0


def _headline(chosen: Publication, found: History) -> str:
    state = "active" if chosen is found.active else "not active"
    why = f": {chosen.note}" if chosen.note else ""
    return f"{chosen.version}, {state}; {chosen.kind} by {chosen.by} at {chosen.at:%Y-%m-%d %H:%M:%S} UTC{why}"


def _say(settings: Settings, made: Publication, before: Publication | None, console: Console) -> None:
    console.print(
        Text(
            f"{made.version} is active (number {made.number}). What runs switches at its next batch, within"
            f" {SWITCH_S} s, and each decision names the version that made it."
        )
    )
    if told := filled(made, before):
        console.print(Text(told))
    with console.status("Asking who judges ..."):
        switch = wait_for_judges(settings, made.version)
    console.print(Text(_switched(switch)))
    if switch.late and (told := _replaced(settings, made)):
        console.print(Text(told))
    elif made.replaces:
        name = f" {made.replaces}" if made.kind is Kind.ROLLED_BACK else ""
        console.print(Text(f"Back to {made.replaces}: fraud-platform rules rollback{name}"))


def filled(made: Publication, before: Publication | None) -> str:
    """What monitoring reads before it switches; empty when that is nothing."""
    now, then = made.rule_set(), before.rule_set() if before else None
    if isinstance(now, Rejected) or then is None or isinstance(then, Rejected):
        return ""
    windows = new_windows(then, now)
    begins = begins_ms(Layout(tuple(windows), now.lateness), made.at)
    if not begins:
        return ""
    days = math.ceil((made.at.timestamp() - begins / 1000) / _DAY_S)
    count = f"{len(windows)} windows" if len(windows) > 1 else "1 window"
    return (
        f"Monitoring first fills {count} from the last {days} days of lines and judges by the rules before meanwhile;"
        " `fraud-platform status` tells how far it is."
    )


def _switched(switch: Switch) -> str:
    if not switch.judges:
        return "Who judges cannot be asked from here: no validator answers, and Dagster knows no slot of monitoring."
    done = [name for name in switch.judges if name not in switch.late]
    told = f"In force after {switch.seconds:.0f} s: {', '.join(done) or 'nowhere'}."
    late = ", ".join(f"{name} (by {version})" for name, version in switch.late.items())
    if not late:
        return told
    return f"{told} Not yet: {late}; `fraud-platform status` tells when, and who refuses a set says why in its log."


def _replaced(settings: Settings, made: Publication) -> str:
    """Who has published since; empty when nobody has."""
    active = read_history(settings).require_active()
    if active.number == made.number:
        return ""
    return f"Meanwhile {active.by} made {active.version} active (number {active.number}), so that is what judges."
