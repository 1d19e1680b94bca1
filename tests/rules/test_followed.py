"""What a consumer may rely on, kept by the fake and by the follower of Kafka alike."""

import logging
import time
from collections.abc import Callable, Iterator
from typing import Protocol

import pytest
from confluent_kafka import Producer

from fraud_platform.adapters.kafka_config import client_config
from fraud_platform.adapters.rule_sets import RuleSets
from fraud_platform.errors import BrokerUnavailable
from fraud_platform.live.change import publish
from fraud_platform.rules.engine import Engine
from fraud_platform.rules.followed import Followed
from fraud_platform.rules.rule_set import RuleSet
from fraud_platform.settings import Settings
from fraud_platform.topology import Topic
from tests.fakes.rule_sets import FakeRuleSets
from tests.rules.building import event
from tests.rules.publishing import limit, published


class Subject(Protocol):
    """The follower, and a way to publish past it."""

    followed: Followed

    def publish(self, rule_set: RuleSet) -> None: ...

    def write(self, value: bytes | None) -> None: ...


class Fake:
    def __init__(self) -> None:
        self.followed = FakeRuleSets(limit(1))
        self.publish, self.write = self.followed.publish, self.followed.write


class Real:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.publish(limit(1 + time.time_ns()))
        self.followed = RuleSets(settings)

    def publish(self, rule_set: RuleSet) -> None:
        publish(self._settings, rule_set, by="ada")

    def write(self, value: bytes | None) -> None:
        producer = Producer(client_config(self._settings))
        producer.produce(self._settings.naming.topic(Topic.RULE_SETS), value, b"foreign")
        assert producer.flush(60) == 0


@pytest.fixture(params=["fake", pytest.param("kafka", marks=pytest.mark.services)])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    found = Fake() if request.param == "fake" else Real(request.getfixturevalue("platform_settings"))
    yield found
    found.followed.close()


def soon(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_the_first_batch_gets_an_engine_and_the_next_ones_keep_it(subject: Subject) -> None:
    first = subject.followed.at_batch()
    assert isinstance(first, Engine)
    assert first.rule_set.version == subject.followed.current().version
    assert subject.followed.at_batch() is None


def test_a_published_set_comes_with_a_later_batch_and_judges_under_its_version(subject: Subject) -> None:
    subject.followed.at_batch()
    wanted = limit(20_000)
    subject.publish(wanted)
    found: list[Engine] = []
    soon(lambda: bool(found.extend(filter(None, [subject.followed.at_batch()])) or found))
    assert [each.rule_set.version for each in found] == [wanted.version]
    decision = found[0].judge(event(amount="20000")).decision
    assert decision is not None
    assert (decision.rule_set_version, [hit.limit for hit in decision.hits]) == (wanted.version, ["20000"])


def test_foreign_and_bad_records_change_nothing_and_the_next_good_one_does(
    subject: Subject, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    before = subject.followed.current().version
    subject.write(b"foreign")
    subject.write(None)
    subject.write(published(limit(5)).encode().replace(b"at_least", b"at_most"))
    assert subject.followed.current().version == before
    subject.publish(limit(30_000))
    soon(lambda: subject.followed.current().version != before)
    assert subject.followed.current().version == limit(30_000).version
    if isinstance(subject, Real):
        refusals = [each.getMessage() for each in caplog.records if "is refused" in each.getMessage()]
        assert len(refusals) == 3
        assert all("what holds stays" in each for each in refusals)


def test_before_anything_was_heard_of_it_says_so() -> None:
    assert not Followed().is_ready
    with pytest.raises(BrokerUnavailable, match="No rule set was heard of yet"):
        Followed().current()


def test_of_many_records_the_newest_good_one_counts_and_only_newer_ones_are_told_of() -> None:
    followed = Followed()
    values = [b"old and foreign", published(limit(1)).encode(), published(limit(2)).encode(), b"x", None]
    assert [each.error_type for each in followed.take(values)] == ["no-value", "invalid-json"]
    assert followed.current().version == limit(2).version
    assert followed.engine().since == published(limit(2)).at


def test_a_content_that_is_active_already_keeps_its_engine() -> None:
    followed = Followed()
    followed.take([published(limit(1)).encode()])
    engine = followed.at_batch()
    followed.take([published(limit(1)).encode()])
    assert followed.engine() is engine
    assert followed.at_batch() is None
