"""What `fraud-platform send` takes: each kind of file, and how its lines become records."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from fraud_platform.core.csv_rows import csv_rows
from fraud_platform.core.label import COLUMNS as LABEL_COLUMNS
from fraud_platform.core.label import OPTIONAL as LABEL_OPTIONAL
from fraud_platform.core.label import Label, label_of, parse_label
from fraud_platform.core.label import to_json as label_to_json
from fraud_platform.core.outcome import Rejected
from fraud_platform.core.statement import canonical_key, time_fault, to_json
from fraud_platform.core.statement_csv import COLUMNS, in_columns, statement_of
from fraud_platform.core.transaction import parse_transaction
from fraud_platform.topology import Topic

LABEL_SOURCE = "file"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Message(NamedTuple):
    """A record to send; `at` is its event time, ISO 8601."""

    key: bytes
    value: bytes
    at: str


Lines = Iterator[tuple[int, Message | Rejected]]
"""Each line's number, from 1 on, with what it says or what is wrong with it; empty lines are left out."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file: where its lines go, what they are called, what it should hold, and how it is read.

    `read` raises ConfigurationError when the file cannot be of this kind, before the first line.
    """

    topic: Topic
    noun: str
    expected: str
    read: Callable[[Iterable[bytes]], Lines]


def kind_of(path: str, *, labels: bool) -> Kind:
    """The kind of the file by its name's ending; standard input is JSON lines."""
    is_csv = path.lower().endswith(".csv")
    if labels:
        return LABELS_CSV if is_csv else LABELS
    return STATEMENTS if is_csv else TRANSFERS


def _transfers(lines: Iterable[bytes]) -> Lines:
    for number, line in _json_lines(lines):
        found = parse_transaction(line)
        if isinstance(found, Rejected):
            yield number, found
        else:
            yield number, Message(str(found.sender_bank_account).encode(), line, found.transfer_date)


def _statements(lines: Iterable[bytes]) -> Lines:
    rows = csv_rows(lines, columns=tuple(COLUMNS))
    now_ms = int(datetime.now(UTC).timestamp() * 1000)

    def read() -> Lines:
        for number, row in rows:
            found = row if isinstance(row, Rejected) else statement_of(row)
            if isinstance(found, Rejected):
                yield number, found
            elif fault := time_fault(found, now_ms):
                yield number, in_columns(fault)
            else:
                yield (
                    number,
                    Message(canonical_key(found.account_number, found.bank_id), to_json(found), found.timestamp),
                )

    return read()


def _labels(lines: Iterable[bytes]) -> Lines:
    now = _now()
    for number, line in _json_lines(lines):
        yield number, _label(parse_label(line), now)


def _labels_csv(lines: Iterable[bytes]) -> Lines:
    rows = csv_rows(lines, columns=LABEL_COLUMNS, optional=LABEL_OPTIONAL)
    now = _now()
    return ((number, row if isinstance(row, Rejected) else _label(label_of(row), now)) for number, row in rows)


def _label(found: Label | Rejected, now: str) -> Message | Rejected:
    if isinstance(found, Rejected):
        return found
    at = found.labelled_at or now
    whole = msgspec.structs.replace(found, source=found.source or LABEL_SOURCE, labelled_at=at)
    return Message(found.transaction_id.encode(), label_to_json(whole), at)


def _json_lines(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(lines, start=1):
        text = (line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line).rstrip(b"\r\n")
        if text.strip():
            yield number, text


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


TRANSFERS = Kind(Topic.BANK_TRANSACTIONS, "transaction", "one JSON transaction per line", _transfers)
STATEMENTS = Kind(Topic.STATEMENTS, "statement line", "a header and one statement line per row", _statements)
LABELS = Kind(Topic.LABELS, "label", "one JSON label per line", _labels)
LABELS_CSV = Kind(Topic.LABELS, "label", "a header and one label per row", _labels_csv)
