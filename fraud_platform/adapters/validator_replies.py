"""What a reply of fraud-validator-api means: an answer, a refusal, a pause, or a wrong setting. Pure."""

from collections.abc import Sequence
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from fraud_platform.adapters.validator_http import HttpReply
from fraud_platform.core.decisions import Action, Decision, Hit, NotEvaluable, external_decision
from fraud_platform.core.outcome import Rejected
from fraud_platform.core.questions import ERROR_TYPES, Question, encode_question, parse_question
from fraud_platform.errors import ConfigurationError, ValidatorUnavailable

OK = 200
REFUSED = frozenset({400, 413, 422})
NO_ROUTE = frozenset({404, 405})
_KEY_REFUSED = frozenset({401, 403})
_REDIRECT = range(300, 400)
_TRANSIENT = frozenset({408, 425, 429})
_SERVER_ERROR = 500
_UNNAMED = Rejected("validator-refused", "fraud-validator-api cannot use the transaction and gives no reason")


class _Fault(msgspec.Struct):
    type: str
    reason: str


class _Item(msgspec.Struct):
    """Every field optional: a foreign validator may say no more than yes or no."""

    transaction_id: str | int | None = None
    is_fraudulent_transaction: bool | None = None
    action: Action | None = None
    hits: tuple[Hit, ...] = ()
    rule_set_version: str | None = None
    not_evaluable: tuple[NotEvaluable, ...] = ()
    error: _Fault | None = None


class _Batch(msgspec.Struct):
    results: list[_Item]


class _Failure(msgspec.Struct):
    error: _Fault


T = TypeVar("T")
_items = msgspec.json.Decoder(_Item)
_batches = msgspec.json.Decoder(_Batch)
_failures = msgspec.json.Decoder(_Failure)


def is_transient(status: int) -> bool:
    """Whether asking again may help."""
    return status in _TRANSIENT or status >= _SERVER_ERROR


def batch(questions: Sequence[Question], reply: HttpReply, url: str) -> list[Decision | Rejected]:
    """One answer per question.

    Raises:
        ValidatorUnavailable: the reply makes no sense, or asking again may help.
        ConfigurationError: the address or the key is wrong.
    """
    _expect_ok(reply.status, url)
    items = _decoded(_batches, reply.body).results
    if len(items) != len(questions):
        raise ValidatorUnavailable(f"{len(items)} results for {len(questions)} requests")
    return [_answer(question, item) for question, item in zip(questions, items, strict=True)]


def single(question: Question, reply: HttpReply, url: str) -> Decision | Rejected:
    """The answer to one question; raises as `batch` does."""
    if reply.status in REFUSED:
        return _rejected(question, _fault_of(reply.body))
    _expect_ok(reply.status, url)
    item = _decoded(_items, reply.body)
    if item.error is not None:
        raise ValidatorUnavailable("a reply of status 200 that holds an error")
    return _answer(question, item)


def _expect_ok(status: int, url: str) -> None:
    if status == OK:
        return
    if is_transient(status):
        raise ValidatorUnavailable(f"status {status}")
    parts = urlsplit(url)
    at = f"fraud-validator-api at {parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    if status in _KEY_REFUSED:
        raise ConfigurationError(
            f"{at} refused the key (status {status}): set FRAUD_VALIDATOR_API_KEY to one that it accepts."
        )
    if status in NO_ROUTE:
        raise ConfigurationError(f"{at} does not exist (status {status}): set FRAUD_VALIDATOR_URL to its full address.")
    if status in _REDIRECT:
        raise ConfigurationError(
            f"{at} redirects elsewhere (status {status}): set FRAUD_VALIDATOR_URL to the final address."
        )
    raise ConfigurationError(f"{at} answers with status {status}, as no validator does: check FRAUD_VALIDATOR_URL.")


def _decoded(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ValidatorUnavailable("a reply that is none of a validator") from None


def _answer(question: Question, item: _Item) -> Decision | Rejected:
    if item.transaction_id is not None and str(item.transaction_id) != question.transaction_id:
        raise ValidatorUnavailable("a reply about another transaction")
    if item.error is not None:
        return _rejected(question, item.error)
    if item.action is None and item.is_fraudulent_transaction is not None:
        return external_decision(question.transaction_id, is_fraudulent=item.is_fraudulent_transaction)
    if item.action is None or item.rule_set_version is None:
        raise ValidatorUnavailable("a reply without a decision")
    decision = Decision(
        transaction_id=question.transaction_id,
        action=item.action,
        hits=item.hits,
        rule_set_version=item.rule_set_version,
        not_evaluable=item.not_evaluable,
    )
    if item.is_fraudulent_transaction is not decision.is_fraudulent:
        raise ValidatorUnavailable("a reply that contradicts itself")
    return decision


def _fault_of(body: bytes) -> _Fault | None:
    try:
        return _failures.decode(body).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _rejected(question: Question, fault: _Fault | None) -> Rejected:
    """The reason as we find it ourselves: what the service writes may quote what it was sent."""
    if fault is None or fault.type not in ERROR_TYPES:
        return _UNNAMED
    ours = parse_question(encode_question(question))
    if isinstance(ours, Rejected) and ours.error_type == fault.type:
        return ours
    return Rejected(fault.type, "fraud-validator-api cannot use the transaction, for a reason of its own")
