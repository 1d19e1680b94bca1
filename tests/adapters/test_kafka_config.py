import logging

import pytest
from confluent_kafka import Producer

from fraud_platform.adapters.kafka_config import ClientLog, client_config, open_client
from fraud_platform.errors import ConfigurationError
from fraud_platform.settings import Settings


def _settings(**properties):
    named = {name.replace("_", "."): value for name, value in properties.items()}
    return Settings(KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1", FRAUD_PREFIX="x.", kafka_properties=named)


def test_address_name_and_quick_reconnects_are_there():
    config = client_config(_settings())
    assert config["bootstrap.servers"] == "127.0.0.1:1"
    assert config["client.id"] == "x.fraud-platform"
    assert (config["reconnect.backoff.ms"], config["reconnect.backoff.max.ms"]) == (100, 2000)


def test_the_user_s_own_properties_win():
    config = client_config(_settings(client_id="theirs", security_protocol="SASL_SSL"))
    assert (config["client.id"], config["security.protocol"]) == ("theirs", "SASL_SSL")


def test_an_unknown_address_says_what_to_do():
    with pytest.raises(ConfigurationError, match="make up"):
        client_config(Settings())


def test_an_unknown_property_is_one_sentence():
    with pytest.raises(ConfigurationError, match=r"heap\.opts.*KAFKA_<PROPERTY>"):
        open_client(Producer, client_config(_settings(heap_opts="-Xmx1g")))


def test_a_complaint_never_shows_a_password():
    config = {**client_config(_settings(ssl_key_password="hunter22")), "security.protocol": "hunter22"}
    with pytest.raises(ConfigurationError) as complaint:
        open_client(Producer, config)
    assert "hunter22" not in str(complaint.value)


def test_librdkafka_s_lines_lose_secrets_and_loudness(caplog):
    caplog.set_level(logging.DEBUG)
    log = ClientLog(("hunter22",))
    log.log(logging.ERROR, "%s: %s", "FAIL", "cannot log in with hunter22")
    log.log(logging.CRITICAL, "fatal")
    assert [(line.levelname, line.getMessage()) for line in caplog.records] == [
        ("INFO", "FAIL: cannot log in with ***"),
        ("ERROR", "fatal"),
    ]


def test_a_client_without_its_broker_prints_nothing(capfd):
    producer = open_client(Producer, client_config(_settings()))
    for _ in range(10):
        producer.poll(0.05)
    assert capfd.readouterr() == ("", "")
