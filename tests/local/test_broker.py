"""Kafka and the registry under the supervisor: what is acknowledged survives a kill."""

import json
import shutil
from collections.abc import Iterator

import pytest
import requests
from confluent_kafka import Producer

from fraud_platform.adapters import admin
from fraud_platform.adapters.avro import AvroReader
from fraud_platform.adapters.registry import SchemaRegistry
from fraud_platform.errors import BrokerUnavailable, RegistryUnavailable
from fraud_platform.local.provision import provision
from fraud_platform.local.registry import keep_copy
from fraud_platform.local.stack import Stack, running
from fraud_platform.runtime.drain import drain
from fraud_platform.runtime.launch import Slot, run_slot
from fraud_platform.settings import Settings
from fraud_platform.topology import INGESTION, Topic

pytestmark = [pytest.mark.services, pytest.mark.failure, pytest.mark.timeout(900)]


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


# A registry that lost its folder --------------------------------------------------------------------


def post(settings: Settings, name: str) -> int:
    """Register a schema that is none of ours."""
    body = {"schema": json.dumps({"type": "record", "name": name, "fields": []}), "schemaType": "AVRO"}
    url = f"{settings.require('SCHEMA_REGISTRY_URL')}/subjects/{name}/versions"
    return int(requests.post(url, json=body, timeout=10).json()["id"])


def lose_registry(stack: Stack, *, copy_too: bool) -> None:
    """Take its folder away; a lost copy is a damaged one, which must not keep the registry from starting."""
    with stack.held_down("registry"):
        shutil.rmtree(stack.folder.root / "registry")
        if copy_too:
            (stack.folder.root / "registry-schemas.zip").write_text("damaged")
    stack.wait_ready("registry")


def test_a_registry_that_lost_its_folder_comes_back_with_the_same_ids(stack: Stack, settings: Settings) -> None:
    foreign = [post(settings, name) for name in ("Foreign1", "Foreign2")]
    before = SchemaRegistry(settings).register_all()
    keep_copy(stack.folder, int(settings.require("SCHEMA_REGISTRY_URL").split(":")[2].split("/")[0]))
    lose_registry(stack, copy_too=False)
    assert [SchemaRegistry(settings).schema(each)["name"] for each in foreign] == ["Foreign1", "Foreign2"]
    assert SchemaRegistry(settings).register_all() == before


def test_without_a_whole_copy_a_stage_waits_instead_of_using_new_ids(stack: Stack, settings: Settings) -> None:
    drain(settings, INGESTION)
    assert sum(admin.high_watermarks(settings, [Topic.LEDGER]).values()) > 0
    reader_of_before = AvroReader(SchemaRegistry(settings))
    lose_registry(stack, copy_too=True)
    assert (stack.folder.root / "registry-schemas.zip.damaged").read_text() == "damaged"
    send(settings, 1)
    with pytest.raises(RegistryUnavailable, match="lost the schemas"):
        run_slot(settings, Slot(stage=INGESTION, name="0"), stop=lambda: False, patience_s=0)
    with pytest.raises(RegistryUnavailable, match="lost the schemas"):
        reader_of_before.decode(b"\x00\x00\x00\x00\x01rest")
    with pytest.raises(RegistryUnavailable, match="lost the schemas"):
        provision(settings)
    assert not SchemaRegistry(settings).knows(Topic.LEDGER)
