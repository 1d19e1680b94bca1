"""The banks stop before a topic of limited size drops what nobody has read."""

from datetime import UTC, datetime

import pytest

from fraud_platform.banks.generator import TransferGenerator
from fraud_platform.banks.population import Population
from fraud_platform.banks.room import RECORD_BYTES, has_room, look
from fraud_platform.settings import Settings
from fraud_platform.topology import BANKS, Topic
from tests.stages.flow import wait_for

INPUT = Topic.BANK_TRANSACTIONS


def test_an_unlimited_topic_always_has_room() -> None:
    assert has_room({INPUT: -1}, {INPUT: 10**12})


def test_a_topic_less_than_half_full_has_room() -> None:
    assert has_room({INPUT: 20 * RECORD_BYTES[INPUT]}, {INPUT: 9})


def test_a_half_full_topic_has_none() -> None:
    assert not has_room({INPUT: 20 * RECORD_BYTES[INPUT]}, {INPUT: 10})


def test_one_full_topic_is_enough_to_pause() -> None:
    limits = {INPUT: -1, Topic.LABELS: 10 * RECORD_BYTES[Topic.LABELS]}
    assert not has_room(limits, {Topic.LABELS: 5})


def test_the_banks_records_weigh_no_more_than_is_assumed() -> None:
    generator = TransferGenerator(Population(7, customers=50), run=1)
    made = [generator.next(datetime(2026, 1, 31, tzinfo=UTC)) for _ in range(1000)]
    lines = [each for transfer in made for each in transfer.labelled_lines]
    sizes = {
        Topic.BANK_TRANSACTIONS: [len(transfer.key + transfer.value) for transfer in made],
        Topic.STATEMENTS: [len(line.key + line.value) for line, _ in lines],
        Topic.LABELS: [len(line.transaction_id + label) for line, label in lines],
    }
    assert sizes.keys() == RECORD_BYTES.keys() == set(BANKS.writes)
    for topic, found in sizes.items():
        assert sum(found) / len(found) <= RECORD_BYTES[topic], topic


@pytest.mark.services
def test_a_real_topic_of_limited_size_fills_up(platform_settings: Settings) -> None:
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

    address = {"bootstrap.servers": platform_settings.require("KAFKA_BOOTSTRAP_SERVERS")}
    name = platform_settings.naming.topic(INPUT)
    assert look(platform_settings)
    limit = ConfigEntry("retention.bytes", str(10 * RECORD_BYTES[INPUT]), incremental_operation=AlterConfigOpType.SET)
    change = ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=[limit])
    client = AdminClient(address)
    for future in client.incremental_alter_configs([change]).values():
        future.result(10)
    assert look(platform_settings)
    producer = Producer(address)
    for _ in range(5):
        producer.produce(name, b"x", partition=0)
    assert producer.flush(10) == 0
    wait_for(lambda: not look(platform_settings))
