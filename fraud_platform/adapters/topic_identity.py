"""Kafka topic ids: a topic that was deleted and made again keeps its name and starts anew at offset 0.

A sink that compares offsets would then let old rows win, or overwrite them in silence; so it keeps the
id beside its data and refuses to go on when it changed.
"""

from collections.abc import Sequence

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from fraud_platform.adapters.kafka_config import client_config, open_client
from fraud_platform.adapters.kafka_errors import is_forbidden, raise_for
from fraud_platform.errors import BrokerUnavailable, ConfigurationError
from fraud_platform.settings import Settings
from fraud_platform.topology import Stage, Topic

TIMEOUT_S = 5.0


def topic_ids(settings: Settings, stage: Stage) -> dict[str, str]:
    """The Kafka id of each topic that `stage` reads, by its name on the broker.

    Raises:
        BrokerUnavailable: the broker does not answer, or a topic does not exist (yet).
    """
    return ids_of(settings, stage.reads, f"the topics that {stage.name} reads")


def ids_of(settings: Settings, topics: Sequence[Topic], what: str) -> dict[str, str]:
    """The Kafka id of each topic by its name on the broker; `what` names them in errors, which are as above."""
    names = [settings.naming.topic(topic) for topic in topics]
    client = open_client(AdminClient, client_config(settings))
    try:
        futures = client.describe_topics(TopicCollection(names), request_timeout=TIMEOUT_S)
        return {name: str(futures[name].result(timeout=2 * TIMEOUT_S).topic_id) for name in names}
    except (KafkaException, TimeoutError) as error:
        if isinstance(error, KafkaException) and is_forbidden(error.args[0]):
            raise_for(error.args[0], f"describe {what}")
        raise BrokerUnavailable(f"Kafka does not describe {what}.") from error


def require_same(present: tuple[str, str], stored: tuple[str, str], *, store: str, way_out: str) -> None:
    """Compare the (name, id) of Kafka's topic with those that a store was filled from.

    Raises:
        ConfigurationError: they differ; `way_out` tells how to go on.
    """
    if present != stored:
        raise ConfigurationError(
            f"{store} was filled from another Kafka topic ({stored[0]}, id {stored[1]}) than the present"
            f" {present[0]}, id {present[1]}, so that offsets cannot be compared; {way_out}."
        )
