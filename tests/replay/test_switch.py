"""Monitoring decides while rule sets come and go; the replay of its log decides the same. Both over no broker."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import murmur2

from fraud_platform.core.log import Partition
from fraud_platform.core.outcome import Record
from fraud_platform.replay.book import Book
from fraud_platform.replay.cases import Lines
from fraud_platform.replay.compare import decision_of
from fraud_platform.replay.engines import Engines
from fraud_platform.replay.filling import PastLines
from fraud_platform.replay.memory import Memory
from fraud_platform.replay.session import Rules, Session
from fraud_platform.replay.tally import Tally
from fraud_platform.rules.history import History
from fraud_platform.rules.publication import Publication
from fraud_platform.topology import Topic
from tests.builders import NOON
from tests.fakes.rereader import FakeRereader
from tests.monitoring import rig
from tests.monitoring.rig import Slot, put
from tests.rules.publishing import published

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
HEAD = rig.RULES[: rig.RULES.index("  - {id: third")]


def windows(*hours: int) -> str:
    """The rules without a window, and one that counts for each of these."""
    return HEAD + "".join(
        f"  - {{id: w{h}, criterion: WINDOW_AGGREGATE, action: REVIEW,"
        f" parameters: {{function: COUNT, window: {h}h, at_least: 3}}}}\n"
        for h in hours
    )


class World:
    """A broker, one slot of monitoring, and every publication."""

    def __init__(self, seed: int, gap_minutes: float) -> None:
        self.broker = rig.broker()
        self.publications: list[Publication] = []
        self.engine = rig.engine(windows(24))
        self._draw = random.Random(seed)
        self._gap = gap_minutes
        self._count = 0
        self.publish(24)
        self.slot = Slot(self.broker, rules=lambda: self.engine).step(3)

    @property
    def minutes(self) -> float:
        return self._count * self._gap

    def publish(self, *hours: int) -> None:
        """Make the rule set with windows of so many hours active now; the slot gets time to switch."""
        at = START + timedelta(minutes=self.minutes)
        self.engine = rig.engine(windows(*hours), since=at)
        last = self.publications[-1] if self.publications else None
        self.publications.append(published(self.engine.rule_set, last, at=at))
        if last is not None:
            self.slot.step(12)

    def lines(self, count: int) -> None:
        """Some lines of a few accounts: in order, late and repeated."""
        for n in range(self._count, self._count + count):
            name = f"t-{self._draw.randrange(n)}" if n and self._draw.random() < 0.1 else f"t-{n}"
            minutes = n * self._gap
            put(
                self.broker, name, minutes - self._draw.choice([0, 0, 0.01, 90]), account=f"A{self._draw.randrange(4)}",
                at_ms=NOON + int(minutes * 60_000),
            )  # fmt: skip
            self._count += 1
        self.slot.step(6)

    def replayed(self, *, low: int = 0, fixed: bool = False) -> Tally:
        """What the replay of everything says, of a log that has lost what lay before the offset `low`.

        `fixed`: by the last rule set alone.
        """
        for number in range(rig.COUNT):
            self.broker.truncate(Partition(Topic.STATEMENTS, number), low)
        history = History(tuple(self.publications))
        engines = Engines(history, self.engine.rule_set if fixed else None)
        tally = Tally(is_other=fixed, excuses=fixed or low > 0)
        lines = Lines(Memory(() if low else range(rig.COUNT)), _place, self._past(engines))
        begins_ms = min(record.timestamp_ms for log in self._logs(low) for record in log)
        session = Session(
            lines, Rules(engines.fixed, engines.of, engines.at(begins_ms)), tally, Book(), look=lambda *_: None,
            hears_from_ms=begins_ms,
        )  # fmt: skip
        for record, row in zip(
            self.broker.records(Topic.DECISIONS), rig._values(self.broker, Topic.DECISIONS), strict=True
        ):
            session.hear(row["transaction_id"], record.timestamp_ms, decision_of(row))
        for log in self._logs(low):
            for record in log:
                session.take(record)
        session.close()
        session.finish()
        return tally

    def _past(self, engines: Engines) -> PastLines:
        return PastLines(FakeRereader(self.broker, Topic.STATEMENTS, per_read=7), _place, engines, lambda: False)

    def _logs(self, low: int) -> Sequence[Sequence[Record]]:
        logs = [self.broker.partitions[Partition(Topic.STATEMENTS, number)] for number in range(rig.COUNT)]
        return [[record for record in log[low:] if record is not None] for log in logs]


def _place(key: bytes) -> int:
    return int(murmur2(key, rig.COUNT))


STORIES = {
    "a new window": [(24,), (24, 6)],
    "all new windows": [(24,), (6, 3)],
    "windows go": [(24,), ()],
    "windows go and come back": [(24,), (6,), (24,)],
    "one stays while others change": [(24,), (24, 6), (24, 3), (6, 24)],
    "there and back twice": [(24,), (6,), (24,), (6,)],
}


def told(story: str, seed: int, gap_minutes: float) -> World:
    world = World(seed, gap_minutes)
    for number, hours in enumerate(STORIES[story]):
        if number:
            world.publish(*hours)
        world.lines(60)
    return world


@pytest.mark.parametrize("gap_minutes", [7, 200], ids=["hours", "weeks"])
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("story", STORIES)
def test_what_was_decided_across_switches_is_decided_again(story: str, seed: int, gap_minutes: float) -> None:
    world = told(story, seed, gap_minutes)
    found = world.replayed()
    decided = len(world.broker.records(Topic.DECISIONS))
    assert (found.different.examples, found.missing.examples, found.twice.count) == ([], [], 0)
    assert (found.identical, found.outcomes["judged"], found.outside) == (decided, decided, 0)
    assert len(found.stored_versions) == len({tuple(sorted(hours)) for hours in STORIES[story]})


@pytest.mark.parametrize(("gap_minutes", "alike"), [(7, 0), (200, 50)], ids=["hours", "weeks"])
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("story", STORIES)
def test_of_a_log_that_has_lost_its_beginning_nothing_differs_that_can_be_compared(
    story: str, seed: int, gap_minutes: float, alike: int
) -> None:
    found = told(story, seed, gap_minutes).replayed(low=25)
    assert (found.different.examples, found.missing.examples) == ([], [])
    assert found.identical >= alike


@pytest.mark.parametrize("low", [0, 25])
@pytest.mark.parametrize("story", STORIES)
def test_by_the_last_rules_alone_no_decision_of_theirs_differs(story: str, low: int) -> None:
    found = told(story, 1, 200).replayed(low=low, fixed=True)
    assert (found.different.examples, found.missing.examples) == ([], [])
    assert found.identical + found.changed.count + found.reworded.count >= (0 if low else 60)
