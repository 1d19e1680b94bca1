import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from fraud_platform.adapters.registry import (
    SchemaRegistry,
    UnknownSchema,
    UnusableSchema,
    load_schema,
    open_session,
)
from fraud_platform.adapters.subjects import topics_without_schema
from fraud_platform.errors import ConfigurationError, RegistryUnavailable
from fraud_platform.settings import Settings
from fraud_platform.topology import Topic
from tests.adapters.hostile import HostileServer, Seen, hostile, reply

SCHEMA = load_schema("transaction")
NOT_FOUND = {"error_code": 40403, "message": "Schema 7 not found."}


@contextmanager
def answering(answer: bytes | Callable[[], bytes]) -> Iterator[tuple[HostileServer, SchemaRegistry]]:
    def behave(seen: Seen, _connection: socket.socket) -> bytes:
        if seen.path.startswith("/subjects/"):
            return reply(200, [1])
        return answer if isinstance(answer, bytes) else answer()

    with hostile(behave) as server:
        yield server, SchemaRegistry(Settings.from_environment({"SCHEMA_REGISTRY_URL": server.address}, embedded={}))


def test_a_schema_is_asked_for_once() -> None:
    with answering(reply(200, {"schema": json.dumps(SCHEMA)})) as (server, registry):
        assert registry.schema(7) == registry.schema(7) == SCHEMA
    assert server.paths() == ["/schemas/ids/7"]


def test_an_unknown_id_is_told_by_the_registrys_own_code() -> None:
    with answering(reply(404, NOT_FOUND)) as (_, registry), pytest.raises(UnknownSchema):
        registry.schema(7)


def test_an_id_that_no_registry_gives_is_not_asked_for() -> None:
    with answering(reply(500)) as (server, registry), pytest.raises(UnknownSchema):
        registry.schema(2**31)
    assert server.requests == []


@pytest.mark.parametrize(
    "answer",
    [
        reply(404, b"<html>Not Found</html>"),
        reply(404, {"error_code": 404}),
        reply(404, []),
        reply(200, b"<html>welcome</html>"),
        reply(200, {"id": 7}),
        reply(200, {"schema": 5}),
        reply(400, {"error_code": 42201}),
        reply(429),
        reply(500, NOT_FOUND),
        reply(503),
    ],
    ids=["page", "other code", "list", "welcome", "no schema", "number", "400", "429", "500", "503"],
)
def test_an_answer_that_does_not_say_whether_there_is_a_schema_pauses(answer: bytes) -> None:
    """A record must never become a dead letter for what stands between us and the registry."""
    with answering(answer) as (_, registry), pytest.raises(RegistryUnavailable) as raised:
        registry.schema(7)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_needs_a_person(status: int) -> None:
    with answering(reply(status)) as (_, registry), pytest.raises(ConfigurationError, match=str(status)):
        registry.schema(7)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"schema": 'syntax = "proto3";', "schemaType": "PROTOBUF"}, "is not Avro"),
        ({"schema": "{}", "schemaType": "JSON"}, "is not Avro"),
        ({"schema": "{"}, "is not JSON"),
        ({"schema": "[" * 100_000}, "is not JSON"),
    ],
)
def test_a_schema_that_is_no_avro_is_a_fault_of_the_record(answer: dict[str, str], said: str) -> None:
    with answering(reply(200, answer)) as (_, registry), pytest.raises(UnusableSchema, match=said):
        registry.schema(7)


def test_registering_understands_no_page_of_a_proxy() -> None:
    with answering(reply(200, b"<html>welcome</html>")) as (_, registry), pytest.raises(RegistryUnavailable):
        registry.register(Topic.USERS)


@pytest.mark.services
def test_a_proxy_of_the_shell_does_not_stand_before_the_embedded_registry(
    platform_settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert SchemaRegistry(platform_settings).register_all()
    assert topics_without_schema(platform_settings) == []


def test_a_registry_elsewhere_is_asked_through_the_proxy_and_with_its_user():
    environment = {
        "SCHEMA_REGISTRY_URL": "https://registry.example.com",
        "SCHEMA_REGISTRY_USER": "ann",
        "SCHEMA_REGISTRY_PASSWORD": "secret",
    }
    session = open_session(Settings.from_environment(environment, embedded={}))
    assert session.trust_env
    assert session.auth == ("ann", "secret")
