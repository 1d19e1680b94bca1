"""What a replay found, for a person: a verdict, sums, and a table of rules."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fraud_platform.replay.report import Report, RuleReport, Score, Some, StageReport

_SHOWN = 1
"""Ids beside a count; `--json` has more."""
_EXAMPLE = "for example"
_NONE = "-"
_GAP = 2

Row = tuple[str, str, str]
"""What, how many, and of what kind: money or ids."""


def show(report: Report, console: Console) -> None:
    """The report for a person."""
    rules = f"rule set {report.rules}" if report.rules else "the rules that made each decision"
    console.print(Text(f"{_at(report.start)} to {_at(report.end)} UTC, judged by {rules}", style="bold"))
    for stage in report.stages:
        console.print()
        console.print(Text(_headline(stage)))
        console.print(_grid(stage, is_other=report.rules is not None))
        if stage.rules:
            console.print()
            console.print(_table(stage.rules, console.width))
    read = sum(each.end - each.warm for stage in report.stages for each in stage.ranges)
    console.print(Text(f"\n{_verdict(report)}", style="bold"), Text(f"{read:,} offsets in {report.seconds:.1f} s"))


def _verdict(report: Report) -> str:
    off = sum(each.different.count + each.missing.count + each.twice.count for each in report.stages)
    if off:
        return f"{off:,} decisions do not repeat; `fraud-platform explain ID` tells about each."
    if report.uncompared:
        return f"Of {' and '.join(report.uncompared)} nothing could be compared; why stands beside `not compared`."
    if report.rules:
        return "Nothing was changed; this is what these rules would say."
    return "Every decision that can be compared repeats."


def _headline(stage: StageReport) -> str:
    outcomes = ", ".join(f"{count:,} {name}" for name, count in stage.outcomes.items()) or "no records"
    return f"{stage.stage} ({stage.topic}): {outcomes}"


def _grid(stage: StageReport, *, is_other: bool) -> Table:
    grid = Table(box=None, pad_edge=False, show_header=False)
    grid.add_column()
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(overflow="fold")
    for what, count, kind in (*_compared(stage, is_other=is_other), *_left_out(stage), *_flagged(stage)):
        grid.add_row(Text(f"  {what}"), Text(count), Text(kind))
    return grid


def _compared(stage: StageReport, *, is_other: bool) -> Iterator[Row]:
    versions = ", ".join(f"{name} ({count:,})" for name, count in stage.stored_versions.items())
    yield "the same as decided", f"{stage.identical:,}", f"by {versions}" if versions else ""
    if is_other:
        yield from _some("would be decided otherwise", stage.changed)
        yield from _some("same outcome, other figures", stage.reworded)
    yield from _some("differ by the same rules", stage.different)
    yield from _some("have no stored decision", stage.missing)
    yield from _some("repetitions decided twice", stage.twice)
    for move in stage.moves:
        yield f"{move.before} -> {move.now}", f"{move.transactions.count:,}", _money(move.transactions)


def _left_out(stage: StageReport) -> Iterator[Row]:
    for why, count in stage.not_compared.items():
        yield "not compared", f"{count:,}", why
    waiting = sum(each.waiting for each in stage.ranges)
    if waiting:
        yield "wait for the stage, at most", f"{waiting:,}", ""
    if stage.outside:
        yield "stored decisions of other records", f"{stage.outside:,}", ""
    if stage.warmed_from:
        past = "the beginning of the log" if stage.is_whole else "what was before is not known"
        yield "windows filled before", f"{stage.warmed_records:,}", f"from {_at(stage.warmed_from)}, {past}"


def _flagged(stage: StageReport) -> Iterator[Row]:
    if stage.outcomes.get("judged"):
        per_day = f"; {_number(stage.flagged_per_day)} a day" if stage.flagged_per_day is not None else ""
        yield "flagged (REVIEW or BLOCK)", f"{stage.flagged.count:,}", _money(stage.flagged) + per_day
    if stage.score:
        yield f"labelled fraud: {stage.labelled_fraud:,}", "", _score(stage.score)
    if stage.flagged_before is not None:
        yield "flagged as it was decided", f"{stage.flagged_before.count:,}", _money(stage.flagged_before)
    if stage.score_before is not None:
        yield "", "", _score(stage.score_before)


def _score(score: Score) -> str:
    labelled = score.fraud + score.legitimate
    return (
        f"precision {_percent(score.precision)} ({score.fraud:,} of {labelled:,} labelled),"
        f" recall {_percent(score.recall)}"
    )


def _some(what: str, some: Some) -> Iterator[Row]:
    if some.count:
        more = " ..." if some.count > _SHOWN else ""
        yield what, f"{some.count:,}", ", ".join(some.examples[:_SHOWN]) + more


# The rules ------------------------------------------------------------------------------------------

_COLUMNS: Sequence[tuple[str, Callable[[RuleReport], str]]] = (
    ("rule", lambda rule: rule.rule),
    ("hits", lambda rule: f"{rule.hits.count:,}"),
    ("a day", lambda rule: _number(rule.per_day)),
    ("newly", lambda rule: _count(rule.newly.count)),
    ("money", lambda rule: _money(rule.newly)),
    ("no longer", lambda rule: _count(rule.gone.count)),
    ("money", lambda rule: _money(rule.gone)),
    ("otherwise", lambda rule: _count(rule.otherwise.count)),
    ("not evaluable", lambda rule: _count(rule.not_evaluable)),
    ("precision", lambda rule: _percent(rule.score.precision if rule.score else None)),
    ("recall", lambda rule: _percent(rule.score.recall if rule.score else None)),
    (_EXAMPLE, lambda rule: next(iter([*rule.newly.examples, *rule.gone.examples]), _NONE)),
)


def _table(rules: Sequence[RuleReport], width: int) -> Table:
    """Columns that say nothing of any rule are left out, and the examples where they find no room."""
    columns = [(name, [cell(rule) for rule in rules]) for name, cell in _COLUMNS]
    told = [(name, cells) for name, cells in columns if set(cells) != {_NONE}]
    if sum(max(map(len, [name, *cells])) + _GAP for name, cells in told) > width:
        told = [each for each in told if each[0] != _EXAMPLE]
    table = Table(box=None, pad_edge=False)
    for name, _ in told:
        table.add_column(Text(name), justify="left" if name in {"rule", _EXAMPLE} else "right", overflow="fold")
    for row in zip(*(cells for _, cells in told), strict=True):
        table.add_row(*map(Text, row))
    return table


def _count(count: int) -> str:
    return f"{count:,}" if count else _NONE


def _money(some: Some) -> str:
    return f"{Decimal(some.money):,f}" if some.count else _NONE


def _number(value: float | None) -> str:
    return _NONE if value is None else f"{value:,g}" if value < 100 else f"{value:,.0f}"  # noqa: PLR2004


def _percent(part: float | None) -> str:
    return _NONE if part is None else f"{100 * part:.1f} %"


def _at(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
