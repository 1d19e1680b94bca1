"""The fake cluster of the keeper tests keeps the promises of the real one."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import pytest

from fraud_platform.errors import BrokerUnavailable
from fraud_platform.orchestration import cluster as cluster_module
from fraud_platform.orchestration.cluster import Cluster, KafkaCluster
from fraud_platform.settings import Settings
from fraud_platform.topology import PROJECTION, Topic
from tests.fakes.cluster import FakeCluster


@dataclass(frozen=True)
class Case:
    """A cluster with an unread topic, and a way to let a slot of projection live while a question is asked."""

    cluster: Cluster
    ask_while_slot_lives: Callable[[Callable[[], object]], object]
    without_broker: Cluster


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.services)])
def case(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Case:
    if request.param == "fake":
        return fake_case()
    monkeypatch.setattr(cluster_module, "TIMEOUT_S", 60.0)
    return real_case(request.getfixturevalue("platform_settings"))


def fake_case() -> Case:
    cluster, away = FakeCluster(), FakeCluster()
    cluster.ends = {(Topic.FRAUDULENT, partition): 0 for partition in range(4)}
    away.is_down = True

    def ask(question: Callable[[], object]) -> object:
        cluster.join(PROJECTION, "0")
        try:
            return question()
        finally:
            cluster.living.clear()

    return Case(cluster, ask, away)


def real_case(settings: Settings) -> Case:
    from fraud_platform.adapters.kafka import KafkaLog

    def ask(question: Callable[[], object]) -> object:
        log = KafkaLog(settings, PROJECTION, "0")
        try:
            deadline = time.monotonic() + 60
            while not log.committed:
                assert time.monotonic() < deadline, "it is not let into the group"
                with suppress(BrokerUnavailable):  # not yet
                    log.poll(0.2)
            return question()
        finally:
            log.close()

    away = settings.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:1"})
    return Case(KafkaCluster(settings), ask, KafkaCluster(away))


def test_a_group_that_does_not_exist_has_no_member_and_no_commit(case: Case) -> None:
    assert case.cluster.members(PROJECTION) == frozenset()
    assert case.cluster.committed(PROJECTION) == {}


def test_lag_names_every_partition_of_the_inputs(case: Case) -> None:
    assert case.cluster.lag(PROJECTION) == {(Topic.FRAUDULENT, partition): 0 for partition in range(4)}


def test_a_live_slot_is_known_by_its_name(case: Case) -> None:
    assert case.ask_while_slot_lives(lambda: case.cluster.members(PROJECTION)) == {"projection.0"}


def test_a_broker_that_is_away_is_no_answer_and_no_error(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "TIMEOUT_S", 1.0)
    away = case.without_broker
    assert (away.members(PROJECTION), away.committed(PROJECTION), away.lag(PROJECTION)) == (None, None, None)
