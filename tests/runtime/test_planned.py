"""Planned ranges: every way to die between plan, write and commit ends with the same stored bytes."""

from collections.abc import Callable

import pytest

from fraud_platform.core import ledger
from fraud_platform.core.log import Partition, Position
from fraud_platform.core.outcome import Outcome, Rejected
from fraud_platform.errors import ConfigurationError, StoreUnavailable
from fraud_platform.runtime.planned import PlannedSink, Range, RangeWriter, plan_metadata, planned_end
from fraud_platform.runtime.scribe import dead
from tests.fakes.clock import FakeClock
from tests.fakes.log import FakeBroker, FakeLog
from tests.runtime import rig

P0 = Partition("in", 0)


class Store(RangeWriter):
    """Objects by (partition, start), as an object store keeps them; the last write wins."""

    def __init__(self) -> None:
        self.objects: dict[tuple[int, int], list[bytes | None]] = {}
        self.writes: list[Range] = []
        self.before_write: Callable[[Range], None] = lambda planned: None

    def write(self, planned: Range) -> list[Outcome]:
        self.before_write(planned)
        self.writes.append(planned)
        self.objects[planned.partition.number, planned.start] = [r.value for r in planned.records]
        return [
            dead(Rejected("schema", "bad")) if (r.value or b"").startswith(b"bad") else Outcome("stored")
            for r in planned.records
        ]

    @property
    def values(self) -> list[bytes | None]:
        return sorted((value for rows in self.objects.values() for value in rows), key=str)


def sink(log: FakeLog, store: Store, clock: FakeClock, *, flush_bytes: int = 1000) -> PlannedSink:
    handler = PlannedSink(log, rig.scribe(), store, clock=clock, flush_seconds=10, flush_bytes=flush_bytes)
    log.poll(0)
    handler.reset()
    return handler


def fill(broker: FakeBroker, *values: bytes) -> None:
    for value in values:
        broker.append("in", 0, value)


def test_a_batch_stays_open_until_its_time_is_over() -> None:
    broker, store, clock = rig.broker(), Store(), FakeClock()
    fill(broker, b"a", b"b")
    log = rig.open_log(broker)
    handler = sink(log, store, clock)
    handler.handle(log.poll(0))
    assert store.objects == {}
    clock.advance(10)
    handler.handle(log.poll(0))
    assert store.objects == {(0, 0): [b"a", b"b"]}


def test_a_large_batch_closes_at_once() -> None:
    broker, store = rig.broker(), Store()
    fill(broker, b"x" * 600, b"y" * 600)
    log = rig.open_log(broker)
    sink(log, store, FakeClock()).handle(log.poll(0))
    assert list(store.objects) == [(0, 0)]


def test_the_end_is_planned_before_anything_is_written() -> None:
    broker, store = rig.broker(), Store()
    fill(broker, b"a", b"b")
    log = rig.open_log(broker)
    handler = sink(log, store, FakeClock())
    seen: list[Position] = []
    store.before_write = lambda planned: seen.append(broker.offsets["g"][planned.partition])
    handler.handle(log.poll(0))
    handler.flush()
    assert seen == [Position(0, plan_metadata(2))]
    assert broker.offsets["g"][P0] == Position(2)


def test_the_next_owner_replays_exactly_the_planned_range_though_more_has_come() -> None:
    broker, clock = rig.broker(), FakeClock()
    fill(broker, b"a", b"b")
    dying = Store()

    def die(planned: Range) -> None:
        raise StoreUnavailable("gone")

    dying.before_write = die
    log = rig.open_log(broker)
    handler = sink(log, dying, clock)
    handler.handle(log.poll(0))
    with pytest.raises(StoreUnavailable):
        handler.flush()
    log.close()
    fill(broker, b"c", b"d")
    store = Store()
    heir = rig.open_log(broker)
    handler = sink(heir, store, clock)
    handler.handle(heir.poll(0))
    assert store.objects == {(0, 0): [b"a", b"b"]}
    handler.flush()
    assert store.objects == {(0, 0): [b"a", b"b"], (0, 2): [b"c", b"d"]}


