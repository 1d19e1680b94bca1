"""`fraud-platform books`: whether every record is accounted for, on one page."""

from contextlib import nullcontext
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fraud_platform.books.report import Report, crossing_table, finding_lines, stage_table, store_table
from fraud_platform.settings import Settings


def books(
    settings: Settings, console: Console, *, as_json: bool, ledger_only: bool, rebuild: bool, settle: bool
) -> int:
    """Examine and print; the exit code is 0 when all was looked at and balances."""
    from fraud_platform.books.examine import examine
    from fraud_platform.documents.collections import COLLECTIONS

    topics = () if ledger_only else tuple(COLLECTIONS)
    with nullcontext() if as_json else console.status("Looking at the books ..."):
        report = examine(settings, rebuild=rebuild, settle=settle, topics=topics)
    show(report, console, as_json=as_json)
    return 0 if report.balances else 1


def show(report: Report, console: Console, *, as_json: bool) -> None:
    """Print the page, or one JSON object."""
    if as_json:
        console.file.write(msgspec.json.format(msgspec.json.encode(report.to_json()), indent=2).decode() + "\n")
        return
    console.print(Text(report.headline(), style="bold"))
    if report.stages:
        console.print(Text(report.opening()))
    for head, rows in (stage_table(report), crossing_table(report), store_table(report)):
        if rows:
            console.print(_table(head, rows))
    for line in finding_lines(report.findings):
        console.print(Text(line))
    for what, why in report.unknown.items():
        console.print(Text(f"Not known of {what}: {why}"))


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name, column in zip(head, zip(*rows, strict=True), strict=True):
        options: dict[str, Any] = {"justify": "right"} if all(each[:1].isdigit() for each in column) else {}
        table.add_column(name, **options)
    for row in rows:
        table.add_row(*map(Text, row))
    return table
