"""Whether a locked Kafka lets us in, asked before work begins.

A refused password and a certificate that nobody trusts look like a broker that does not answer to every other
call: librdkafka tries for ever and tells the reason to its error callback only.
"""

import time

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from fraud_platform.adapters.kafka_config import client_config, open_client
from fraud_platform.errors import ConfigurationError
from fraud_platform.settings import Settings

TIMEOUT_S = 5.0
ENOUGH = 2
"""Refusals in a row; a broker that is starting may refuse once before it has read its users."""
_REFUSALS = {
    KafkaError._AUTHENTICATION: (  # noqa: SLF001 - librdkafka's own codes are spelled so, and public
        "Kafka refuses our user or its password; look at KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and"
        " KAFKA_SASL_PASSWORD."
    ),
    KafkaError._SSL: (  # noqa: SLF001 - as above
        "No secure connection to Kafka: its certificate is not trusted or does not fit; KAFKA_SSL_CA_LOCATION must"
        " name the file of the authority that signed it."
    ),
}


def require_access(settings: Settings, *, timeout_s: float = TIMEOUT_S) -> None:
    """Connect once when the settings speak of security; a broker that is merely away passes.

    Raises:
        ConfigurationError: Kafka refuses our user, or its certificate is not trusted.
    """
    if "security.protocol" not in settings.kafka_properties:
        return
    seen: list[int] = []
    config = {**client_config(settings), "error_cb": lambda error: seen.append(error.code())}
    client = open_client(AdminClient, config)
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            client.list_topics(timeout=0.5)
        except KafkaException:
            client.poll(0.1)
        else:
            return
        for code, sentence in _REFUSALS.items():
            if seen.count(code) >= ENOUGH:
                raise ConfigurationError(sentence)
