"""What answers is looked at; what does not is named."""

from pathlib import Path

import pytest

from fraud_platform.books import examine as module
from fraud_platform.books.examine import examine
from fraud_platform.books.stores import Cut
from fraud_platform.errors import BrokerUnavailable, StoreUnavailable
from fraud_platform.settings import Settings
from fraud_platform.topology import RESULT_TOPICS, Topic
from tests.books.entries import START
from tests.books.fakes import FakeFlow, FakeStore, whole_flow
from tests.books.stores import FakeDocuments, FakeLake, FakeTopic, row


class Closing(FakeStore):
    closed = False

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_environment({"SCHEMA_REGISTRY_URL": "http://127.0.0.1:9", "FRAUD_DATA_DIR": str(tmp_path)})


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> tuple[FakeFlow, Closing]:
    """Everything answers from memory, and balances."""
    flow, store = whole_flow(), Closing()
    stored = [row(n) for n in range(4)]
    monkeypatch.setattr(module, "KafkaFlow", lambda *_: flow)
    monkeypatch.setattr(module, "MongoBooks", lambda _: store)
    monkeypatch.setattr(module, "refresh", lambda *_: [])
    monkeypatch.setattr(module, "_lake", lambda _, topic, error: module._Away(topic, error) if error else named(topic))
    monkeypatch.setattr(module, "MongoRows", lambda *_: FakeDocuments(stored))
    monkeypatch.setattr(module, "KafkaRows", lambda *_: FakeTopic(stored))

    def named(topic: Topic) -> FakeLake:
        lake = FakeLake(stored)
        lake.name = f"s3/{topic.value}"
        return lake

    return flow, store


def test_everything_that_answers_is_in_the_report(settings: Settings, platform: tuple[FakeFlow, Closing]) -> None:
    report = examine(settings)
    assert report.balances
    stages = ["ingestion", "projection", "validation", "monitoring", "lake", "documents"]
    assert [line.stage for line in report.stages] == stages
    assert [line.day for line in report.stages] == [10, 3, 6, 0, 18, 18]
    assert [(each.hour, each.is_sealed, each.faults) for each in report.hours] == [(START.isoformat(), False, 0)]
    assert report.hours[0].stages["ingestion"].outcomes["dead-lettered"] == 1
    assert len(report.stores) == 2 * len(RESULT_TOPICS)
    assert platform[1].closed


def test_the_stores_may_be_left_out_and_so_may_the_ledger(
    settings: Settings, platform: tuple[FakeFlow, Closing]
) -> None:
    assert examine(settings, topics=()).stores == ()
    alone = examine(settings, ledger=False, topics=[Topic.USERS])
    assert (alone.stages, len(alone.stores)) == ((), 2)


def test_what_is_compared_is_fixed_for_all_topics_before_a_crawl_shows_them(
    settings: Settings, platform: tuple[FakeFlow, Closing], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that a sink commits behind the crawl would be missing for no reason."""
    order: list[str] = []

    class Topics(FakeTopic):
        def cut(self) -> Cut:
            order.append("cut")
            return super().cut()

    lake = module._lake
    monkeypatch.setattr(module, "KafkaRows", lambda *_: Topics([row(n) for n in range(4)]))
    monkeypatch.setattr(module, "refresh", lambda *_: order.append("crawl"))
    monkeypatch.setattr(module, "_lake", lambda *args: order.append("lake") or lake(*args))
    assert examine(settings, ledger=False).balances
    count = len(RESULT_TOPICS)
    assert order == ["cut"] * count + ["crawl"] + ["lake"] * count


def test_a_lake_that_is_away_leaves_mongodb_known(
    settings: Settings, platform: tuple[FakeFlow, Closing], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise StoreUnavailable("S3 does not answer.")

    monkeypatch.setattr(module, "refresh", away)
    report = examine(settings, topics=[Topic.USERS])
    assert dict(report.unknown) == {"s3/users": "S3 does not answer."}
    assert len(report.stores) == 1
    assert not report.balances


def test_large_collections_cannot_be_compared_without_the_lake(
    settings: Settings, platform: tuple[FakeFlow, Closing], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise StoreUnavailable("S3 does not answer.")

    monkeypatch.setattr(module, "refresh", away)
    report = examine(settings, topics=[Topic.USERS], full_at_most=1)
    assert report.unknown.keys() == {"s3/users", "mongodb/transactions"}


def test_a_broker_that_is_away_is_told_and_the_store_is_closed(
    settings: Settings, platform: tuple[FakeFlow, Closing], monkeypatch: pytest.MonkeyPatch
) -> None:
    flow, store = platform

    def away(*_: object) -> None:
        raise BrokerUnavailable("Kafka does not answer.")

    monkeypatch.setattr(flow, "bounds", away)
    report = examine(settings, topics=())
    assert dict(report.unknown) == {"ledger": "Kafka does not answer."}
    assert store.closed


def test_rebuilding_reads_the_ledger_from_its_beginning(settings: Settings, platform: tuple[FakeFlow, Closing]) -> None:
    assert examine(settings, topics=()).new == 5
    assert examine(settings, topics=()).new == 0
    assert examine(settings, topics=(), rebuild=True).new == 5
