"""`fraud-platform query`: ready queries, or one's own, against the stores."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from fraud_platform.adapters.mongo_query import rows as mongo_rows
from fraud_platform.documents import ready, shell
from fraud_platform.errors import ConfigurationError
from fraud_platform.settings import Settings

Row = dict[str, Any]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def query(
    settings: Settings, engine: str, text_or_name: str | None, *,
    as_json: bool, as_csv: bool, limit: int | None, console: Console,
) -> int:  # fmt: skip
    """Run a ready query by its name, or the text of one's own, and print its rows; returns the exit code.

    Without name or text it lists the ready queries. At most `limit` rows are printed; None or 0 = all.

    Raises:
        ConfigurationError: an unknown engine or name, or a query that cannot be read or would write.
        StoreUnavailable: the store does not answer.
    """
    _check(engine, as_json=as_json, as_csv=as_csv, limit=limit)
    if text_or_name is None:
        return _list_ready(console, as_json=as_json)
    found = mongo_rows(settings, shell.parse(_text(text_or_name)))
    if as_json:
        _print_json(islice(found, limit or None), console)
    elif as_csv:
        _print_csv(list(islice(found, limit or None)), console)
    else:
        _print_table(found, limit, console)
    return 0


def _check(engine: str, *, as_json: bool, as_csv: bool, limit: int | None) -> None:
    if engine == "athena":
        raise ConfigurationError("Athena is not available yet in this version; use `query mongo`.")
    if engine != "mongo":
        raise ConfigurationError(f"There is no engine {engine!r}; use `query mongo`.")
    if as_json and as_csv:
        raise ConfigurationError("Choose one of --json and --csv.")
    if limit is not None and limit < 0:
        raise ConfigurationError(f"--limit takes a number of rows from 0 on, not {limit}.")


def _text(text_or_name: str) -> str:
    """What holds a parenthesis is a query, anything else a name."""
    if "(" in text_or_name:
        return text_or_name
    try:
        return ready.text(text_or_name)
    except KeyError:
        raise ConfigurationError(
            f"There is no ready query {text_or_name!r}; there are: {', '.join(ready.names())}."
            " One's own looks like db.transactions.find({})."
        ) from None


def _list_ready(console: Console, *, as_json: bool) -> int:
    if as_json:
        _print_json(({"name": name} for name in ready.names()), console)
    else:
        console.print("Ready queries, run with `fraud-platform query mongo NAME`:", highlight=False)
        for name in ready.names():
            console.print(Text(f"  {name}"))
    return 0


def _print_json(found: Iterable[Row], console: Console) -> None:
    """One array, written as the rows come."""
    rows = iter(found)
    first = list(islice(rows, 1))  # a query that fails prints nothing
    out = console.file
    out.write("[")
    for number, row in enumerate(chain(first, rows)):
        out.write((",\n" if number else "\n") + msgspec.json.encode(row, enc_hook=str).decode())
    out.write("\n]\n")


def _print_csv(rows: Sequence[Row], console: Console) -> None:
    names = _columns(rows)
    console.file.write(_csv_line(names))
    console.file.writelines(_csv_line([_cell(row.get(name)) for name in names]) for row in rows)


def _csv_line(cells: Sequence[str]) -> str:
    """A line as Unix tools like it; the writer's own ending makes it quote cells that hold one of its parts."""
    buffer = io.StringIO()
    csv.writer(buffer).writerow([_harmless(cell) for cell in cells])
    return buffer.getvalue().removesuffix("\r\n") + "\n"


def _print_table(found: Iterator[Row], limit: int | None, console: Console) -> None:
    rows = list(islice(found, limit or None))
    more = limit and next(found, None) is not None
    names = _columns(rows)
    table = Table(*(escape(name) for name in names))
    for row in rows:
        table.add_row(*(Text(_CONTROL.sub("\ufffd", _cell(row.get(name)))) for name in names))
    if rows:
        console.print(table)
    console.print(f"{len(rows)} rows" + ("; there are more, see --limit" if more else ""), highlight=False)


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
