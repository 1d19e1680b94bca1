"""What every `Log` promises: the fake of the fast tests and Kafka itself pass the same tests."""

import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest

from fraud_platform.core.log import Batch, Committed, Log, OutputRefused, Partition, Position
from fraud_platform.core.outcome import Outgoing
from fraud_platform.errors import BrokerUnavailable, Fenced
from fraud_platform.settings import Settings
from fraud_platform.topology import INGESTION, PROJECTION, Topic
from tests.fakes.log import FakeBroker, FakeLog

PATIENCE_S = 60


@dataclass
class Site:
    """One place where logs can be opened; `send` appends to partition 0 or 1 of the input."""

    open_log: Callable[[str], Log]
    open_reader: Callable[[], Log]
    send: Callable[[int, bytes], None]
    read_outputs: Callable[[], list[bytes]]
    input_topic: str
    output_topic: str

    def partition(self, number: int) -> Partition:
        return Partition(self.input_topic, number)


@pytest.fixture
def fake_site() -> Site:
    broker = FakeBroker({"in": 4, "out": 4})
    broker.oldest_ms = 1_700_000_000_000
    return Site(
        open_log=lambda slot: FakeLog(broker, group="g", slot=slot, reads=["in"]),
        open_reader=lambda: FakeLog(broker, group="readers", slot="0", reads=["out"]),
        send=lambda number, value: broker.append("in", number, value) and None,
        read_outputs=lambda: [r.value for r in broker.records("out") if r.value is not None],
        input_topic="in",
        output_topic="out",
    )


@pytest.fixture
def kafka_site(service_endpoints: dict[str, str]) -> Site:
    from confluent_kafka import Producer

    from fraud_platform.adapters.admin import ensure_topics
    from fraud_platform.adapters.kafka import KafkaLog
    from tests.failure.plain import Topics
    from tests.failure.slots import where_of

    own = {"FRAUD_PREFIX": f"c{uuid.uuid4().hex[:6]}-"}
    settings = Settings.from_environment(own, embedded=service_endpoints)
    ensure_topics(settings, timeout_s=60)
    producer = Producer({"bootstrap.servers": settings.require("KAFKA_BOOTSTRAP_SERVERS")})
    topic, out = settings.naming.topic(Topic.BANK_TRANSACTIONS), settings.naming.topic(Topic.FRAUDULENT)

    def send(number: int, value: bytes) -> None:
        producer.produce(topic, value, partition=number)
        assert producer.flush(60) == 0

    def read_outputs() -> list[bytes]:
        with Topics(where_of(settings)) as topics:
            return [row.value for row in topics.read(Topic.FRAUDULENT) if row.value is not None]

    return Site(
        open_log=lambda slot: KafkaLog(settings, INGESTION, slot),
        open_reader=lambda: KafkaLog(settings, PROJECTION, "0"),
        send=send,
        read_outputs=read_outputs,
        input_topic=topic,
        output_topic=out,
    )


@pytest.fixture(params=["fake", pytest.param("kafka", marks=pytest.mark.services)])
def site(request: pytest.FixtureRequest) -> Site:
    return request.getfixturevalue(f"{request.param}_site")  # type: ignore[no-any-return]


@pytest.fixture
def open_log(site: Site) -> Iterator[Callable[[str], Log]]:
    opened: list[Log] = []

    def open_one(slot: str = "0") -> Log:
        opened.append(site.open_log(slot))
        return opened[-1]

    yield open_one
    for log in opened:
        log.close()


