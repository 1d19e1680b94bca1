"""`fraud-platform send FILE.jsonl`: JSON lines -> bank-transactions."""

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from fraud_platform.adapters.producer import InputProducer
from fraud_platform.core.outcome import Rejected
from fraud_platform.core.transaction import parse_transaction
from fraud_platform.errors import BrokerUnavailable, ConfigurationError
from fraud_platform.settings import Settings
from fraud_platform.topology import Topic

STDIN = "-"
DELIVERY_TIMEOUT_S = 30.0
ANSWER_TIMEOUT_S = 10.0
INTERRUPTED_FLUSH_S = 4.0
INTERRUPTED = 130
_SHOW_EVERY = 200
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(slots=True)
class Tally:
    """Lines that were sent and lines that were refused."""

    sent: int = 0
    refused: int = 0


def send(settings: Settings, path: str, console: Console) -> int:
    """Send each good line of `path` (`-` = standard input) as it is, list the others, then return 1.

    Without a bad line it returns 0; blank lines are skipped. A line is good when ingestion would
    accept or discard it, not dead-letter it.

    Raises:
        ConfigurationError: no such file, an empty one, CSV, or no such topic.
        BrokerUnavailable: Kafka does not answer, or left records unconfirmed.
    """
    with _opened(path) as source:
        producer = InputProducer(settings, delivery_timeout_s=DELIVERY_TIMEOUT_S)
        producer.require_topics([Topic.BANK_TRANSACTIONS], ANSWER_TIMEOUT_S)
        tally = Tally()
        try:
            _send_lines(source, producer, tally, console)
        except KeyboardInterrupt:
            producer.close(INTERRUPTED_FLUSH_S)
            _check_confirmed(producer, tally)
            console.print(f"Interrupted: {_summary(tally)}", markup=False, highlight=False)
            return INTERRUPTED
        producer.close(DELIVERY_TIMEOUT_S)
        _check_confirmed(producer, tally)
    if not tally.sent and not tally.refused:
        raise ConfigurationError(f"{_name(path)} is empty: one JSON transaction per line is expected.")
    console.print(_summary(tally), markup=False, highlight=False)
    return 1 if tally.refused else 0


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    if path == STDIN:
        yield sys.stdin.buffer
        return
    if path.lower().endswith(".csv"):
        raise ConfigurationError("CSV files are not supported yet; send JSON lines (FILE.jsonl) instead.")
    try:
        source = Path(path).open("rb")  # noqa: SIM115 - closed below; the errors of opening are ours to word
    except IsADirectoryError:
        raise ConfigurationError(f"{path} is a folder; name a file of JSON lines.") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {(error.strerror or 'unknown error').lower()}.") from None
    with source:
        yield source


def _send_lines(source: BinaryIO, producer: InputProducer, tally: Tally, console: Console) -> None:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("sending", total=_size(source))
        done = 0
        for number, line in enumerate(source, start=1):
            done += len(line)
            _send_line(number, line, producer, tally, progress.console)
            if number % _SHOW_EVERY == 0:
                producer.poll(0)
                progress.update(task, completed=done, description=f"{tally.sent:,} sent")


def _send_line(number: int, line: bytes, producer: InputProducer, tally: Tally, console: Console) -> None:
    if number == 1:
        line = line.removeprefix(_BYTE_ORDER_MARK)
    line = line.rstrip(b"\r\n")
    if not line.strip():
        return
    parsed = parse_transaction(line)
    if isinstance(parsed, Rejected):
        tally.refused += 1
        console.print(f"line {number}: {parsed.reason}", markup=False, highlight=False)
        return
    producer.send(Topic.BANK_TRANSACTIONS, str(parsed.sender_bank_account).encode(), line)
    tally.sent += 1


def _size(source: BinaryIO) -> int | None:
    found = os.fstat(source.fileno())
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _check_confirmed(producer: InputProducer, tally: Tally) -> None:
    failed = producer.failed.total()
    if failed:
        raise BrokerUnavailable(
            f"Kafka did not confirm {failed} of {tally.sent} transactions; send the file again when it is "
            "back, repeated ids are recognised."
        )


def _summary(tally: Tally) -> str:
    sent = f"{tally.sent:,} {'transaction' if tally.sent == 1 else 'transactions'} sent"
    if not tally.refused:
        return sent
    return f"{sent}, {tally.refused:,} {'line' if tally.refused == 1 else 'lines'} not sent"


def _name(path: str) -> str:
    return "Standard input" if path == STDIN else path
