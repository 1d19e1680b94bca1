"""CSV as spreadsheets and banks export it -> one mapping per row; a bad row never takes a good one with it."""

import csv
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from fraud_platform.core.outcome import Rejected
from fraud_platform.errors import ConfigurationError

MOST_LINES = 20
"""Lines of text that one row may take; a quote that is still open then was never closed."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_UNEVEN = Rejected("invalid-csv", "a quote is not closed, or stands inside of a text")
_NO_TEXT = Rejected("invalid-utf8", "the line is not UTF-8")

Row = tuple[int, Mapping[str, str] | Rejected]
"""The number of its first line, from 1 on, and its cells by column, without the blanks around them."""


def csv_rows(lines: Iterable[bytes], *, columns: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Row]:
    """Check the header at once and return the rows; empty ones are skipped.

    Args:
        lines: the file's lines with their ends.
        columns: those that must be there, in any order; others but the `optional` ones are ignored.
        optional: those that may be there.

    Raises:
        ConfigurationError: the file is empty, or its first line does not name the columns.
    """
    numbered = iter(enumerate(lines, start=1))
    header = _header(numbered, columns)
    wanted = {name: at for at, name in enumerate(header) if name in {*columns, *optional}}
    return _rows(numbered, wanted, len(header))


def _header(numbered: Iterator[tuple[int, bytes]], columns: Sequence[str]) -> list[str]:
    needed = f"The first line must name the columns {','.join(columns)}"
    for number, line in numbered:
        text = line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line
        if not text.strip():
            continue
        cells = _cells([text])
        if isinstance(cells, Rejected):
            raise ConfigurationError(f"{needed}; this is no CSV in UTF-8.")
        header = [cell.lower() for cell in cells]
        if missing := [name for name in columns if name not in header]:
            absent = "none of them is there" if len(missing) == len(columns) else f"missing: {', '.join(missing)}"
            raise ConfigurationError(f"{needed}, separated by commas; {absent}.")
        if twice := [name for name in columns if header.count(name) > 1]:
            raise ConfigurationError(f"The column {twice[0]} is there more than once.")
        return header
    raise ConfigurationError(f"{needed}; the file is empty.")


def _rows(numbered: Iterator[tuple[int, bytes]], wanted: Mapping[str, int], width: int) -> Iterator[Row]:
    ahead: deque[tuple[int, bytes]] = deque()
    while True:
        if not ahead:
            ahead.extend(islice(numbered, 1))
        if not ahead:
            return
        number, line = ahead.popleft()
        found = _row(line, ahead, numbered, width)
        if isinstance(found, Rejected):
            yield number, found
        elif any(found):
            yield number, {name: found[at] for name, at in wanted.items()}


def _row(
    line: bytes, ahead: deque[tuple[int, bytes]], numbered: Iterator[tuple[int, bytes]], width: int
) -> list[str] | Rejected:
    """The row that begins with `line`; further lines are taken from `ahead` only when they make a good row of it."""
    first = cells = _checked([line], width)
    taken = 0
    while cells is _UNEVEN and taken < MOST_LINES:
        if taken == len(ahead):
            ahead.extend(islice(numbered, 1))
        if taken == len(ahead):
            return first
        taken += 1
        cells = _checked([line, *(text for _, text in islice(ahead, taken))], width)
    if isinstance(cells, Rejected):
        return first
    for _ in range(taken):
        ahead.popleft()
    return cells


def _checked(lines: Sequence[bytes], width: int) -> list[str] | Rejected:
    cells = _cells(lines)
    if isinstance(cells, Rejected) or len(cells) == width or not any(cells):
        return cells
    return Rejected("invalid-csv", f"the row has {len(cells)} cells, the header has {width}")


def _cells(lines: Sequence[bytes]) -> list[str] | Rejected:
    try:
        text = [line.decode() for line in lines]
    except UnicodeDecodeError:
        return _NO_TEXT
    reader = csv.reader(text, strict=True, skipinitialspace=True)
    try:
        cells = next(reader, [])
    except csv.Error:
        return _UNEVEN
    return [cell.strip() for cell in cells]
