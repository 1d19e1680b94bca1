"""Who should be sending."""

import json
from pathlib import Path

import pytest
from dagster import DagsterInstance

from fraud_platform.orchestration.control import keeper
from fraud_platform.orchestration.inputs import expected_inputs
from fraud_platform.settings import ENDPOINTS_FILE, Settings
from fraud_platform.topology import BANKS, Topic


@pytest.mark.parametrize(
    ("own_broker", "demo", "expected"),
    [
        (False, True, [Topic.BANK_TRANSACTIONS, Topic.STATEMENTS]),
        (False, False, []),
        (True, False, [Topic.BANK_TRANSACTIONS, Topic.STATEMENTS]),
        (True, True, [Topic.BANK_TRANSACTIONS, Topic.STATEMENTS]),
    ],
)
def test_only_an_embedded_kafka_without_demo_banks_expects_nothing(
    tmp_path: Path, instance: DagsterInstance, own_broker: bool, demo: bool, expected: list[Topic]
) -> None:
    (tmp_path / ENDPOINTS_FILE).write_text(json.dumps({"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092"}))
    environment = {"FRAUD_DATA_DIR": str(tmp_path)}
    if own_broker:
        environment["KAFKA_BOOTSTRAP_SERVERS"] = "kafka.example:9092"
    if demo:
        keeper(instance, BANKS).on()
    assert expected_inputs(Settings.from_environment(environment), instance) == expected
