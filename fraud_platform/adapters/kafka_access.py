"""Whether a locked Kafka lets us in, asked before work begins.

A refused password and a certificate that nobody trusts look like a broker that does not answer to every other
call: librdkafka tries for ever and tells the reason to its error callback only.
"""

import time
from collections.abc import Iterable, Sequence

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from fraud_platform.adapters.kafka_config import client_config, open_client
from fraud_platform.errors import ConfigurationError
from fraud_platform.settings import Settings

TIMEOUT_S = 5.0
ENOUGH = 2
PATIENCE_S = 5.0
"""How long refusals must go on: a broker that is starting refuses until it has read its users."""
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


def require_access(settings: Settings, *, timeout_s: float = TIMEOUT_S, patience_s: float = PATIENCE_S) -> None:
    """Connect once when the settings speak of security; a broker that is merely away passes.

    Args:
        settings: where Kafka is, and as whom we come.
        timeout_s: how long a broker may take that neither answers nor refuses.
        patience_s: how long refusals must go on before they count.

    Raises:
        ConfigurationError: Kafka refuses our user, or its certificate is not trusted.
    """
    if "security.protocol" not in settings.kafka_properties:
        return
    refusals: dict[int, list[float]] = {code: [] for code in _REFUSALS}

    def hear(error: KafkaError) -> None:
        refusals.get(error.code(), []).append(time.monotonic())

    client = open_client(AdminClient, {**client_config(settings), "error_cb": hear})
    began = time.monotonic()
    while time.monotonic() < _deadline(began + timeout_s, refusals.values(), patience_s):
        try:
            client.list_topics(timeout=0.5)
        except KafkaException:
            client.poll(0.1)
        else:
            return
        for code, heard_at in refusals.items():
            if len(heard_at) >= ENOUGH and heard_at[-1] - heard_at[0] >= patience_s:
                raise ConfigurationError(_REFUSALS[code])


def _deadline(silent_until: float, refusals: Iterable[Sequence[float]], patience_s: float) -> float:
    """When to give up asking: a refusal has its time from when it was first heard, however late that was."""
    return max([silent_until, *(heard_at[0] + 2 * patience_s for heard_at in refusals if heard_at)])
