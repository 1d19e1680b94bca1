"""Lines of a few accounts in parts, and what became of them."""

import random

from fraud_platform.topology import Topic
from tests.fakes.log import FakeBroker
from tests.monitoring.rig import put

ACCOUNTS, LINES, CHUNK = 6, 120, 20


def lines(seed: int) -> list[tuple[str, float, str, str]]:
    """Lines of a few accounts: bursts, late ones, repetitions."""
    draw = random.Random(seed)
    found = []
    for n in range(LINES):
        name = f"t-{draw.randrange(n)}" if n and draw.random() < 0.1 else f"t-{n}"
        amount = str(draw.choice([5, 500, 10_000]))
        found.append((name, n * 0.05 - draw.choice([0, 0, 1, 600]), f"A{draw.randrange(ACCOUNTS)}", amount))
    return found


def feed(where: FakeBroker, some: list[tuple[str, float, str, str]]) -> None:
    for name, minutes, account, amount in some:
        put(where, name, minutes, account=account, withdrawalAmount=amount)


def parts(given: list[tuple[str, float, str, str]]) -> list[list[tuple[str, float, str, str]]]:
    return [given[start : start + CHUNK] for start in range(0, LINES, CHUNK)]


def written(where: FakeBroker) -> dict[Topic, list[tuple[bytes | None, bytes | None]]]:
    """Decisions and rows, whatever partition of the input came first."""
    topics = (Topic.DECISIONS, Topic.MONITORED)
    return {topic: sorted(((r.key, r.value) for r in where.records(topic)), key=str) for topic in topics}


def state_of(where: FakeBroker) -> dict[bytes | None, bytes | None]:
    """The newest record per account."""
    return {record.key: record.value for record in where.records(Topic.MONITORING_STATE)}
