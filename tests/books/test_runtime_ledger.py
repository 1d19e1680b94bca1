"""The ledger that the runtime really writes, over the fake broker: the books find no fault in it, whatever dies."""

import random
from collections.abc import Callable

import msgspec
import pytest

from fraud_platform.books.page import Line, Page
from fraud_platform.books.tally import Tally
from fraud_platform.core.log import Partition
from fraud_platform.core.outcome import Outcome
from fraud_platform.errors import BrokerUnavailable
from fraud_platform.runtime.handler import Handler, Transformer
from fraud_platform.runtime.planned import PlannedSink, Range, RangeWriter
from fraud_platform.topology import Topic
from tests.books.entries import START
from tests.fakes.clock import FakeClock
from tests.fakes.log import FakeBroker, FakeLog
from tests.runtime import rig


class Writer(RangeWriter):
    def write(self, planned: Range) -> list[Outcome]:
        return [Outcome("accepted.projected") for _ in planned.records]


def handler(log: FakeLog, kind: str, clock: FakeClock) -> Handler:
    if kind == "planned":
        return PlannedSink(log, rig.scribe(log.slot), Writer(), clock=clock, flush_seconds=2, flush_bytes=10**6)
    return Transformer(log, rig.scribe(log.slot), rig.echo, clock=clock)


def faults(broker: FakeBroker) -> list[str]:
    """What the books say of the ledger, and of offsets that it does not explain."""
    lines = []
    for record, entry in zip(broker.records(rig.LEDGER), rig.entries(broker), strict=True):
        inputs = tuple(msgspec.structs.replace(i, topic=Topic.FRAUDULENT.value) for i in entry.inputs)
        lines.append(Line(0, record.offset, START, msgspec.structs.replace(entry, inputs=inputs)))
    tally = Tally(Page(0, 0, 0), lambda _: None)
    tally.add(lines)
    page, leaves = tally.finish()
    ends = {chain.partition: chain.end for chain in page.chains}
    committed = {p.number: position.offset for p, position in broker.offsets["g"].items()}
    found = [fault.sentence() for leaf in leaves for fault in leaf.faults]
    return found + ([] if ends == committed else [f"{ends} is not {committed}"])


class Run:
    """Up to two slots over the fake broker; each step is followed by a turn of each slot."""

    def __init__(self, kind: str) -> None:
        self.broker, self.clock, self.kind = rig.broker(), FakeClock(), kind
        self.slots: dict[str, tuple[FakeLog, Handler]] = {}
        self.generations: dict[str, int] = {}
        self.sent = 0
        self.start("0")

    def start(self, slot: str) -> None:
        """A new process takes the slot, from one that is still there too."""
        if slot in self.slots:
            self.slots[slot][1].close()
        log = rig.open_log(self.broker, slot)
        self.slots[slot] = (log, handler(log, self.kind, self.clock))
        self.generations[slot] = -1

    def leave(self, slot: str) -> None:
        if slot in self.slots:
            log, own = self.slots.pop(slot)
            own.close()
            log.close()

    def turn(self, slot: str) -> None:
        log, own = self.slots[slot]
        try:
            batch = log.poll(0)
            if log.generation != self.generations[slot]:
                self.generations[slot] = log.generation
                own.reset()
            own.handle(batch)
        except BrokerUnavailable:
            log.recover()

    def send(self) -> None:
        self.sent += 1
        self.broker.append("in", self.sent % 2, b"bad" if self.sent % 5 == 0 else b"good")

    def step(self, chance: random.Random) -> None:
        steps: list[Callable[[], object]] = [
            self.send,
            self.send,
            lambda: self.broker.partitions[Partition("in", 0)].append(None),
            lambda: self.clock.advance(2),
            lambda: self.start("0"),
            lambda: self.start("1"),
            lambda: self.leave("1"),
            lambda: setattr(self.broker, "fail_next_commit_after_it_happened", True),
        ]
        chance.choice(steps)()
        for slot in list(self.slots):
            self.turn(slot)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("kind", ["transformer", "planned"])
def test_the_books_find_no_fault_in_what_the_runtime_writes(kind: str, seed: int) -> None:
    """Slots die, join, leave and lose replies; every offset that the group has is told by an entry."""
    run, chance = Run(kind), random.Random(seed)
    for _ in range(60):
        run.step(chance)
    for slot in list(run.slots):
        run.leave(slot)
    assert rig.entries(run.broker)
    assert faults(run.broker) == []
