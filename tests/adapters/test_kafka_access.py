"""Which refusals of a locked Kafka are final; the client here answers as told, each after a moment."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from fraud_platform.adapters import kafka_access
from fraud_platform.errors import ConfigurationError
from fraud_platform.runtime import drain, launch
from fraud_platform.runtime.worker import Progress
from fraud_platform.settings import Settings
from fraud_platform.topology import INGESTION

REFUSED = KafkaError._AUTHENTICATION
AWAY = KafkaError._TRANSPORT
WELL = 0


class Client:
    """Stands for librdkafka's: an error code per question, told to the callback at the next poll."""

    def __init__(self, answers: Iterator[int]) -> None:
        self.answers = answers
        self.asked = 0

    def open(self, _factory: object, config: dict[str, Any]) -> "Client":
        self.hear: Callable[[KafkaError], None] = config["error_cb"]
        return self

    def list_topics(self, timeout: float) -> None:
        self.asked += 1
        time.sleep(0.01)
        self.code = next(self.answers)
        if self.code:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))

    def poll(self, _timeout: float) -> None:
        self.hear(KafkaError(self.code))


def always(code: int) -> Iterator[int]:
    while True:
        yield code


def then(*codes: int, last: int) -> Iterator[int]:
    yield from codes
    yield from always(last)


@pytest.fixture
def locked() -> Settings:
    own = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9", "KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}
    return Settings.from_environment(own, embedded={})


@pytest.fixture
def ask(locked: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Client]:
    def question(answers: Iterator[int], **limits: float) -> Client:
        client = Client(answers)
        monkeypatch.setattr(kafka_access, "open_client", client.open)
        kafka_access.require_access(locked, **limits)
        return client

    return question


def test_refusals_that_go_on_are_final(ask: Callable[..., Client]) -> None:
    with pytest.raises(ConfigurationError, match="refuses our user or its password"):
        ask(always(REFUSED), patience_s=0.2)


def test_a_certificate_that_nobody_trusts_is_named(ask: Callable[..., Client]) -> None:
    with pytest.raises(ConfigurationError, match="certificate is not trusted"):
        ask(always(KafkaError._SSL), patience_s=0.2)


def test_a_broker_that_refuses_only_while_it_starts_is_waited_for(ask: Callable[..., Client]) -> None:
    assert ask(then(*[REFUSED] * 10, last=WELL), patience_s=60).asked == 11


def test_refusals_do_not_count_before_they_have_gone_on_for_a_while(ask: Callable[..., Client]) -> None:
    began = time.monotonic()
    with pytest.raises(ConfigurationError):
        ask(always(REFUSED), patience_s=0.5)
    assert time.monotonic() - began >= 0.5


def test_who_only_looks_need_not_wait(ask: Callable[..., Client]) -> None:
    with pytest.raises(ConfigurationError):
        ask(then(REFUSED, REFUSED, last=WELL), patience_s=0)


def test_a_broker_that_is_merely_away_passes(ask: Callable[..., Client]) -> None:
    ask(always(AWAY), timeout_s=0.1)


def test_one_refusal_of_a_broker_that_then_goes_away_is_not_final(ask: Callable[..., Client]) -> None:
    ask(then(REFUSED, last=AWAY), timeout_s=0.1, patience_s=0.1)


def test_a_refusal_that_is_heard_late_has_its_time_too(ask: Callable[..., Client]) -> None:
    with pytest.raises(ConfigurationError, match="refuses our user"):
        ask(then(*[AWAY] * 40, last=REFUSED), timeout_s=0.5, patience_s=0.5)


def test_an_open_kafka_is_not_asked_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_access, "open_client", None)
    kafka_access.require_access(Settings.from_environment({}, embedded={"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"}))


def test_a_drain_asks_once(locked: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(drain, "require_access", lambda _: asked.append("drain"))
    monkeypatch.setattr(launch, "require_access", lambda _: asked.append("slot"))
    for name in ("end_offsets", "AvroReader", "SchemaRegistry"):
        monkeypatch.setattr(drain, name, lambda *_: {})
    monkeypatch.setattr(drain.admin, "committed_offsets", lambda *_: {})
    monkeypatch.setattr(drain.admin, "end_offsets", lambda *_: {})
    monkeypatch.setattr(drain, "read_ledger", lambda *_, **__: [])
    monkeypatch.setattr(drain, "_others", lambda *_: False)
    passed = iter([False, True])
    monkeypatch.setattr(drain, "_passed", lambda *_: next(passed))
    ran: list[Progress | None] = []
    monkeypatch.setattr(launch, "_assemble_patiently", lambda *_: ran.append(None))
    drain.drain(locked, INGESTION)
    assert (asked, ran) == (["drain"], [None])
