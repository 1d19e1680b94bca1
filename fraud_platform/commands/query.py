"""`fraud-platform query`: ready queries, or one's own, against the stores."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from fraud_platform.catalog import ready as lake_ready
from fraud_platform.catalog.access import engine_of, uses_athena
from fraud_platform.catalog.answer import Answer
from fraud_platform.documents import ready as mongo_ready
from fraud_platform.documents import shell
from fraud_platform.errors import ConfigurationError
from fraud_platform.settings import Settings

Row = dict[str, Any]

TABLE_ROWS = 1000
"""Rows of a table without a limit: its columns are as wide as all of its rows need, so it is made of them at once."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def query(
    settings: Settings, engine: str, text_or_name: str | None, *,
    as_json: bool, as_csv: bool, limit: int | None, console: Console,
) -> int:  # fmt: skip
    """Run a ready query by its name, or the text of one's own, and print its rows; returns the exit code.

    Without name or text it lists the ready queries. At most `limit` rows are printed; 0 = all. None =
    all but in a table, which then ends after `TABLE_ROWS`.

    Raises:
        ConfigurationError: an unknown engine or name, or a query that cannot be read or would write.
        StoreUnavailable: the store does not answer.
    """
    _check(engine, as_json=as_json, as_csv=as_csv, limit=limit)
    if text_or_name is None:
        return _list_ready(engine, console, as_json=as_json)
    answer = _ENGINES[engine](settings, text_or_name)
    if as_json:
        _print_json(islice(answer.rows, limit or None), console)
    elif as_csv:
        _print_csv(answer.columns, islice(answer.rows, limit or None), console)
    else:
        _print_table(answer.columns, answer.rows, TABLE_ROWS if limit is None else limit, console)
    return 0


def _check(engine: str, *, as_json: bool, as_csv: bool, limit: int | None) -> None:
    if engine not in _ENGINES:
        raise ConfigurationError(f"There is no engine {engine!r}; use `query athena` or `query mongo`.")
    if as_json and as_csv:
        raise ConfigurationError("Choose one of --json and --csv.")
    if limit is not None and limit < 0:
        raise ConfigurationError(f"--limit takes a number of rows from 0 on, not {limit}.")


def _ask_mongo(settings: Settings, text_or_name: str) -> Answer:
    """What holds a parenthesis is a query, anything else a name."""
    from fraud_platform.adapters.mongo_query import rows

    text = (
        text_or_name
        if "(" in text_or_name
        else _ready(mongo_ready.names(), text_or_name, mongo_ready.text, "db.transactions.find({})")
    )
    return Answer((), rows(settings, shell.parse(text)))


def _ask_lake(settings: Settings, text_or_name: str) -> Answer:
    """What holds a space is a query, anything else a name."""
    name = text_or_name.strip()
    text = text_or_name if len(name.split()) > 1 else _ready(
        lake_ready.names(), name, lambda known: lake_ready.text(known, local=not uses_athena(settings)),
        "'SELECT * FROM raw_users'",
    )  # fmt: skip
    return engine_of(settings).ask(text)


_ENGINES = {"athena": _ask_lake, "mongo": _ask_mongo}


def _ready(names: Sequence[str], name: str, text: Callable[[str], str], example: str) -> str:
    if name not in names:
        raise ConfigurationError(
            f"There is no ready query {name!r}; there are: {', '.join(names)}. One's own looks like {example}."
        )
    return text(name)


def _list_ready(engine: str, console: Console, *, as_json: bool) -> int:
    names = lake_ready.names() if engine == "athena" else mongo_ready.names()
    if as_json:
        _print_json(({"name": name} for name in names), console)
    else:
        console.print(f"Ready queries, run with `fraud-platform query {engine} NAME`:", highlight=False)
        for name in names:
            console.print(Text(f"  {name}"))
    return 0


def _print_json(found: Iterable[Row], console: Console) -> None:
    """One array, written as the rows come."""
    out = console.file
    rows = _begun(found)
    out.write("[")
    for number, row in enumerate(rows):
        out.write((",\n" if number else "\n") + msgspec.json.encode(row, enc_hook=str).decode())
    out.write("\n]\n")


def _begun(found: Iterable[Row]) -> Iterator[Row]:
    """The rows, of which the first is there: a query that fails prints nothing."""
    rows = iter(found)
    return chain(list(islice(rows, 1)), rows)


def _print_csv(columns: Sequence[str], found: Iterable[Row], console: Console) -> None:
    """The head and a line a row, written as the rows come if the engine names the columns."""
    rows = _begun(found) if columns else list(found)
    names = columns or _columns(list(rows))
    console.file.write(_csv_line(names))
    console.file.writelines(_csv_line([_cell(row.get(name)) for name in names]) for row in rows)


def _csv_line(cells: Sequence[str]) -> str:
    """A line as Unix tools like it; the writer's own ending makes it quote cells that hold one of its parts."""
    buffer = io.StringIO()
    csv.writer(buffer).writerow([_harmless(cell) for cell in cells])
    return buffer.getvalue().removesuffix("\r\n") + "\n"


def _print_table(columns: Sequence[str], found: Iterator[Row], limit: int, console: Console) -> None:
    rows = list(islice(found, limit or None))
    more = limit > 0 and next(found, None) is not None
    names = columns or _columns(rows)
    table = Table(*(escape(name) for name in names))
    for row in rows:
        table.add_row(*(Text(_CONTROL.sub("\ufffd", _cell(row.get(name)))) for name in names))
    if rows:
        console.print(table)
    others = "; there are more: --limit 0 shows all, --csv and --json write all" if more else ""
    console.print(f"{len(rows):,} rows{others}", highlight=False)


def _columns(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _cell(value: Any) -> str:
    """A value as text: dates ISO 8601, nested values as JSON, null as nothing."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, (dict, list, bool)):
        return msgspec.json.encode(value, enc_hook=str).decode()
    return str(value)


def _harmless(cell: str) -> str:
    """Spreadsheets run what looks like a formula; a quote before it makes it text. Numbers stay numbers."""
    return f"'{cell}" if cell.startswith(_FORMULA) and not _NUMBER.fullmatch(cell) else cell