def test_a_late_write_of_a_fenced_owner_carries_the_same_bytes() -> None:
    broker, clock, store = rig.broker(), FakeClock(), Store()
    fill(broker, b"a", b"b")
    zombie = rig.open_log(broker)
    stuck = sink(zombie, store, clock)
    late: list[Range] = []
    stuck.handle(zombie.poll(0))

    def stop(planned: Range) -> None:
        late.append(planned)
        raise StoreUnavailable("stopped between plan and write")

    store.before_write = stop
    with pytest.raises(StoreUnavailable):
        stuck.flush()
    store.before_write = lambda planned: None
    fill(broker, b"c")
    heir = rig.open_log(broker)
    handler = sink(heir, store, clock)
    handler.handle(heir.poll(0))
    handler.flush()
    before = dict(store.objects)
    store.write(late[0])
    assert store.objects == before
    assert store.values == [b"a", b"b", b"c"]


def test_dying_between_write_and_commit_repeats_the_same_object() -> None:
    broker, clock, store = rig.broker(), FakeClock(), Store()
    fill(broker, b"a", b"b")
    log = rig.open_log(broker)
    handler = sink(log, store, clock)
    handler.handle(log.poll(0))
    handler._plan([handler._buffers[P0].range(P0, 2)])
    store.write(handler._buffers[P0].range(P0, 2))
    log.close()
    heir = rig.open_log(broker)
    again = sink(heir, store, clock)
    again.handle(heir.poll(0))
    assert store.values == [b"a", b"b"]
    assert broker.offsets["g"][P0] == Position(2)


def test_a_lost_assignment_forgets_what_was_not_committed() -> None:
    broker, clock, store = rig.broker(), FakeClock(), Store()
    fill(broker, b"a")
    log = rig.open_log(broker)
    handler = sink(log, store, clock)
    handler.handle(log.poll(0))
    log.recover()
    log.poll(0)
    handler.reset()
    handler.handle(log.poll(0))
    handler.flush()
    assert store.values == [b"a"]


def test_rejected_rows_become_dead_letters_with_the_commit_of_their_range() -> None:
    broker, store = rig.broker(), Store()
    fill(broker, b"a", b"bad")
    log = rig.open_log(broker)
    handler = sink(log, store, FakeClock())
    handler.handle(log.poll(0))
    handler.flush()
    assert rig.values(broker, rig.DEAD) == [b"bad"]
    assert ledger.outcomes(rig.entries(broker)) == {"stored": 1, "dead-lettered": 1}


def test_ledger_ranges_stay_contiguous_through_plans_and_commits() -> None:
    broker, store = rig.broker(), Store()
    log = rig.open_log(broker)
    handler = sink(log, store, FakeClock())
    for value in (b"a", b"b", b"c"):
        fill(broker, value)
        handler.handle(log.poll(0))
        handler.flush()
    assert ledger.faults(rig.entries(broker)) == []


def test_a_range_of_markers_alone_writes_no_object() -> None:
    broker, store, clock = rig.broker(), Store(), FakeClock()
    broker.partitions[P0].append(None)
    log = rig.open_log(broker)
    handler = sink(log, store, clock)
    handler.handle(log.poll(0))
    handler.flush()
    assert store.objects == {}
    assert broker.offsets["g"][P0] == Position(1)


def test_a_plan_is_read_back_from_its_metadata() -> None:
    assert planned_end(plan_metadata(42)) == 42
    assert planned_end("") is None


def test_a_dead_letter_that_the_broker_refuses_stops_the_sink_with_the_way_out() -> None:
    broker, store, clock = rig.broker(), Store(), FakeClock()
    broker.max_value_bytes = 1_000
    fill(broker, b"a", b"bad" * 1_000)
    log = rig.open_log(broker)
    handler = sink(log, store, clock)
    with pytest.raises(ConfigurationError, match=r"max\.message\.bytes"):
        handler.handle(log.poll(0))
    assert log.committed[P0].offset == 0
