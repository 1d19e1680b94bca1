"""What every Kafka client of ours has in common: address, security, quiet logs, quick reconnects."""

import logging
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, TypeVar

from confluent_kafka import KafkaException

from fraud_platform.errors import ConfigurationError
from fraud_platform.settings import Settings

_SECRET_WORDS = ("password", "secret", "key", "jaas", "token", "oauthbearer.config")
_SHORTEST_SECRET = 4
Client = TypeVar("Client")


class ClientLog(logging.LoggerAdapter[logging.Logger]):
    """librdkafka's own lines, one level down and without secrets.

    What matters reaches the caller as an exception; a broker that is away must not fill the log with
    one error per connection attempt.
    """

    def __init__(self, secrets: tuple[str, ...]) -> None:
        super().__init__(logging.getLogger("fraud_platform.kafka"), None)
        self._secrets = secrets

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Write the line at INFO, or at ERROR when librdkafka calls it critical."""
        text = str(msg) % args if args else str(msg)
        for secret in self._secrets:
            text = text.replace(secret, "***")
        super().log(logging.ERROR if level >= logging.CRITICAL else logging.INFO, "%s", text, **kwargs)

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Leave the line as it is."""
        return msg, kwargs


def client_config(settings: Settings) -> dict[str, Any]:
    """Properties for any confluent_kafka client; holds passwords, so never log it.

    The user's own `KAFKA_<PROPERTY>` settings win over our defaults; what an adapter needs to be
    correct (idempotence, isolation level) it sets on top.

    Raises:
        ConfigurationError: no address is known.
    """
    return {
        "client.id": f"{settings.prefix}fraud-platform",
        "log_level": 4,
        # librdkafka waits up to 10 s between attempts; a broker that is back should be used at once.
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": 2000,
        **settings.kafka_properties,
        "bootstrap.servers": settings.require("KAFKA_BOOTSTRAP_SERVERS"),
        "logger": ClientLog(_secrets(settings.kafka_properties)),
    }


def open_client(factory: Callable[[dict[str, Any]], Client], config: Mapping[str, Any]) -> Client:
    """Build a client, with librdkafka's complaint about a property as one sentence.

    Raises:
        ConfigurationError: librdkafka does not know a property, or not its value.
    """
    try:
        return factory(dict(config))
    except KafkaException as error:
        raise ConfigurationError(
            f"Kafka refuses the setting: {_complaint(error, config)}; look at the KAFKA_<PROPERTY> variables."
        ) from None


def _complaint(error: KafkaException, config: Mapping[str, Any]) -> str:
    text = str(error.args[0].str()) if error.args else "no reason given"
    for secret in _secrets(config):
        text = text.replace(secret, "***")
    return text.rstrip(".")


def _secrets(properties: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(
        value
        for name, value in properties.items()
        if isinstance(value, str) and len(value) >= _SHORTEST_SECRET and any(word in name for word in _SECRET_WORDS)
    )
