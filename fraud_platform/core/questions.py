"""What is asked of fraud-validator-api, checked and made ready for the rules.

The platform's client sends a `Question`; the service reads one with `parse_question`. Both come to the same
`Facts`, or to the same `Rejected`, whose reason holds no field's value.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar

import msgspec

from fraud_platform.core import money
from fraud_platform.core.outcome import Rejected

MAX_QUESTION_BYTES = 64 * 1024
"""Longest JSON text of one question."""

MAX_BATCH = 1000
"""Most questions in one batch."""

ERROR_TYPES = frozenset({
    "schema", "invalid-json", "invalid-utf8", "invalid-amount", "invalid-date", "invalid-receiver-details", "too-large",
})  # fmt: skip
"""Every `Rejected.error_type` that a question can earn."""


class Question(msgspec.Struct, frozen=True, gc=False, cache_hash=True, omit_defaults=True):
    """One request of `POST /validate`, as on the wire.

    `amount` in major units; `receiver_details` is a JSON object as *text*; `sender_bank` may be null. The last two
    may be left out, which leaves rules that need them open; `transfer_date` is ISO 8601, without a zone it is UTC.
    """

    transaction_id: str
    sender_bank_account: str
    receiver_details: str
    sender_bank: str | None
    amount: Decimal
    receiver_bank_account: str | None = None
    transfer_date: str | None = None


class Receiver(msgspec.Struct, frozen=True, gc=False):
    """What the rules look at in `receiver_details`; other fields are ignored."""

    bank_account: str | int | None = None
    name: str | None = None


class Facts(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A checked question. `amount` fits `decimal(38,9)`, `at` is aware; what the question does not say is None."""

    transaction_id: str
    sender_account: str
    sender_bank: str | None
    receiver_account: str | None
    receiver_name: str | None
    amount: Decimal
    at: datetime | None


T = TypeVar("T")
encode_question = msgspec.json.Encoder(decimal_format="number").encode
"""A question as it goes on the wire."""
_questions = msgspec.json.Decoder(Question)
_receivers = msgspec.json.Decoder(Receiver)


def parse_question(raw: bytes | memoryview) -> Facts | Rejected:
    """Check one JSON text whole and return the facts in it."""
    if len(raw) > MAX_QUESTION_BYTES:
        return Rejected("too-large", f"the request has {len(raw)} bytes, {MAX_QUESTION_BYTES} are allowed")
    question = _decode(_questions, raw)
    return question if isinstance(question, Rejected) else facts_of(question)


def as_published(question: Question) -> Question:
    """The question in the five fields that every validator knows, those of other makers too."""
    return msgspec.structs.replace(question, receiver_bank_account=None, transfer_date=None)


def facts_of(question: Question) -> Facts | Rejected:
    """Check what the types cannot say: ids, the amount's bounds, the date, the receiver's JSON."""
    if not question.transaction_id:
        return Rejected("schema", "`$.transaction_id` is empty")
    fault = money.fault(question.amount)
    if fault:
        return Rejected("invalid-amount", f"`$.amount` {fault}")
    at = None if question.transfer_date is None else _instant(question.transfer_date)
    if isinstance(at, Rejected):
        return at
    receiver = _decode(_receivers, question.receiver_details)
    if isinstance(receiver, Rejected):
        return Rejected("invalid-receiver-details", f"`$.receiver_details`, read as JSON: {receiver.reason}")
    described = None if receiver.bank_account is None else str(receiver.bank_account)
    return Facts(
        transaction_id=question.transaction_id,
        sender_account=question.sender_bank_account,
        sender_bank=question.sender_bank,
        receiver_account=question.receiver_bank_account or described,
        receiver_name=receiver.name,
        amount=question.amount,
        at=at,
    )


def _instant(text: str) -> datetime | Rejected:
    try:
        written = datetime.fromisoformat(text)
    except ValueError:
        return Rejected("invalid-date", "`$.transfer_date` is not ISO 8601")
    return written if written.tzinfo else written.replace(tzinfo=UTC)


def _decode(decoder: msgspec.json.Decoder[T], raw: bytes | memoryview | str) -> T | Rejected:
    """Decode strictly; the decoder's messages name fields and types, never values."""
    try:
        if not isinstance(raw, str):
            raw = str(raw, "utf-8")  # fields that the decoder skips must be good UTF-8 too
        return decoder.decode(raw)
    except UnicodeDecodeError as error:
        return Rejected("invalid-utf8", f"the text is not UTF-8: {error.reason} at byte {error.start}")
    except msgspec.ValidationError as error:
        return Rejected("schema", str(error))
    except msgspec.DecodeError as error:
        return Rejected("invalid-json", str(error))
    except RecursionError:
        return Rejected("invalid-json", "the text is nested too deeply")
