"""What must become of statement lines, by the published contract and the default rules, and whether it has."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from tests.failure.plain import Row

NEAR = timedelta(seconds=10)


class Lot(StrEnum):
    """What monitoring makes of a record of transaction.input."""

    REJECTED = "no statement line"
    AWAY = "sent again to where its account belongs"
    REPEATED = "a statement line once more"
    HIT = "a statement line that a rule hit"
    CLEAR = "a statement line that no rule hit"


@dataclass(frozen=True)
class Judged:
    """A record of transaction.input and its lot."""

    row: Row
    lot: Lot
    name: str = ""
    key: bytes = b""
    action: str = "ALLOW"
    criteria: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Line:
    name: str
    key: bytes
    at: datetime
    amount: Decimal
    sector: str


def canonical(account: str, bank: str) -> bytes:
    """The key of an account's lines, to the byte."""
    return f'{{"accountNumber":"{account}","bankId":"{bank}"}}'.encode()


def judge(rows: Sequence[Row]) -> list[Judged]:
    """The lot of each record; `rows` by position, so that each account's are in the order in which they count."""
    parsed = [_parsed(row.value) for row in rows]
    home = {line.key: row.partition for row, line in zip(rows, parsed, strict=True) if line and row.key == line.key}
    accepted: dict[bytes, dict[str, datetime]] = {}
    found = []
    for row, line in zip(rows, parsed, strict=True):
        if line is None:
            found.append(Judged(row, Lot.REJECTED))
        elif home.get(line.key) != row.partition:
            found.append(Judged(row, Lot.AWAY, line.name, line.key))
        else:
            found.append(_judged(row, line, accepted.setdefault(line.key, {})))
    return found


def _parsed(value: bytes | None) -> _Line | None:
    try:
        said = json.loads(value or b"")
        at = datetime.fromisoformat(said["transactionTimestamp"].strip()).replace(tzinfo=UTC)
        amount = Decimal(said["withdrawalAmount"].replace(",", ""))
        key = canonical(said["accountNumber"], said["bankId"])
        return _Line(said["transactionId"], key, at, amount, said["transactionSector"])
    except (ValueError, KeyError):
        return None


def _judged(row: Row, line: _Line, before: dict[str, datetime]) -> Judged:
    if line.name in before:
        return Judged(row, Lot.REPEATED, line.name, line.key)
    actions = {
        "HIGH_TRANSACTION_AMOUNT": "REVIEW" if line.amount >= 10_000 else "",
        "SMALL_INTERVAL": "REVIEW" if any(abs(at - line.at) < NEAR for at in before.values()) else "",
        "SPECIFIC_SECTOR": "BLOCK" if line.sector == "Other" else "",
    }
    before[line.name] = line.at
    hits = tuple(name for name, action in actions.items() if action)
    action = min((action for action in actions.values() if action), default="ALLOW")  # BLOCK comes before REVIEW
    return Judged(row, Lot.HIT if hits else Lot.CLEAR, line.name, line.key, action, hits)


def decisions(lines: Iterable[Judged]) -> list[str]:
    """One for each line that was judged."""
    judged = (line for line in lines if line.lot in (Lot.HIT, Lot.CLEAR))
    return [f"{line.name} of {line.row.timestamp_ms}: {line.action}" for line in judged]


def hits(lines: Iterable[Judged]) -> list[str]:
    """One for each line that a rule hit."""
    found = (line for line in lines if line.lot is Lot.HIT)
    return [f"{line.name} of {line.row.timestamp_ms}: {line.action} by {', '.join(line.criteria)}" for line in found]


def not_sent_again(lines: Sequence[Judged]) -> Iterator[str]:
    """Records that lie where their account does not belong, and are not there either under its key and their time."""
    away = Counter((line.name, line.key, line.row.timestamp_ms) for line in lines if line.lot is Lot.AWAY)
    there = Counter((line.name, line.row.key, line.row.timestamp_ms) for line in lines if line.lot is not Lot.AWAY)
    for (name, key, at), count in (away - there).items():
        yield f"{name} of {at} is missing {count} times under {key.decode()}"
