"""A service that is slow, broken or lying costs a bounded time and is never believed."""

import gzip
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from fraud_platform.adapters import validator
from fraud_platform.adapters.validator import FIRST_ANSWER_S, ValidatorClient
from fraud_platform.core.decisions import Decision
from fraud_platform.core.questions import Question
from fraud_platform.errors import ConfigurationError, ValidatorUnavailable
from tests.adapters.hostile import UNHURRIED, Behaviour, HostileServer, Seen, decision, hostile, obliging, reply
from tests.validator_api.builders import typed

BUDGET_S = 0.3
MARGIN_S = 5
"""What a machine at work may add; `SHORT` has every limit but the budget far above both."""
SHORT = UNHURRIED | {"budget_s": BUDGET_S}
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@contextmanager
def asking(behave: Behaviour, **limits: float) -> Iterator[tuple[HostileServer, ValidatorClient]]:
    with hostile(behave) as server:
        client = ValidatorClient(server.url, **(limits or UNHURRIED))
        yield server, client
        client.close()


def always(answer: bytes) -> Behaviour:
    return lambda _seen, _connection: answer


def drip(head: bytes) -> Behaviour:
    """One byte each 20 ms, for ever: every single read succeeds."""

    def behave(_seen: Seen, connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(b" ")
            time.sleep(0.02)

    return behave


def hang(_seen: Seen, connection: socket.socket) -> None:
    connection.recv(1)


def batch_of(*results: object) -> bytes:
    return reply(200, {"results": list(results)})


@pytest.mark.parametrize(
    "behave",
    [
        pytest.param(drip(b"HTTP/1.1 200 OK\r\nX-Slow:"), id="headers that drip"),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"), id="a body that drips"),
        pytest.param(hang, id="no reply"),
        pytest.param(always(b""), id="silence"),
        pytest.param(always(reply(503)), id="503"),
        pytest.param(always(reply(429, None, "Retry-After: 99")), id="429 for longer than the budget"),
        pytest.param(always(reply(200, b"{")), id="bad JSON"),
        pytest.param(always(reply(200, b"\xff")), id="bad UTF-8"),
        pytest.param(always(reply(200, b"[" * 100_000)), id="deep nesting"),
        pytest.param(always(reply(200, b"[]")), id="another shape"),
        pytest.param(always(batch_of()), id="too few results"),
        pytest.param(always(batch_of(decision("t-1"), decision("t-2"))), id="too many results"),
        pytest.param(always(batch_of(decision("another"))), id="another transaction"),
        pytest.param(always(batch_of(decision("t-1", action="BLOCK"))), id="a contradiction"),
        pytest.param(always(batch_of(decision("t-1", action="MAYBE"))), id="an unknown action"),
        pytest.param(always(batch_of(decision("t-1", is_fraudulent_transaction="no"))), id="a wrong type"),
        pytest.param(always(batch_of({"transaction_id": "t-1"})), id="no decision"),
        pytest.param(always(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}"), id="a short body"),
        pytest.param(always(b"nonsense\r\n\r\n"), id="no HTTP"),
    ],
)
def test_a_useless_reply_ends_within_the_budget(behave: Behaviour) -> None:
    with asking(behave, **SHORT) as (_, client):
        began = time.monotonic()
        with pytest.raises(ValidatorUnavailable, match=r"no usable answer within 0.3 s: [^.]+\.$"):
            client.judge([typed()])
        assert time.monotonic() - began < BUDGET_S + MARGIN_S


def test_a_dripping_server_is_hung_up_on() -> None:
    """Its every byte comes in time, so no socket timeout would ever free the thread that reads them."""
    hung_up = threading.Event()

    def behave(seen: Seen, connection: socket.socket) -> None:
        try:
            drip(b"HTTP/1.1 200 OK\r\nX-Slow:")(seen, connection)
        except OSError:
            hung_up.set()

    with asking(behave, **SHORT) as (server, client):
        while not server.requests:  # one budget may be too short even to connect
            with pytest.raises(ValidatorUnavailable):
                client.judge([typed()])
        assert hung_up.wait(60)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(reply(200, b" " * (10 * 1024 * 1024)), id="10 MB"),
        pytest.param(CHUNKED + b"A00000\r\n" + b" " * (10 * 1024 * 1024), id="10 MB of unknown length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5_000, id="a length without end"),
        pytest.param(reply(200, gzip.compress(b" " * 300_000_000, 1), "Content-Encoding: gzip"), id="a gzip bomb"),
    ],
)
def test_a_huge_reply_is_not_kept(answer: bytes) -> None:
    with asking(always(answer), **SHORT) as (_, client):
        tracemalloc.start()
        with pytest.raises(ValidatorUnavailable):
            client.judge([typed()])
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 20 * 1024 * 1024


def test_a_server_that_accepts_nobody_costs_the_budget_and_no_more() -> None:
    """The kernel opens the connection for it, up to the backlog; then even that stays without an answer."""
    with socket.create_server(("127.0.0.1", 0), backlog=1) as listener:
        client = ValidatorClient(f"http://127.0.0.1:{listener.getsockname()[1]}/validate", **SHORT)
        for _ in range(4):
            began = time.monotonic()
            with pytest.raises(ValidatorUnavailable, match="no usable answer"):
                client.judge([typed()])
            assert time.monotonic() - began < BUDGET_S + MARGIN_S
        client.close()


def test_nobody_is_waited_for_longer_than_a_first_answer_may_take() -> None:
    """Partitions are to be paused three seconds after the validator's end, whatever the budget."""
    # The last try may begin so late that its own reply is not waited for.
    told = pytest.raises(ValidatorUnavailable, match=f"within {FIRST_ANSWER_S} s: (status 503|no reply in time)")
    with asking(always(reply(503)), budget_s=30) as (_, client), told:
        client.judge([typed()])


def test_a_service_that_has_answered_once_may_use_the_whole_budget() -> None:
    def behave(seen: Seen, _connection: socket.socket) -> bytes:
        is_late = seen.path.endswith("/validate") and time.monotonic() - began < FIRST_ANSWER_S + 0.2
        return reply(503) if is_late else reply(404) if seen.path.endswith("/batch") else obliging(seen)

    began = time.monotonic()
    with asking(behave, budget_s=30) as (_, client):
        assert isinstance(client.judge([typed()])[0], Decision)
    assert time.monotonic() - began > FIRST_ANSWER_S


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_passing_fault_is_asked_again(status: int) -> None:
    def behave(seen: Seen, _connection: socket.socket) -> bytes:
        return obliging(seen) if len(server.requests) > 2 else reply(status)

    with asking(behave) as (server, client):
        (answer,) = client.judge([typed()])
    assert isinstance(answer, Decision)
    assert len(server.requests) == 3


def test_a_reset_connection_is_asked_again() -> None:
    def behave(seen: Seen, _connection: socket.socket) -> bytes | None:
        return obliging(seen) if len(server.requests) > 1 else None

    with asking(behave) as (server, client):
        assert isinstance(client.judge([typed()])[0], Decision)


def test_a_refused_connection_is_unavailable_and_no_probe_passes() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    client = ValidatorClient(f"http://127.0.0.1:{port}/validate", budget_s=2)
    with pytest.raises(ValidatorUnavailable, match="no connection"):
        client.judge([typed()])
    assert not client.probe()
    client.close()


@pytest.mark.parametrize(
    ("status", "says"), [(401, "API_KEY"), (403, "API_KEY"), (404, "URL"), (301, "redirects"), (418, "418")]
)
def test_what_a_person_must_change_is_told_at_once(status: int, says: str) -> None:
    with asking(always(reply(status, None, "Location: http://127.0.0.1:1/"))) as (server, client):
        began = time.monotonic()
        with pytest.raises(ConfigurationError, match=says):
            client.judge([typed()])
        assert time.monotonic() - began < UNHURRIED["budget_s"] / 4
        assert set(server.paths()) <= {"/validate", "/validate/batch"}


def test_a_key_and_a_query_string_are_in_no_error() -> None:
    with hostile(always(reply(403))) as server:
        address = server.url.replace("http://", "http://user:s3cret@") + "?token=s3cret"
        client = ValidatorClient(address, api_key="s3cret", **UNHURRIED)
        with pytest.raises(ConfigurationError) as caught:
            client.judge([typed()])
        client.close()
    assert "s3cret" not in str(caught.value)


def test_a_stop_ends_the_wait_early() -> None:
    with asking(hang) as (server, client):
        began = time.monotonic()
        with pytest.raises(ValidatorUnavailable, match="stop"):
            client.judge([typed()], stop=lambda: len(server.requests) > 0)
        assert time.monotonic() - began < UNHURRIED["budget_s"] / 4


@pytest.mark.parametrize(
    ("behave", "passes"), [(obliging, True), (always(reply(404)), True), (always(reply(503)), False)]
)
def test_a_probe_is_one_request(monkeypatch: pytest.MonkeyPatch, behave: Behaviour, passes: bool) -> None:
    monkeypatch.setattr(validator, "_PROBE_S", 60)
    with asking(behave) as (server, client):
        assert client.probe() is passes
        assert [(seen.method, seen.path) for seen in server.requests] == [("GET", "/readyz")]


def test_a_probe_takes_a_second_at_most() -> None:
    with asking(drip(b"HTTP/1.1 200 OK\r\nX-Slow:")) as (_, client):
        began = time.monotonic()
        assert not client.probe()
        assert time.monotonic() - began < 1 + MARGIN_S


def test_after_a_failed_call_the_client_still_works() -> None:
    def behave(seen: Seen, connection: socket.socket) -> bytes | None:
        return obliging(seen) if recovered.is_set() else drip(b"HTTP/1.1 200")(seen, connection)

    recovered = threading.Event()
    with asking(behave, **SHORT) as (_, client):
        with pytest.raises(ValidatorUnavailable):
            client.judge([typed()])
        recovered.set()
        client._budget_s = UNHURRIED["budget_s"]  # only the first call is to fail
        assert isinstance(client.judge([typed()])[0], Decision)


def until_answered(ask: Callable[[], list[object]], tries: int) -> tuple[Sequence[object], int]:
    """The answers, and how many calls failed before."""
    for failed in range(tries):
        try:
            return ask(), failed
        except ValidatorUnavailable:
            continue
    return [], tries


def test_a_service_too_slow_for_one_budget_gets_through_in_several() -> None:
    """Without what a failed call learned, each call would start over and none would ever end."""

    def behave(seen: Seen, _connection: socket.socket) -> bytes:
        if seen.path.endswith("/batch"):
            return reply(404)
        time.sleep(0.1)
        return obliging(seen)

    questions: list[Question] = [typed(f"t-{number}") for number in range(50)]  # 8 at a time: 0.7 s
    with asking(behave, **SHORT) as (server, client):
        answers, failed = until_answered(lambda: list(client.judge(questions)), tries=100)
    assert len(answers) == 50
    assert failed > 0
    asked = [seen.json["transaction_id"] for seen in server.requests if seen.path == "/validate"]
    assert len(asked) <= 50 + 8 * failed  # again only what was under way when a call failed
