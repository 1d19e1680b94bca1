"""Which subjects the Schema Registry knows: a question that changes nothing."""

import requests

from fraud_platform.adapters.registry import TIMEOUT_S, open_session
from fraud_platform.errors import ConfigurationError, RegistryUnavailable
from fraud_platform.settings import Settings
from fraud_platform.topology import TOPICS, Topic


def topics_without_schema(settings: Settings) -> list[Topic]:
    """The Avro topics whose subject is not registered.

    Raises:
        RegistryUnavailable: no answer, or none that makes sense.
        ConfigurationError: the registry refuses us, or there is no registry at the address.
    """
    known = _subjects(settings)
    return [topic for topic, spec in TOPICS.items() if spec.schema and settings.naming.subject(topic) not in known]


def _subjects(settings: Settings) -> set[str]:
    address = settings.require("SCHEMA_REGISTRY_URL").rstrip("/")
    try:
        with open_session(settings) as session:
            answer = session.get(f"{address}/subjects", timeout=TIMEOUT_S)
        found = answer.json() if answer.ok else None
    except requests.RequestException as error:
        raise RegistryUnavailable(f"The Schema Registry does not answer ({type(error).__name__}).") from None
    if isinstance(found, list):
        return {str(name) for name in found}
    if answer.status_code >= requests.codes.server_error:
        raise RegistryUnavailable(f"The Schema Registry answers with status {answer.status_code}.")
    raise ConfigurationError(
        f"The Schema Registry refuses the question for its subjects (status {answer.status_code});"
        " SCHEMA_REGISTRY_URL must be the address below which /subjects answers, with a user that may read."
    )
