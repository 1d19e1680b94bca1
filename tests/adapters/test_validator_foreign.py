"""Validators that are not ours: no batch route, a bare yes or no, error texts of their own."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import pytest

from fraud_platform.adapters.validator import ValidatorClient
from fraud_platform.core.decisions import Action, Decision
from fraud_platform.core.outcome import Rejected
from fraud_platform.core.questions import ERROR_TYPES
from tests.adapters.hostile import UNHURRIED, Behaviour, HostileServer, Seen, decision, hostile, obliging, reply
from tests.validator_api.builders import typed

Replies = dict[str, bytes]


@contextmanager
def asking(behave: Behaviour) -> Iterator[tuple[HostileServer, ValidatorClient]]:
    with hostile(behave) as server:
        client = ValidatorClient(server.url, **UNHURRIED)
        yield server, client
        client.close()


def without_batches(*, status: int = 404, fraudulent: frozenset[str] = frozenset()) -> Behaviour:
    def behave(seen: Seen, _connection: socket.socket) -> bytes:
        if seen.path.endswith("/batch"):
            return reply(status, {"detail": "Not Found"})
        return reply(200, {"is_fraudulent_transaction": seen.json["transaction_id"] in fraudulent})

    return behave


@pytest.mark.parametrize("status", [404, 405])
def test_a_service_without_batches_is_asked_singly_and_remembered(status: int) -> None:
    with asking(without_batches(status=status)) as (server, client):
        for _ in range(2):
            answers = client.judge([typed(f"t-{number}") for number in range(20)])
            assert [answer.transaction_id for answer in answers if isinstance(answer, Decision)] == [
                f"t-{number}" for number in range(20)
            ]
    assert server.paths().count("/validate/batch") == 1
    assert server.paths().count("/validate") == 40


def test_a_bare_yes_is_a_review_and_a_bare_no_is_allowed() -> None:
    with asking(without_batches(fraudulent=frozenset({"t-2"}))) as (_, client):
        answers = client.judge([typed("t-1"), typed("t-2")])
    assert [(answer.action, answer.rule_set_version) for answer in answers if isinstance(answer, Decision)] == [
        (Action.ALLOW, "external"),
        (Action.REVIEW, "external"),
    ]


def test_a_service_without_batches_is_sent_the_published_fields_alone() -> None:
    """One of another maker may refuse a field that it does not know."""
    details = json.dumps({"name": "Ada"})
    asked = typed(
        amount="1234567890123456789.123456789", receiver_details=details, sender_bank=None,
        receiver_bank_account="ACC-2", transfer_date="2026-01-31",
    )  # fmt: skip
    published = {
        "transaction_id": "t-1",
        "sender_bank_account": "ACC-1",
        "receiver_details": details,
        "sender_bank": None,
        "amount": Decimal("1234567890123456789.123456789"),
    }
    with asking(without_batches()) as (server, client):
        client.judge([asked])
        client.judge([asked])  # by now it is known
    singles = [json.loads(seen.body, parse_float=Decimal) for seen in server.requests if seen.path == "/validate"]
    assert singles == [published, published]


def test_our_own_service_is_told_the_receiving_account_and_the_date_whichever_way_it_is_asked() -> None:
    with asking(refusing(422, None)) as (server, client):
        client.judge([typed(receiver_bank_account="ACC-2", transfer_date="2026-01-31")])
    (batch,), single = (json.loads(seen.body) for seen in server.requests)
    assert batch == single
    assert (single["receiver_bank_account"], single["transfer_date"]) == ("ACC-2", "2026-01-31")


def test_the_key_travels_in_its_header_and_no_encoding_is_asked_for() -> None:
    with hostile(obliging) as server:
        client = ValidatorClient(server.url, api_key="s3cret", **UNHURRIED)
        client.judge([typed()])
        client.close()
    headers = server.requests[0].headers
    assert headers["authorization"] == "Bearer s3cret"
    assert headers["accept-encoding"] == "identity"
    assert headers["content-type"] == "application/json"


def refusing(status: int, body: object) -> Behaviour:
    """Refuses any batch as a whole, and `bad` when asked singly."""

    def behave(seen: Seen, _connection: socket.socket) -> bytes:
        is_bad = seen.path.endswith("/batch") or seen.json["transaction_id"] == "bad"
        return reply(status, body) if is_bad else obliging(seen)

    return behave


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refused_batch_is_asked_singly_and_only_the_bad_item_is_rejected(status: int) -> None:
    with asking(refusing(status, {"detail": "no"})) as (_, client):
        answers = client.judge([typed("t-1"), typed("bad"), typed("t-3")])
    assert [type(answer) for answer in answers] == [Decision, Rejected, Decision]


def test_a_refused_batch_does_not_end_batches() -> None:
    with asking(refusing(422, None)) as (server, client):
        client.judge([typed("t-1")])
        client.judge([typed("t-2")])
    assert server.paths().count("/validate/batch") == 2


@pytest.mark.parametrize(
    "body",
    [
        {"detail": [{"input": "canary-4711", "msg": "bad"}]},
        {"error": {"type": "canary-4711", "reason": "canary-4711"}},
        {"error": "canary-4711"},
        b"canary-4711",
    ],
)
def test_the_text_of_a_foreign_refusal_goes_nowhere(body: object) -> None:
    with asking(refusing(422, body)) as (_, client):
        (rejected,) = client.judge([typed("bad")])
    assert isinstance(rejected, Rejected)
    assert "canary" not in f"{rejected.error_type} {rejected.reason}"


def test_a_reason_is_the_one_that_we_find_ourselves() -> None:
    body = {"error": {"type": "invalid-amount", "reason": "`$.amount` is negative, says canary-4711"}}
    with asking(refusing(422, body)) as (_, client):
        assert client.judge([typed("bad", amount="-1")]) == [Rejected("invalid-amount", "`$.amount` is negative")]


@pytest.mark.parametrize("kind", sorted(ERROR_TYPES))
def test_a_reason_that_we_do_not_find_is_not_repeated(kind: str) -> None:
    with asking(refusing(422, {"error": {"type": kind, "reason": "canary-4711"}})) as (_, client):
        (rejected,) = client.judge([typed("bad")])
    assert rejected == Rejected(kind, "fraud-validator-api cannot use the transaction, for a reason of its own")


def test_an_error_in_place_of_a_result_rejects_that_item() -> None:
    fault = {"type": "invalid-receiver-details", "reason": "canary-4711"}

    def behave(_seen: Seen, _connection: socket.socket) -> bytes:
        return reply(200, {"results": [decision("t-1"), {"transaction_id": None, "error": fault}]})

    with asking(behave) as (_, client):
        (good, bad) = client.judge([typed("t-1"), typed("t-2", receiver_details="{")])
    assert isinstance(good, Decision)
    assert isinstance(bad, Rejected)
    assert bad.reason.startswith("`$.receiver_details`, read as JSON: Input data was truncated")
