"""Topics for rule sets alone: a test that begins with none has a prefix of its own."""

import uuid
from collections.abc import Callable

import pytest
from confluent_kafka.admin import AdminClient

from fraud_platform.adapters.admin import _new_topic, end_offsets
from fraud_platform.adapters.kafka_config import client_config
from fraud_platform.settings import Settings
from fraud_platform.topology import TOPICS, Topic


@pytest.fixture(scope="session")
def with_empty_topic(service_endpoints: dict[str, str]) -> Callable[..., Settings]:
    """Settings under which nothing was ever published."""

    def made(**changes: str) -> Settings:
        given = {"FRAUD_PREFIX": f"t{uuid.uuid4().hex[:8]}-", **changes}
        settings = Settings.from_environment(given, embedded=service_endpoints)
        client = AdminClient(client_config(settings))
        for future in client.create_topics([_new_topic(settings, TOPICS[Topic.RULE_SETS])]).values():
            future.result(60)
        end_offsets(settings, [Topic.RULE_SETS], timeout_s=60)
        return settings

    return made


@pytest.fixture(scope="module")
def settings(with_empty_topic: Callable[..., Settings]) -> Settings:
    """The module's own topic, empty at first."""
    return with_empty_topic()
