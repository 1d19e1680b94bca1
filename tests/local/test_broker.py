"""Kafka and the registry under the supervisor: what is acknowledged survives a kill."""

from collections.abc import Iterator

import pytest
from confluent_kafka import Producer

from fraud_platform.adapters import admin
from fraud_platform.adapters.registry import SchemaRegistry
from fraud_platform.errors import BrokerUnavailable
from fraud_platform.local.stack import Stack, running
from fraud_platform.settings import Settings
from fraud_platform.topology import INGESTION, Topic

pytestmark = [pytest.mark.services, pytest.mark.failure]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(tmp_path_factory.mktemp("broker"), services=("kafka", "registry")) as found:
        yield found


@pytest.fixture(scope="module")
def settings(stack: Stack) -> Settings:
    return stack.settings()


def send(settings: Settings, count: int) -> None:
    producer = Producer({"bootstrap.servers": settings.kafka_bootstrap_servers, "acks": "all"})
    for number in range(count):
        producer.produce(settings.naming.topic(Topic.BANK_TRANSACTIONS), b"{}", key=str(number))
    assert producer.flush(20) == 0


def test_ready_means_that_topics_and_schemas_are_there(settings: Settings) -> None:
    assert admin.missing_topics(settings) == []
    assert SchemaRegistry(settings).ready()


def test_a_killed_broker_comes_back_with_every_acknowledged_record(stack: Stack, settings: Settings) -> None:
    send(settings, 1000)
    stack.wait_restarted("kafka", stack.kill("kafka"))
    assert sum(admin.end_offsets(settings, INGESTION.reads, timeout_s=20).values()) == 1000


def test_schema_ids_survive_a_kill_right_after_the_registration(stack: Stack, settings: Settings) -> None:
    before = SchemaRegistry(settings).register_all()
    stack.wait_restarted("registry", stack.kill("registry"))
    assert SchemaRegistry(settings).register_all() == before


def test_questions_to_a_broker_that_is_down_fail_in_one_sentence(stack: Stack, settings: Settings) -> None:
    with stack.held_down("kafka"), pytest.raises(BrokerUnavailable, match="Kafka"):
        admin.lag(settings, INGESTION, timeout_s=2)
    stack.wait_ready()
    assert set(admin.lag(settings, INGESTION, timeout_s=20).values())
