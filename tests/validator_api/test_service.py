import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.validator_api.builders import question
from tests.validator_api.rule_sets import DEFAULT, MULE, saved
from tests.validator_api.service import running_validator

KEY = "a-key-for-tests"


@pytest.fixture(scope="module")
def guarded() -> Iterator[str]:
    with running_validator(api_key=KEY) as address:
        yield address


def error_of(reply: requests.Response) -> dict[str, str]:
    assert reply.headers["content-type"] == "application/json"
    body: dict[str, Any] = reply.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"type", "reason"}
    error: dict[str, str] = body["error"]
    return error


def test_one_transfer_is_judged(service: str, client: requests.Session) -> None:
    reply = client.post(f"{service}/validate", json=question(amount=10000))
    assert reply.status_code == 200
    assert reply.json()["action"] == "REVIEW"


def test_a_batch_is_judged(service: str, client: requests.Session) -> None:
    reply = client.post(f"{service}/validate/batch", json=[question("t-1"), {"transaction_id": "t-2"}])
    assert reply.status_code == 200
    assert [sorted(result) for result in reply.json()["results"]] == [
        sorted(
            [
                "transaction_id",
                "is_fraudulent_transaction",
                "action",
                "hits",
                "rule_set_version",
                "not_evaluable",
            ]
        ),
        ["error", "transaction_id"],
    ]


def test_the_rules_are_told_with_their_version(service: str, client: requests.Session) -> None:
    reply = client.get(f"{service}/rules")
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/json")
    told = reply.json()
    assert told == {"version": DEFAULT.rule_set.version, "rule_set": json.loads(DEFAULT.rule_set.canonical())}
    assert client.post(f"{service}/validate", json=question()).json()["rule_set_version"] == told["version"]


def test_sixteen_clients_at_once_each_get_their_own_answers(service: str) -> None:
    def ask(name: int) -> list[tuple[int, str]]:
        with requests.Session() as session:
            session.trust_env = False
            bodies = [question(f"t-{name}-{n}") for n in range(25)]
            replies = [session.post(f"{service}/validate", json=body, timeout=60) for body in bodies]
        return [(reply.status_code, reply.json()["transaction_id"]) for reply in replies]

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(16)))
    assert answers == [[(200, f"t-{name}-{n}") for n in range(25)] for name in range(16)]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"\xff", b'{"amount": NaN}', b"[" * 30_000, json.dumps(question(amount=-1)).encode()],
)
def test_a_bad_body_is_422_with_a_reason(service: str, client: requests.Session, body: bytes) -> None:
    reply = client.post(f"{service}/validate", data=body)
    assert reply.status_code == 422
    assert error_of(reply)["reason"]


def test_a_bad_batch_is_422_with_a_reason(service: str, client: requests.Session) -> None:
    reply = client.post(f"{service}/validate/batch", json=question())
    assert (reply.status_code, error_of(reply)["type"]) == (422, "schema")


@pytest.mark.parametrize(("path", "size"), [("/validate", 64 * 1024 + 1), ("/validate/batch", 8 * 1024 * 1024 + 1)])
def test_a_body_that_is_too_large_is_413(service: str, client: requests.Session, path: str, size: int) -> None:
    reply = client.post(f"{service}{path}", data=b" " * size)
    assert (reply.status_code, error_of(reply)["type"]) == (413, "too-large")


def test_a_body_that_announces_too_much_is_refused_before_it_is_sent(service: str) -> None:
    parts = urlsplit(service)
    with socket.create_connection((parts.hostname, parts.port or 0), timeout=5) as connection:
        connection.sendall(b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n")
        assert connection.recv(64).startswith(b"HTTP/1.1 413 ")


def test_a_body_without_a_length_is_cut_off_while_it_streams(service: str) -> None:
    """Chunked, and never ended: the refusal comes as soon as the limit is passed."""
    parts = urlsplit(service)
    chunk = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
    with socket.create_connection((parts.hostname, parts.port or 0), timeout=5) as connection:
        connection.sendall(b"POST /validate HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + 3 * chunk)
        assert connection.recv(64).startswith(b"HTTP/1.1 413 ")


def test_too_many_items_are_413(service: str, client: requests.Session) -> None:
    reply = client.post(f"{service}/validate/batch", json=[0] * 1001)
    assert (reply.status_code, error_of(reply)["type"]) == (413, "too-large")


@pytest.mark.parametrize("path", ["/", "/nothing", "/validate/", "/docs/../secret", "/docs/app.py"])
def test_an_unknown_path_is_404_as_json(service: str, client: requests.Session, path: str) -> None:
    reply = client.get(f"{service}{path}", allow_redirects=False)
    assert (reply.status_code, error_of(reply)["type"]) == (404, "not-found")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/validate"), ("DELETE", "/validate/batch"), ("POST", "/healthz")]
)
def test_a_wrong_method_is_405_as_json(service: str, client: requests.Session, method: str, path: str) -> None:
    reply = client.request(method, f"{service}{path}")
    assert (reply.status_code, error_of(reply)["type"]) == (405, "method-not-allowed")


@pytest.mark.parametrize(("path", "status"), [("/healthz", "alive"), ("/readyz", "ready")])
def test_health_needs_no_key(guarded: str, client: requests.Session, path: str, status: str) -> None:
    reply = client.get(f"{guarded}{path}")
    assert (reply.status_code, reply.json()["status"]) == (200, status)


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer wrong", f"Basic {KEY}", KEY, f"Bearer {KEY}x", "Bearer é"]
)
@pytest.mark.parametrize(("method", "path"), [("POST", "/validate"), ("POST", "/validate/batch"), ("GET", "/rules")])
def test_a_missing_or_wrong_key_is_401(
    guarded: str, client: requests.Session, method: str, path: str, header: str | None
) -> None:
    headers = {} if header is None else {"Authorization": header.encode("latin-1")}
    reply = client.request(method, f"{guarded}{path}", json=question(), headers=headers)
    assert (reply.status_code, error_of(reply)["type"]) == (401, "unauthorized")
    assert reply.headers["www-authenticate"].startswith("Bearer")


def test_the_metrics_need_the_key_too(guarded: str, client: requests.Session) -> None:
    assert client.get(f"{guarded}/metrics").status_code == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_right_key_opens(guarded: str, client: requests.Session, scheme: str) -> None:
    reply = client.post(f"{guarded}/validate", json=question(), headers={"Authorization": f"{scheme} {KEY}"})
    assert reply.status_code == 200


def test_the_metrics_count_requests_and_decisions_without_ids(client: requests.Session, tmp_path: Path) -> None:
    mule = json.dumps({"bank_account": MULE})
    with running_validator(rules=saved(tmp_path)) as address:
        client.post(f"{address}/validate", json=question("secret-id"))
        client.post(f"{address}/validate", json=question("secret-id", amount=-1))
        client.post(f"{address}/validate/batch", json=[question("secret-id", receiver_details=mule)] * 3)
        client.get(f"{address}/secret-path")
        reply = client.get(f"{address}/metrics")
    lines = reply.text.splitlines()
    assert 'fraud_validator_requests_total{route="/validate",status="200"} 1.0' in lines
    assert 'fraud_validator_requests_total{route="/validate",status="422"} 1.0' in lines
    assert 'fraud_validator_requests_total{route="other",status="404"} 1.0' in lines
    assert 'fraud_validator_decisions_total{action="BLOCK"} 3.0' in lines
    assert 'fraud_validator_rejected_total{type="invalid-amount"} 1.0' in lines
    assert 'fraud_validator_request_seconds_count{route="/validate/batch"} 1.0' in lines
    assert "secret" not in reply.text
