import threading

import pytest

from fraud_platform.errors import ConfigurationError
from fraud_platform.orchestration.samples import Sample, Sampler, rates
from fraud_platform.topology import PROJECTION, Topic
from tests.fakes.cluster import FakeCluster


def test_rates_lie_between_samples_and_are_never_negative() -> None:
    samples = [Sample(0, 100, 0), Sample(10, 300, 0), Sample(20, 250, 0)]
    assert rates(samples) == [20.0, 0.0]


def test_a_sample_sums_the_group_over_its_partitions(cluster: FakeCluster) -> None:
    cluster.ends = {(Topic.FRAUDULENT, 0): 10, (Topic.FRAUDULENT, 1): 7, (Topic.LEDGER, 0): 99}
    cluster.commits[PROJECTION.name] = {(Topic.FRAUDULENT, 0): 8}
    sampler = Sampler(cluster, PROJECTION, clock=lambda: 5.0)
    sampler.take()
    assert sampler.samples == [Sample(5.0, 8, 9)]


def test_a_broker_that_is_away_leaves_no_sample(cluster: FakeCluster) -> None:
    cluster.is_down = True
    sampler = Sampler(cluster, PROJECTION)
    sampler.take()
    assert sampler.samples == []


def test_a_refusal_is_one_sentence_said_once_and_no_traceback(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked, enough = [], threading.Event()

    def refuse(_: object) -> None:
        asked.append(1)
        if len(asked) > 2:
            enough.set()
        raise ConfigurationError("Kafka refuses to answer (GROUP_AUTHORIZATION_FAILED); check our rights.")

    monkeypatch.setattr(cluster, "committed", refuse)
    sampler = Sampler(cluster, PROJECTION, every_s=0.01)
    sampler.start()
    assert enough.wait(60)
    sampler.stop()
    (said,) = caplog.records
    assert said.getMessage() == (
        "no samples of projection: Kafka refuses to answer (GROUP_AUTHORIZATION_FAILED); check our rights."
    )
    assert said.exc_info is None