def settle(*logs: Log) -> None:
    """Poll all logs until they share the four partitions."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        for log in logs:
            with suppress(BrokerUnavailable):  # not yet
                log.poll(0.05)
        if sum(len(log.committed) for log in logs) == 4 and all(log.committed for log in logs):
            return
    raise AssertionError("the group did not settle")


def read(log: Log, count: int) -> Batch:
    """Poll until `count` records came or patience ends."""
    records, positions = [], {}
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        batch = log.poll(0.1)
        records += batch.records
        positions |= batch.positions
        if len(records) >= count:
            return Batch(records, positions)
    raise AssertionError(f"only {len(records)} of {count} records came")


def out(site: Site, value: bytes) -> Outgoing:
    return Outgoing(site.output_topic, b"k", value, time.time_ns() // 1_000_000)


def test_a_first_start_begins_at_the_beginning_and_says_that_it_is_not_committed(site, open_log) -> None:
    log = open_log()
    settle(log)
    assert log.committed == {site.partition(n): Committed(0, confirmed=False) for n in range(4)}


def test_outputs_and_offsets_are_committed_together(site, open_log) -> None:
    site.send(0, b"one")
    log = open_log()
    settle(log)
    batch = read(log, 1)
    log.commit([out(site, b"seen")], {p: Position(o) for p, o in batch.positions.items()})
    assert site.read_outputs() == [b"seen"]
    assert log.committed[site.partition(0)] == Committed(1)


def test_records_keep_their_order_within_a_partition(site, open_log) -> None:
    for number in range(20):
        site.send(1, b"%d" % number)
    log = open_log()
    settle(log)
    assert [r.value for r in read(log, 20).records] == [b"%d" % number for number in range(20)]


def test_the_next_owner_finds_offset_and_metadata(site, open_log) -> None:
    site.send(0, b"one")
    first = open_log()
    settle(first)
    first.commit([], {site.partition(0): Position(0, "plan:1")})
    first.close()
    second = open_log()
    settle(second)
    assert second.committed[site.partition(0)] == Committed(0, "plan:1")


def test_what_was_not_committed_is_read_again_after_recover(site, open_log) -> None:
    site.send(0, b"one")
    log = open_log()
    settle(log)
    read(log, 1)
    log.recover()
    assert [r.value for r in read(log, 1).records] == [b"one"]


def test_the_generation_grows_when_the_log_goes_back(site, open_log) -> None:
    log = open_log()
    settle(log)
    before = log.generation
    log.recover()
    assert log.generation > before


def test_a_held_log_reads_nothing_and_stays_in_the_group(site, open_log) -> None:
    log = open_log()
    settle(log)
    log.hold()
    site.send(0, b"one")
    assert [log.poll(0.1).records for _ in range(5)] == [[]] * 5
    log.recover()
    assert [r.value for r in read(log, 1).records] == [b"one"]


def test_a_newer_process_of_the_same_slot_fences_the_older(site, open_log) -> None:
    old = open_log()
    settle(old)
    new = open_log()
    settle(new)
    with pytest.raises(Fenced):
        old.commit([out(site, b"zombie")], {site.partition(0): Position(0)})
    assert site.read_outputs() == []


def test_two_slots_share_the_partitions(site, open_log) -> None:
    first, second = open_log("0"), open_log("1")
    settle(first, second)
    assert {*first.committed} | {*second.committed} == {site.partition(n) for n in range(4)}
    assert not {*first.committed} & {*second.committed}


def test_a_commit_without_positions_is_a_mistake(site, open_log) -> None:
    log = open_log()
    settle(log)
    with pytest.raises(ValueError, match="at least one position"):
        log.commit([], {})


def test_an_output_that_is_too_large_is_refused_and_the_log_stays_usable(site, open_log) -> None:
    log = open_log()
    settle(log)
    huge = out(site, os.urandom(8_800_000))
    with pytest.raises(OutputRefused) as refusal:
        log.commit([out(site, b"small"), huge], {site.partition(0): Position(0)})
    assert [o.value for o in refusal.value.refused] == [huge.value]
    log.commit([out(site, b"small")], {site.partition(0): Position(0)})
    assert site.read_outputs() == [b"small"]


def test_the_transaction_ends_with_what_its_outputs_raise(site, open_log) -> None:
    log = open_log()
    settle(log)

    def broken() -> Iterator[Outgoing]:
        yield out(site, b"lost")
        raise LookupError("while deciding")

    with pytest.raises(LookupError):
        log.commit(broken(), {site.partition(0): Position(0)})
    log.recover()
    settle(log)
    log.commit(iter([out(site, b"whole")]), {site.partition(0): Position(0)})
    assert site.read_outputs() == [b"whole"]


def test_an_output_that_is_older_than_its_topic_keeps_is_refused_and_its_neighbours_are_not(site, open_log) -> None:
    log = open_log()
    settle(log)
    old = Outgoing(site.output_topic, b"k", b"old", 1_000)
    with pytest.raises(OutputRefused) as refusal:
        log.commit([out(site, b"new"), old, out(site, b"newer")], {site.partition(0): Position(0)})
    assert [o.value for o in refusal.value.refused] == [b"old"]
    log.commit([out(site, b"new")], {site.partition(0): Position(0)})
    assert site.read_outputs() == [b"new"]


def test_the_position_at_the_end_of_a_partition_lies_past_transaction_markers(site, open_log) -> None:
    log = open_log()
    settle(log)
    log.commit([out(site, b"seen")], {site.partition(0): Position(0)})
    reader = site.open_reader()
    try:
        settle(reader)
        batch = read(reader, 1)
        partition = Partition(site.output_topic, batch.records[0].partition)
        position, behind_the_marker = batch.positions[partition], batch.records[0].offset + 2
        deadline = time.monotonic() + PATIENCE_S
        while position < behind_the_marker:
            assert time.monotonic() < deadline, "the marker is never passed"
            position = reader.poll(0.1).positions.get(partition, position)
        assert position == behind_the_marker
    finally:
        reader.close()
