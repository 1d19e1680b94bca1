import time

import pytest

from fraud_platform.adapters.producer import InputProducer
from fraud_platform.adapters.reader import TopicReader
from fraud_platform.errors import BrokerUnavailable, ConfigurationError
from fraud_platform.settings import Settings
from fraud_platform.topology import Topic


@pytest.mark.services
def test_keys_lie_where_a_java_client_would_put_them(platform_settings):
    """Partitions of 4 by Java's `Utils.murmur2`, as its own test vectors give the hash."""
    java = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536}
    with TopicReader(platform_settings, Topic.LABELS) as reader:
        before = {partition: end for partition, (_, end) in reader.bounds().items()}
        producer = InputProducer(platform_settings)
        for key in java:
            producer.send(Topic.LABELS, key, b"{}")
        assert producer.close(10) == 0
        ends = {partition: end for partition, (_, end) in reader.bounds().items()}
        found = {record.key: record.partition for record in reader.read(before, ends)}
    assert found == {key: (murmur2 & 0x7FFFFFFF) % len(ends) for key, murmur2 in java.items()}


@pytest.mark.services
def test_a_value_of_several_megabytes_is_the_topic_s_to_judge(platform_settings):
    producer = InputProducer(platform_settings)
    producer.send(Topic.BANK_TRANSACTIONS, b"k", b"x" * 3_000_000)
    producer.close(10)
    assert producer.delivered == {Topic.BANK_TRANSACTIONS: 1}


@pytest.mark.services
def test_a_missing_topic_is_named(platform_settings):
    address = platform_settings.require("KAFKA_BOOTSTRAP_SERVERS")
    elsewhere = Settings(KAFKA_BOOTSTRAP_SERVERS=address, FRAUD_PREFIX="nowhere.")
    with pytest.raises(ConfigurationError, match=r"no topic nowhere\.labels; run `make up`"):
        InputProducer(elsewhere).require_topics([Topic.LABELS])


def test_a_broker_that_is_away_is_one_sentence():
    producer = InputProducer(Settings(KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1"))
    with pytest.raises(BrokerUnavailable, match=r"^Kafka does not answer .*is it running\?$"):
        producer.require_topics([Topic.LABELS], timeout_s=0.5)


@pytest.mark.services
def test_a_full_queue_is_waited_for(platform_settings):
    small = {"queue.buffering.max.messages": "5"}
    producer = InputProducer(platform_settings.model_copy(update={"kafka_properties": small}))
    for number in range(200):
        producer.send(Topic.LABELS, None, b"%d" % number)
    assert producer.close(10) == 0
    assert producer.delivered == {Topic.LABELS: 200}


def test_a_queue_that_stays_full_is_given_up(monkeypatch):
    producer = InputProducer(Settings(KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1"), delivery_timeout_s=0.3)
    monkeypatch.setattr(producer, "_queued", lambda *_: False)
    began = time.monotonic()
    with pytest.raises(BrokerUnavailable, match="send queue stays full"):
        producer.send(Topic.LABELS, None, b"{}")
    assert time.monotonic() - began >= 0.3
