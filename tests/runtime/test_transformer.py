"""The consume-decide-commit handler over the fake broker."""

import pytest

from fraud_platform.core import ledger
from fraud_platform.core.log import Partition
from fraud_platform.errors import BrokerUnavailable, ConfigurationError
from fraud_platform.runtime.handler import Transformer
from fraud_platform.topology import MIB
from tests.fakes.clock import FakeClock
from tests.fakes.log import FakeBroker, FakeLog
from tests.runtime import rig


def transformer(log: FakeLog, clock: FakeClock | None = None, decide=rig.echo, *, streams=False) -> Transformer:
    handler = Transformer(log, rig.scribe(), decide, clock=clock or FakeClock(), streams=streams)
    log.poll(0)
    handler.reset()
    return handler


def test_each_record_is_written_once_and_its_offset_committed() -> None:
    broker = rig.broker()
    for number in range(3):
        broker.append("in", 0, b"%d" % number)
    log = rig.open_log(broker)
    handler = transformer(log)
    handler.handle(log.poll(0))
    assert rig.values(broker) == [b"0", b"1", b"2"]
    assert broker.offsets["g"][Partition("in", 0)].offset == 3


def test_a_rejected_record_becomes_a_dead_letter_with_its_bytes_and_its_reason() -> None:
    broker = rig.broker()
    broker.append("in", 1, b"bad one", key=b"k", at_ms=7)
    log = rig.open_log(broker)
    transformer(log).handle(log.poll(0))
    (letter,) = broker.records(rig.DEAD)
    assert (letter.value, letter.key) == (b"bad one", b"k")


def test_a_dead_letter_says_where_it_came_from_and_why() -> None:
    record = rig.broker()
    record.append("in", 1, b"bad one", at_ms=7)
    from fraud_platform.core.outcome import Rejected

    letter = rig.scribe().dead_letter(record.records("in")[0], Rejected("schema", "no id"))
    assert dict(letter.headers) == {
        "stage": b"projection",
        "topic": b"in",
        "partition": b"1",
        "offset": b"0",
        "timestamp": b"7",
        "error_type": b"schema",
        "reason": b"no id",
    }


def test_the_neighbours_of_a_bad_record_pass() -> None:
    broker = rig.broker()
    for value in (b"a", b"bad", b"b"):
        broker.append("in", 0, value)
    log = rig.open_log(broker)
    transformer(log).handle(log.poll(0))
    assert rig.values(broker) == [b"a", b"b"]


def test_every_commit_carries_a_balanced_ledger_entry() -> None:
    broker = rig.broker()
    for value in (b"a", b"bad", b"b"):
        broker.append("in", 0, value)
    log = rig.open_log(broker)
    transformer(log).handle(log.poll(0))
    assert ledger.faults(rig.entries(broker)) == []
    assert ledger.outcomes(rig.entries(broker)) == {"accepted.projected": 2, "dead-lettered": 1}


def test_a_first_start_commits_the_beginning_even_without_records() -> None:
    broker, clock = rig.broker(), FakeClock()
    log = rig.open_log(broker)
    handler = transformer(log, clock)
    clock.advance(1.0)
    handler.handle(log.poll(0))
    assert {p.number: at.offset for p, at in broker.offsets["g"].items()} == {0: 0, 1: 0}


def test_progress_past_markers_is_committed_at_most_once_a_second() -> None:
    broker, clock = rig.broker(), FakeClock()
    log = rig.open_log(broker)
    handler = transformer(log, clock)
    handler.flush()
    before = len(rig.entries(broker))
    broker.partitions[Partition("in", 0)].append(None)
    handler.handle(log.poll(0))
    assert len(rig.entries(broker)) == before
    clock.advance(1.0)
    handler.handle(log.poll(0))
    (entry,) = rig.entries(broker)[before:]
    assert [(i.start, i.end, i.count) for i in entry.inputs] == [(0, 1, 0)]


def test_an_idle_stage_commits_nothing() -> None:
    broker, clock = rig.broker(), FakeClock()
    log = rig.open_log(broker)
    handler = transformer(log, clock)
    handler.flush()
    before = len(rig.entries(broker))
    clock.advance(60.0)
    handler.handle(log.poll(0))
    assert len(rig.entries(broker)) == before


