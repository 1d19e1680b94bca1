"""The Schema Registry over its Confluent-compatible HTTP API.

Three calls are all we need; the client that ships with confluent-kafka wants five more packages for
them (ARCHITECTURE.md, "Dependencies").
"""

import json
import threading
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

import requests

from fraud_platform.errors import ConfigurationError, RegistryUnavailable
from fraud_platform.settings import Settings
from fraud_platform.topology import TOPICS, Topic

TIMEOUT_S = (2.0, 5.0)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_OK, _CLIENT_ERROR, _NOT_FOUND, _SERVER_ERROR = 200, 400, 404, 500
_REFUSED = frozenset({401, 403})
_SCHEMA_NOT_FOUND = 40403
"""The registry's own code: a 404 without it may come from whatever stands before the registry."""
_LAST_ID = 2**31 - 1
LOST = (
    "The Schema Registry has lost the schemas of records that lie in Kafka; nothing is read or written until"
    " it is restored (docs/operations.md)."
)


class UnknownSchema(Exception):
    """The registry answers, and knows no schema of this id."""


class UnusableSchema(Exception):
    """There is a schema of this id, and it is none that we can decode with; the text completes "the schema ..."."""


def load_schema(name: str) -> dict[str, Any]:
    """The Avro schema file `fraud_platform/schemas/<name>.avsc` as JSON."""
    text = resources.files("fraud_platform").joinpath("schemas", f"{name}.avsc").read_text()
    schema: dict[str, Any] = json.loads(text)
    return schema


def open_session(settings: Settings) -> requests.Session:
    """A session with the registry's user; a proxy of the environment is no way to this machine itself."""
    session = requests.Session()
    session.trust_env = urlsplit(settings.require("SCHEMA_REGISTRY_URL")).hostname not in _LOOPBACK
    if settings.schema_registry_user and settings.schema_registry_password:
        session.auth = (settings.schema_registry_user, settings.schema_registry_password.get_secret_value())
    return session


class SchemaRegistry:
    """Registers our schemas and resolves ids; answers are cached, since an id never changes its schema."""

    def __init__(self, settings: Settings) -> None:
        self._base = settings.require("SCHEMA_REGISTRY_URL").rstrip("/")
        self._naming = settings.naming
        self._session = open_session(settings)
        self._schemas: dict[int, dict[str, Any]] = {}
        self._lock = threading.Lock()

    def register(self, topic: Topic) -> int:
        """Register the topic's schema under its subject and return its id; repeating it changes nothing.

        Raises:
            RegistryUnavailable: no answer.
            ConfigurationError: the registry refuses the schema (incompatible with an earlier version) or us.
        """
        name = TOPICS[topic].schema
        if name is None:
            raise ValueError(f"{topic} carries no Avro")
        body = {"schema": json.dumps(load_schema(name)), "schemaType": "AVRO"}
        answer = self._call("POST", f"/subjects/{self._naming.subject(topic)}/versions", json=body)
        if answer.status_code >= _CLIENT_ERROR:
            raise ConfigurationError(
                f"The Schema Registry refuses the schema of {topic} with status {answer.status_code}; "
                "it must be backward compatible with the registered one, and our user must be allowed to write it."
            )
        found = _fields_of(answer).get("id")
        if not isinstance(found, int):
            raise RegistryUnavailable(f"The Schema Registry's answer makes no sense (status {answer.status_code}).")
        return found

    def register_all(self) -> dict[Topic, int]:
        """Register the schema of every Avro topic; see `register` for the errors."""
        return {topic: self.register(topic) for topic, spec in TOPICS.items() if spec.schema}

    def schema(self, schema_id: int) -> dict[str, Any]:
        """The writer's schema behind an id of the wire format.

        Raises:
            UnknownSchema: the registry has no such id.
            UnusableSchema: it is no Avro.
            RegistryUnavailable: no answer, none that makes sense, or the registry has lost what it knew.
        """
        with self._lock:
            known = self._schemas.get(schema_id)
        if known is not None:
            return known
        schema = self._look_up(schema_id)
        with self._lock:
            self._schemas[schema_id] = schema
        return schema

    def _look_up(self, schema_id: int) -> dict[str, Any]:
        if schema_id > _LAST_ID:
            raise UnknownSchema(schema_id)
        answer = self._call("GET", f"/schemas/ids/{schema_id}")
        found = _fields_of(answer)
        if answer.status_code == _NOT_FOUND and found.get("error_code") == _SCHEMA_NOT_FOUND:
            if not self.knows(Topic.LEDGER):
                raise RegistryUnavailable(LOST)
            raise UnknownSchema(schema_id)
        if answer.status_code in _REFUSED:
            raise ConfigurationError(f"The Schema Registry refuses to be read: status {answer.status_code}.")
        text = found.get("schema")
        if answer.status_code >= _CLIENT_ERROR or not isinstance(text, str):
            # A proxy's own page, or a wrong path: nothing that says whether the schema exists.
            raise RegistryUnavailable(f"The Schema Registry's answer makes no sense (status {answer.status_code}).")
        if found.get("schemaType", "AVRO") != "AVRO":
            raise UnusableSchema("is not Avro")
        try:
            schema: dict[str, Any] = json.loads(text)
        except (ValueError, RecursionError):
            raise UnusableSchema("is not JSON") from None
        return schema

    def knows(self, topic: Topic) -> bool:
        """Whether the topic's schema is registered; raises RegistryUnavailable."""
        answer = self._call("GET", f"/subjects/{self._naming.subject(topic)}/versions")
        if answer.status_code not in (_OK, _NOT_FOUND):
            raise ConfigurationError(f"The Schema Registry refuses to be read: status {answer.status_code}.")
        return answer.status_code == _OK

    def ready(self) -> bool:
        """Whether the registry answers."""
        try:
            return self._call("GET", "/subjects").status_code < _CLIENT_ERROR
        except RegistryUnavailable:
            return False

    def _call(self, method: str, path: str, **arguments: Any) -> requests.Response:
        try:
            answer = self._session.request(method, self._base + path, timeout=TIMEOUT_S, **arguments)
        except requests.RequestException as error:
            raise RegistryUnavailable(f"The Schema Registry does not answer ({type(error).__name__}).") from error
        if answer.status_code >= _SERVER_ERROR:
            raise RegistryUnavailable(f"The Schema Registry answers with status {answer.status_code}.")
        return answer


def _fields_of(answer: requests.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except requests.RequestException:
        return {}
    return found if isinstance(found, dict) else {}
