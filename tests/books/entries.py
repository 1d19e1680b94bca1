"""Lines of a ledger, one keyword away from the case at hand."""

from datetime import UTC, datetime, timedelta

from fraud_platform.books.page import Line
from fraud_platform.core.ledger import Entry, InputRange
from fraud_platform.topology import Topic

START = datetime(2026, 1, 1, tzinfo=UTC)


def entry(
    stage: str = "projection", topic: str = Topic.FRAUDULENT, *, start: int = 0, end: int = 0, count: int | None = None,
    partition: int = 0, minutes: float = 0, **outcomes: int,
) -> Entry:  # fmt: skip
    """An entry `minutes` after START; outcome names with `__` for the dot; the default is one accepted outcome."""
    count = end - start if count is None else count
    named = {name.replace("__", "."): number for name, number in outcomes.items()}
    default = {"accepted.projected": count} if stage == "projection" else {"stored": count}
    inputs = (InputRange(topic, partition, start, end, count),)
    return Entry(stage, "0", "run", "1", START + timedelta(minutes=minutes), inputs, named or default)


def lines(*entries: Entry, at: int = 0, partition: int = 0) -> list[Line]:
    """Entries as lines of one ledger partition, a marker after each, from offset `at` on."""
    return [Line(partition, at + 2 * number, each.committed_at, each) for number, each in enumerate(entries)]
