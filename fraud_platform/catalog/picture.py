"""Fraud by bank and hour as small plots, for Dagster's page of the result table."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from fraud_platform.catalog import ready
from fraud_platform.catalog.answer import QueryEngine
from fraud_platform.orchestration.plot import plot

HOURS = 24
BANKS = 6
"""Banks with a line of their own; the rest is one."""
REST = "other"
_PLAIN = re.compile(r"[^\W\d_][^\W\d_ &.'-]*([ &.'-]+[^\W\d_]+){0,5}")
"""A bank's name by its letters; what holds a digit might be an account in the wrong column."""
_QUERY = "fraud-by-bank-and-hour"
_PLACE = re.compile(r"-- WHERE dt BETWEEN .*")


def fraud_by_bank(engine: QueryEngine, newest: date, *, local: bool) -> str:
    """Markdown with a plot per bank over the 24 full hours before the newest of that day; empty without rows.

    Raises:
        StoreUnavailable: the engine or what it reads does not answer.
        ConfigurationError: it refuses us.
    """
    since = (newest - timedelta(days=1)).isoformat()
    sql = _PLACE.sub(f"WHERE dt BETWEEN '{since}' AND '{newest.isoformat()}'", ready.text(_QUERY, local=local))
    return pictures(engine.ask(sql).rows)


def pictures(rows: Iterable[Mapping[str, Any]]) -> str:
    """The plots of `sender_bank`, `dt`, `hr`, `transactions`; the bank with most fraud first.

    The newest hour goes on, so a line that ended with it would always fall; it is shown while there is no other.
    """
    by_bank: dict[str, Counter[datetime]] = defaultdict(Counter)
    for row in rows:
        by_bank[_name(row["sender_bank"])][_hour(row)] += int(row["transactions"])
    if not by_bank:
        return ""
    newest = max(max(hours) for hours in by_bank.values())
    has_full = any(newest - timedelta(hours=HOURS) <= hour < newest for hours in by_bank.values() for hour in hours)
    last = newest - timedelta(hours=1) if has_full else newest
    shown = [last - timedelta(hours=back) for back in range(HOURS - 1, -1, -1)]
    counted = {bank: [hours[hour] for hour in shown] for bank, hours in by_bank.items()}
    lines = _largest({bank: counts for bank, counts in counted.items() if any(counts)})
    return "\n\n".join(plot(f"{bank}, an hour", [float(count) for count in counts]) for bank, counts in lines)


def _largest(lines: Mapping[str, list[int]]) -> list[tuple[str, list[int]]]:
    known = sorted((bank for bank in lines if bank != REST), key=lambda bank: (-sum(lines[bank]), bank))
    rest = [lines[bank] for bank in known[BANKS:]] + [lines[bank] for bank in lines if bank == REST]
    summed = [sum(counts) for counts in zip(*rest, strict=True)]
    return [(bank, lines[bank]) for bank in known[:BANKS]] + ([(REST, summed)] if any(summed) else [])


def _name(bank: Any) -> str:
    return bank if isinstance(bank, str) and len(bank) <= 40 and _PLAIN.fullmatch(bank) else REST  # noqa: PLR2004


def _hour(row: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(f"{row['dt']}T{int(row['hr']):02d}:00").replace(tzinfo=UTC)