def test_an_output_that_the_broker_refuses_becomes_a_dead_letter_of_its_record_alone() -> None:
    broker = rig.broker()
    broker.max_value_bytes = 200_000
    for value in (b"a", b"x" * 150_000, b"b"):
        broker.append("in", 0, value)
    log = rig.open_log(broker)

    def doubling(records):
        return [
            rig.Outcome(o.name, tuple(rig.Outgoing(w.topic, w.key, (w.value or b"") * 2, 0) for w in o.outputs))
            for o in rig.echo(records)
        ]

    transformer(log, decide=doubling).handle(log.poll(0))
    assert rig.values(broker) == [b"aa", b"bb"]
    assert [len(r.value or b"") for r in broker.records(rig.DEAD)] == [150_000]


def test_a_dead_letter_that_the_broker_refuses_stops_the_stage_with_the_way_out() -> None:
    """It used to be tried for ever; the record stays where it is."""
    broker = rig.broker()
    broker.max_value_bytes = 200_000
    broker.append("in", 0, b"bad" * 100_000)
    log = rig.open_log(broker)
    with pytest.raises(ConfigurationError, match=r"dead-letters.*max\.message\.bytes"):
        transformer(log).handle(log.poll(0))
    assert broker.offsets["g"] == {}


def test_of_a_large_record_a_dead_letter_holds_the_beginning() -> None:
    broker = rig.broker()
    broker.max_value_bytes = 100 * MIB
    broker.append("in", 0, b"bad" + b"x" * 20 * MIB, key=b"k" * 2 * MIB)
    log = rig.open_log(broker)
    transformer(log).handle(log.poll(0))
    (letter,) = broker.records(rig.DEAD)
    assert letter.value == b"bad" + b"x" * (8 * MIB - 3)
    assert letter.key == b"k" * (MIB // 2)


def test_a_commit_whose_reply_is_lost_is_not_repeated() -> None:
    broker = rig.broker()
    broker.append("in", 0, b"a")
    log = rig.open_log(broker)
    handler = transformer(log)
    broker.fail_next_commit_after_it_happened = True
    try:
        handler.handle(log.poll(0))
    except BrokerUnavailable:
        log.recover()
        log.poll(0)
        handler.reset()
        handler.handle(log.poll(0))
    assert rig.values(broker) == [b"a"]


def test_totals_count_records_per_outcome() -> None:
    broker = FakeBroker({"in": 1, rig.OUT: 1, rig.LEDGER: 1, rig.DEAD: 1})
    for value in (b"a", b"bad", b"b"):
        broker.append("in", 0, value)
    log = rig.open_log(broker)
    handler = transformer(log)
    handler.handle(log.poll(0))
    assert handler.totals == {"accepted.projected": 2, "dead-lettered": 1}


def test_a_stage_that_streams_decides_part_by_part_and_commits_once() -> None:
    broker, parts = rig.broker(), []
    for number in range(1200):
        broker.append("in", 0, b"bad" if number == 700 else b"%04d" % number)
    log = rig.open_log(broker)

    def decide(records):
        parts.append(len(records))
        return rig.echo(records)

    transformer(log, decide=decide, streams=True).handle(log.poll(0))
    assert parts == [500, 500, 200]
    assert rig.values(broker) == [b"%04d" % number for number in range(1200) if number != 700]
    (entry,) = rig.entries(broker)
    assert entry.outcomes == {"accepted.projected": 1199, "dead-lettered": 1}


def test_what_the_broker_refuses_of_a_stage_that_streams_becomes_a_dead_letter_alone() -> None:
    broker = rig.broker()
    for number in range(600):
        broker.append("in", 0, b"x" * 3000 if number == 550 else b"%04d" % number)
    log = rig.open_log(broker)
    handler = transformer(log, streams=True)
    broker.refuses = lambda o: o.topic == rig.OUT and len(o.value or b"") > 2000  # type: ignore[method-assign]
    handler.handle(log.poll(0))
    assert len(rig.values(broker)) == 599
    (letter,) = broker.records(rig.DEAD)
    assert letter.value == b"x" * 3000
    assert handler.totals == {"accepted.projected": 599, "dead-lettered": 1}
