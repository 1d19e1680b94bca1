"""`fraud-platform replay`: the raw log once more through the rules, beside what was decided."""

import time
from datetime import datetime
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from fraud_platform.adapters.rule_set_topic import version
from fraud_platform.commands.replay_words import show
from fraud_platform.errors import ConfigurationError
from fraud_platform.replay.report import to_json
from fraud_platform.replay.run import Wanted, replay
from fraud_platform.rules import files
from fraud_platform.rules.duration import Duration
from fraud_platform.rules.rule_set import RuleSet, micros
from fraud_platform.settings import Settings

ALL = "all"
_FILES = {".yaml", ".yml", ".json"}


def run(
    settings: Settings, console: Console, *, start: str | None, last: str | None, end: str | None,
    rules: str | None, warm: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Replay, and print what was found; 0 when no decision of the same rules differs.

    Raises:
        ConfigurationError: a time, a duration, a version or a file that cannot be used.
        BrokerUnavailable, RegistryUnavailable: no answer.
    """
    wanted = wanted_of(settings, start=start, last=last, end=end, rules=rules, warm=warm)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("reading labels", total=None)

        def tell(stage: str, read: int, of: int) -> None:
            progress.update(task, description=f"{stage}: {read:,} records", completed=read, total=max(1, of))

        report = replay(settings, wanted, tell=tell)
    if as_json:
        console.file.write(msgspec.json.format(to_json(report), indent=2).decode() + "\n")
    else:
        show(report, console)
    return 0 if report.is_repeatable else 1


def wanted_of(
    settings: Settings, *, start: str | None, last: str | None, end: str | None, rules: str | None, warm: str | None
) -> Wanted:
    """What the options ask for; raises ConfigurationError."""
    if (start is None) == (last is None):
        raise ConfigurationError("Say with exactly one of --from TIME and --last DURATION what to replay.")
    until = None if end is None else _time("--to", end)
    if start is not None:
        begin = _time("--from", start)
    else:
        begin = (until if until is not None else time.time_ns() // 1_000_000) - _duration("--last", last or "")
    chosen = None if rules is None else _rules(settings, rules)
    return Wanted(begin, until, chosen, None if warm is None else begin if warm == ALL else _duration("--warm", warm))


def _rules(settings: Settings, name: str) -> RuleSet:
    path = Path(name)
    return files.load(path) if path.suffix in _FILES or path.is_file() else version(settings, name)


def _time(option: str, text: str) -> int:
    try:
        return micros(datetime.fromisoformat(text.strip())) // 1000
    except (ValueError, OverflowError):
        raise ConfigurationError(
            f"{option} takes a time of ISO 8601 such as 2026-11-23 or 2026-11-23T08:00; without a zone it is UTC."
        ) from None


def _duration(option: str, text: str) -> int:
    if option == "--warm" and text.strip() == "0":
        return 0
    try:
        return int(Duration.parse(text)) // 1000
    except ValueError as error:
        also = ", or `all`, or 0" if option == "--warm" else ""
        raise ConfigurationError(f"{option} takes a duration{also}: {error}.") from None
