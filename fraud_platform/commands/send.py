"""`fraud-platform send FILE`: JSON lines -> bank-transactions, CSV -> transaction.input, `--labels` -> labels."""

import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from fraud_platform.adapters.producer import InputProducer
from fraud_platform.commands.send_lines import Kind, Lines, Message, kind_of
from fraud_platform.commands.send_sorted import in_order
from fraud_platform.core.outcome import Rejected
from fraud_platform.errors import BrokerUnavailable, ConfigurationError
from fraud_platform.settings import Settings

STDIN = "-"
DELIVERY_TIMEOUT_S = 30.0
ANSWER_TIMEOUT_S = 10.0
INTERRUPTED_FLUSH_S = 4.0
INTERRUPTED = 130
_SHOW_EVERY = 200


@dataclass(slots=True)
class Tally:
    """Lines that were sent and lines that were refused; `noun` is what one of them is called."""

    noun: str
    sent: int = 0
    refused: int = 0

    def __str__(self) -> str:
        sent = f"{self.sent:,} {self.noun if self.sent == 1 else f'{self.noun}s'} sent"
        if not self.refused:
            return sent
        return f"{sent}, {self.refused:,} {'line' if self.refused == 1 else 'lines'} not sent"


def send(settings: Settings, path: str, console: Console, *, labels: bool = False, sort: bool = False) -> int:
    """Send each good line of `path` (`-` = standard input), list the others, then return 1.

    Without a bad line it returns 0; empty lines are skipped. A line is good when no stage would dead-letter it.

    Args:
        settings: where Kafka is.
        path: the file; its ending tells what it holds, see `send_lines.kind_of`.
        console: where progress and bad lines are shown.
        labels: the file holds labels.
        sort: send in the order of event time; nothing is sent before all is read.

    Raises:
        ConfigurationError: no such file, an empty one, a wrong header, no such topic, or no room to sort.
        BrokerUnavailable: Kafka does not answer, or left records unconfirmed.
    """
    kind = kind_of(path, labels=labels)
    with _opened(path, kind) as source:
        counted = _Counted(source)
        lines = _read(kind, counted, path)
        producer = InputProducer(settings, delivery_timeout_s=DELIVERY_TIMEOUT_S)
        producer.require_topics([kind.topic], ANSWER_TIMEOUT_S)
        tally = Tally(kind.noun)
        try:
            _send_all(lines, counted, _Sender(producer, kind, tally), console, sort=sort)
        except KeyboardInterrupt:
            producer.close(INTERRUPTED_FLUSH_S)
            _check_confirmed(producer, tally)
            console.print(f"Interrupted: {tally}", markup=False, highlight=False)
            return INTERRUPTED
        producer.close(DELIVERY_TIMEOUT_S)
        _check_confirmed(producer, tally)
    if not tally.sent and not tally.refused:
        raise ConfigurationError(f"{_name(path)} is empty: {kind.expected} is expected.")
    console.print(str(tally), markup=False, highlight=False)
    return 1 if tally.refused else 0


@contextmanager
def _opened(path: str, kind: Kind) -> Iterator[BinaryIO]:
    if path == STDIN:
        yield sys.stdin.buffer
        return
    try:
        source = Path(path).open("rb")  # noqa: SIM115 - closed below; the errors of opening are ours to word
    except IsADirectoryError:
        raise ConfigurationError(f"{path} is a folder; name a file with {kind.expected}.") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {(error.strerror or 'unknown error').lower()}.") from None
    with source:
        yield source


class _Counted:
    """The lines of a file, and how many bytes of them have been read."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self.read = 0
        found = os.fstat(source.fileno())
        self.size = found.st_size if stat.S_ISREG(found.st_mode) else None

    def __iter__(self) -> Iterator[bytes]:
        for line in self._source:
            self.read += len(line)
            yield line


def _read(kind: Kind, lines: Iterable[bytes], path: str) -> Lines:
    try:
        return kind.read(lines)
    except ConfigurationError as error:
        raise ConfigurationError(f"{_name(path)}: {error}") from None


@dataclass(frozen=True, slots=True)
class _Sender:
    producer: InputProducer
    kind: Kind
    tally: Tally

    def send(self, message: Message) -> None:
        self.producer.send(self.kind.topic, message.key, message.value)
        self.tally.sent += 1


def _send_all(lines: Lines, counted: _Counted, sender: _Sender, console: Console, *, sort: bool) -> None:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    tally = sender.tally
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("reading" if sort else "sending", total=counted.size)

        def good() -> Iterator[Message]:
            for at, (number, found) in enumerate(lines, start=1):
                if at % _SHOW_EVERY == 0:
                    progress.update(task, completed=counted.read)
                if not isinstance(found, Rejected):
                    yield found
                    continue
                tally.refused += 1
                progress.console.print(f"line {number}: {found.reason}", markup=False, highlight=False)

        for message in in_order(good()) if sort else good():
            sender.send(message)
            if tally.sent % _SHOW_EVERY == 0:
                sender.producer.poll(0)
                progress.update(task, description=f"{tally.sent:,} sent")


def _check_confirmed(producer: InputProducer, tally: Tally) -> None:
    failed = producer.failed.total()
    if failed:
        raise BrokerUnavailable(
            f"Kafka did not confirm {failed} of {tally.sent} {tally.noun}s; send the file again when it is "
            "back, repeated ids are recognised."
        )


def _name(path: str) -> str:
    return "Standard input" if path == STDIN else path
