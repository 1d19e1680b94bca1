"""What every `Changelog` promises: the fake of the fast tests and Kafka itself pass the same tests."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewPartitions

from fraud_platform.adapters.admin import end_offsets
from fraud_platform.adapters.changelog import KafkaChangelog
from fraud_platform.core.changelog import Change, Changelog
from fraud_platform.errors import ConfigurationError
from fraud_platform.settings import Settings
from fraud_platform.topology import Topic
from tests.fakes.changelog import FakeChangelog
from tests.fakes.log import FakeBroker
from tests.stages.conftest import made

PATIENCE_S = 60
NOW = time.time_ns() // 1_000_000


@dataclass
class Site:
    """A changelog and its topic; `hidden` writes a record in a transaction that stays open inside the block."""

    changelog: Changelog
    put: Callable[[int, bytes, bytes | None], None]
    hidden: Callable[[int, bytes, bytes], AbstractContextManager[None]]


@pytest.fixture
def fake_site() -> Site:
    broker = FakeBroker({"state": 4})
    changelog = FakeChangelog(broker, "state")

    @contextmanager
    def hidden(number: int, key: bytes, value: bytes) -> Iterator[None]:
        changelog.stable[number] = broker.append("state", number, value, key=key, at_ms=NOW)
        yield
        del changelog.stable[number]

    return Site(changelog, lambda number, *pair: _append(broker, number, *pair), hidden)


def _append(broker: FakeBroker, number: int, key: bytes, value: bytes | None) -> None:
    broker.append("state", number, value, key=key, at_ms=NOW)


@pytest.fixture
def settings(service_endpoints: dict[str, str], tmp_path: Path) -> Settings:
    return made(service_endpoints, tmp_path)


@pytest.fixture
def kafka_site(settings: Settings) -> Iterator[Site]:
    address = {"bootstrap.servers": settings.require("KAFKA_BOOTSTRAP_SERVERS")}
    topic = settings.naming.topic(Topic.MONITORING_STATE)
    producer = Producer(address)

    def put(number: int, key: bytes, value: bytes | None) -> None:
        producer.produce(topic, value, key, partition=number, timestamp=NOW)
        assert producer.flush(PATIENCE_S) == 0

    @contextmanager
    def hidden(number: int, key: bytes, value: bytes) -> Iterator[None]:
        other = Producer({**address, "transactional.id": f"{settings.prefix}other"})
        other.init_transactions(PATIENCE_S)
        other.begin_transaction()
        other.produce(topic, value, key, partition=number, timestamp=NOW)
        assert other.flush(PATIENCE_S) == 0
        yield
        other.commit_transaction(PATIENCE_S)

    changelog = KafkaChangelog(settings, Topic.MONITORING_STATE, of=Topic.STATEMENTS)
    yield Site(changelog, put, hidden)
    changelog.close()


@pytest.fixture(params=["fake", pytest.param("kafka", marks=pytest.mark.services)])
def site(request: pytest.FixtureRequest) -> Site:
    return request.getfixturevalue(f"{request.param}_site")  # type: ignore[no-any-return]


def read(changelog: Changelog) -> list[Change]:
    found: list[Change] = []
    deadline = time.monotonic() + PATIENCE_S
    while not changelog.is_whole:
        assert time.monotonic() < deadline, "the end is never reached"
        found += changelog.read(0.2)
    return found


def test_an_empty_changelog_is_whole_at_once(site: Site) -> None:
    site.changelog.begin([0, 1])
    assert site.changelog.is_whole


def test_changes_come_in_their_order_with_time_and_tombstones_and_from_the_named_partitions_alone(site: Site) -> None:
    for number, key, value in ((0, b"a", b"1"), (1, b"b", b"1"), (2, b"c", b"1"), (0, b"a", b"2"), (1, b"b", None)):
        site.put(number, key, value)
    site.changelog.begin([0, 1])
    assert not site.changelog.is_whole
    found = read(site.changelog)
    assert [c for c in found if c.number == 0] == [Change(0, b"a", b"1", NOW), Change(0, b"a", b"2", NOW)]
    assert [c for c in found if c.number == 1] == [Change(1, b"b", b"1", NOW), Change(1, b"b", None, NOW)]
    assert len(found) == 4


def test_the_end_is_that_of_the_beginning_and_a_new_one_is_looked_for_with_each(site: Site) -> None:
    site.put(0, b"a", b"1")
    site.changelog.begin([0])
    site.put(0, b"a", b"2")
    assert [c.value for c in read(site.changelog)] == [b"1"]
    site.changelog.begin([0])
    assert [c.value for c in read(site.changelog)] == [b"1", b"2"]


def test_what_an_open_transaction_hides_is_waited_for(site: Site) -> None:
    site.put(3, b"a", b"1")
    with site.hidden(3, b"b", b"1"):
        site.put(3, b"a", b"2")
        site.changelog.begin([3])
        early = [*site.changelog.read(0.5), *site.changelog.read(0.5)]
        assert not site.changelog.is_whole
    found = [(c.key, c.value) for c in (*early, *read(site.changelog))]
    assert found == [(b"a", b"1"), (b"b", b"1"), (b"a", b"2")]


@pytest.mark.services
def test_a_key_s_place_is_where_its_records_lie(settings: Settings) -> None:
    changelog = KafkaChangelog(settings, Topic.MONITORING_STATE, of=Topic.STATEMENTS)
    with pytest.raises(RuntimeError):
        changelog.place(b"k")
    changelog.begin([0])
    address = settings.require("KAFKA_BOOTSTRAP_SERVERS")
    producer = Producer({"bootstrap.servers": address, "partitioner": "murmur2_random"})
    placed: dict[bytes, int] = {}
    for n in range(20):
        key = b'{"accountNumber":"%d","bankId":"1"}' % n
        topic = settings.naming.topic(Topic.STATEMENTS)
        producer.produce(topic, b"", key, on_delivery=lambda _, m: placed.update({m.key(): m.partition()}))
    assert producer.flush(PATIENCE_S) == 0
    assert placed == {key: changelog.place(key) for key in placed}
    assert set(placed.values()) == set(range(4))


@pytest.mark.services
def test_topics_of_different_size_are_refused_with_the_way_out(settings: Settings) -> None:
    name = settings.naming.topic(Topic.STATEMENTS)
    admin = AdminClient({"bootstrap.servers": settings.require("KAFKA_BOOTSTRAP_SERVERS")})
    admin.create_partitions([NewPartitions(name, 6)])[name].result(PATIENCE_S)
    deadline = time.monotonic() + PATIENCE_S
    while len(end_offsets(settings, [Topic.STATEMENTS])) < 6:
        assert time.monotonic() < deadline
    changelog = KafkaChangelog(settings, Topic.MONITORING_STATE, of=Topic.STATEMENTS)
    with pytest.raises(ConfigurationError, match=r"6 partitions and .*monitoring-state has 4"):
        changelog.begin([0])
