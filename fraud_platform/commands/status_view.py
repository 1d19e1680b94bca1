"""What `fraud-platform status` prints."""

import json
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fraud_platform.commands.progress import DeadLetters
from fraud_platform.commands.status import ELSEWHERE, NOT_RUNNING, Report, ServiceRow, StageRow, look, to_json
from fraud_platform.settings import Settings

UNKNOWN = "?"
_STYLES = {"ready": "green", ELSEWHERE: "cyan", NOT_RUNNING: "dim", "crashed": "red", "held": "red"}


def status(settings: Settings, console: Console, *, as_json: bool) -> None:
    """Print the state of the platform, as tables or as one JSON object."""
    found = look(settings)
    if as_json:
        console.file.write(json.dumps(to_json(found), indent=2) + "\n")
    else:
        show(found, console)


def show(report: Report, console: Console) -> None:
    """Print the report for a person."""
    if all(row.status in (NOT_RUNNING, ELSEWHERE) for row in report.services):
        console.print("Nothing of this platform runs here; [bold]make up[/] starts it.\n")
    console.print(_services(report.services))
    console.print()
    console.print(_stages(report.stages))
    console.print(f"\nDead letters: {_letters(report.dead_letters)}", highlight=False)
    console.print(f"Rules: {report.rules or UNKNOWN}", markup=False, highlight=False, soft_wrap=True)
    for slot, version, coming in (
        (slot, by, stage.makes_ready.get(slot)) for stage in report.stages for slot, by in stage.judges_by.items()
    ):
        if report.rules is not None and version != report.rules.version:
            why = f" while windows are filled for {coming}" if coming else ""
            console.print(f"{slot} still judges by {version}{why}", markup=False, highlight=False, soft_wrap=True)
    for stage in report.stages:
        if stage.keeper_on is False and stage.why_off:
            console.print(f"{stage.name} is switched off: {stage.why_off}", markup=False, highlight=False)
        if stage.lost:
            text = f"{stage.name} waits: its committed offset is no longer in {', '.join(stage.lost)}"
            console.print(f"{text}; see docs/operations.md.", style="red", markup=False, highlight=False)
    for sentence in report.problems:
        console.print(sentence, style="yellow", markup=False, highlight=False)


def _services(rows: list[ServiceRow]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, justify in (("service", "left"), ("state", "left"), ("pid", "right"), ("restarts", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    table.add_column("address", overflow="fold")
    for row in rows:
        status = Text(row.status, style=_STYLES.get(row.status, "yellow"))
        about = row.message or row.url
        table.add_row(row.name, status, str(row.pid or "-"), str(row.restarts), Text(about))
    return table


def _stages(rows: list[StageRow]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("stage")
    table.add_column("keeper")
    for name in ("slots", "lag", "records/s", "last ledger entry"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(row.name, _keeper(row), _slots(row), _number(row.lag), _rate(row.rate), _time(row.last_ledger))
    return table


def _keeper(row: StageRow) -> Text:
    if row.keeper_on is None:
        return Text(UNKNOWN)
    return Text("on", style="green") if row.keeper_on else Text("off", style="red" if row.why_off else "dim")


def _slots(row: StageRow) -> Text:
    if row.slots_live is None:
        return Text(f"{UNKNOWN} of {row.slots_wanted}")
    missing = row.keeper_on and row.slots_live < row.slots_wanted
    return Text(f"{row.slots_live} of {row.slots_wanted}", style="red" if missing else "")


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}"


def _time(at: datetime | None) -> str:
    return "-" if at is None else f"{at:%Y-%m-%d %H:%M:%S}Z"


def _letters(found: DeadLetters | None) -> str:
    if found is None:
        return UNKNOWN
    if not found.exact:
        return f"at most {found.count:,}"
    stages = ", ".join(f"{name} {count:,}" for name, count in sorted(found.by_stage.items()))
    return f"{found.count:,}{f' ({stages})' if stages else ''}"
