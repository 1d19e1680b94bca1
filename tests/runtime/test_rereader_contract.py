"""What every `Rereader` promises: the fake of the fast tests and Kafka itself pass the same test."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from confluent_kafka import Producer

from fraud_platform.adapters.rereader import KafkaRereader
from fraud_platform.core.log import Partition
from fraud_platform.core.rereading import Begin, Rereader
from fraud_platform.settings import Settings
from fraud_platform.topology import Topic
from tests.fakes.log import FakeBroker
from tests.fakes.rereader import FakeRereader
from tests.patience import await_markers

PATIENCE_S = 60
NOW = time.time_ns() // 1_000_000
HOUR = 3_600_000


@dataclass
class Site:
    """A rereader of a topic; `put` writes a value with a time in a transaction of its own: record and marker."""

    rereader: Rereader
    put: Callable[[int, bytes, int], None]


@pytest.fixture
def fake_site() -> Site:
    broker = FakeBroker({"input": 2})

    def put(number: int, value: bytes, at_ms: int) -> None:
        broker.append("input", number, value, at_ms=at_ms)
        broker.partitions[Partition("input", number)].append(None)

    return Site(FakeRereader(broker, "input", per_read=1), put)


@pytest.fixture
def kafka_site(platform_settings: Settings) -> Iterator[Site]:
    address = {"bootstrap.servers": platform_settings.require("KAFKA_BOOTSTRAP_SERVERS")}
    producer = Producer({**address, "transactional.id": f"{platform_settings.prefix}put"})
    producer.init_transactions(PATIENCE_S)

    def put(number: int, value: bytes, at_ms: int) -> None:
        producer.begin_transaction()
        topic = platform_settings.naming.topic(Topic.STATEMENTS)
        producer.produce(topic, value, b"k", partition=number, timestamp=at_ms)
        producer.commit_transaction(PATIENCE_S)
        await_markers(platform_settings)

    rereader = KafkaRereader(platform_settings, Topic.STATEMENTS)
    yield Site(rereader, put)
    rereader.close()


@pytest.fixture(params=["fake", pytest.param("kafka", marks=pytest.mark.services)])
def site(request: pytest.FixtureRequest) -> Site:
    return request.getfixturevalue(f"{request.param}_site")  # type: ignore[no-any-return]


def read(rereader: Rereader, upto: dict[int, int], within_s: float) -> list[tuple[int, int, bytes | None, int]]:
    found = []
    deadline = time.monotonic() + PATIENCE_S
    while any(rereader.positions[number] < end for number, end in upto.items()):
        assert time.monotonic() < deadline, "the end is never reached"
        found += [(r.partition, r.offset, r.value, r.timestamp_ms) for r in rereader.read(upto, within_s)]
    return found


def test_partitions_are_read_from_a_moment_on_in_slices_past_markers_and_go_on_where_they_were(site: Site) -> None:
    for number, value, at_ms in (
        (0, b"a", NOW - 9 * HOUR),
        (0, b"b", NOW - HOUR),
        (0, b"c", NOW),
        (1, b"d", NOW - HOUR),
    ):
        site.put(number, value, at_ms)
    late = site.rereader.begin({0: NOW - 2 * HOUR, 1: NOW})
    assert all(1 <= begin.offset <= 2 and begin.first == 0 for begin in late.values())  # a marker has a time of its own
    assert site.rereader.begin({0: NOW - 2 * HOUR, 1: 0}) == {0: late[0], 1: Begin(0, 0)}
    found = read(site.rereader, {0: 4, 1: 2}, 0.3)
    assert sorted(found) == [(0, 2, b"b", NOW - HOUR), (1, 0, b"d", NOW - HOUR)]
    site.put(0, b"e", NOW)
    assert read(site.rereader, {0: 8}, 0.3) == [(0, 4, b"c", NOW), (0, 6, b"e", NOW)]
    assert list(site.rereader.read({0: 8, 1: 2}, 0.3)) == []
