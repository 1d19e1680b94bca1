"""Wire bytes of bank-transactions -> `Transaction`, or `Rejected` with a reason that holds no value.

The record is checked whole before anything is decided about it: a transfer with a bad receiver is as
bad as one with a bad amount.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from fraud_platform.core import money
from fraud_platform.core.json_value import NO_VALUE, TOO_DEEP, decode, is_too_deep
from fraud_platform.core.outcome import Rejected
from fraud_platform.core.repeated_keys import is_surely_single, repeated_key

_Id = str | int
_ZERO = Decimal(0)


class Party(msgspec.Struct, frozen=True, gc=False):
    """A customer as the bank describes them; everything but `id` may be missing."""

    id: _Id
    name: str | None = None
    address: str | None = None
    email: str | None = None
    birthdate: str | None = None
    phone_number: str | None = None
    job: str | None = None
    company: str | None = None
    ssn: str | None = None
    blood_group: str | None = None
    website: str | list[str] | None = None
    username: str | None = None
    bank_account: _Id | None = None


class Transaction(msgspec.Struct, frozen=True, gc=False):
    """A transfer between two customers. `amount` in major units, exact; dates ISO 8601 text as received."""

    transaction_id: _Id
    sender_bank_account: _Id
    sender_details: Party
    receiver_bank_account: _Id
    receiver_details: Party
    amount: Decimal
    evaluation: str
    transfer_date: str
    status: str | None = None
    sender_bank: str | None = None


class _Spelling(msgspec.Struct, frozen=True, gc=False):
    """The amount as its sender wrote it: a number, or text in quotes."""

    amount: msgspec.Raw


_decoder = msgspec.json.Decoder(Transaction)
_spelling = msgspec.json.Decoder(_Spelling)
_KEYS = {
    "": Transaction.__struct_fields__,
    "sender_details": Party.__struct_fields__,
    "receiver_details": Party.__struct_fields__,
}
_TEXT_AMOUNT = re.compile(rb'amount"\s*:\s*"')


def parse_transaction(raw: bytes | None) -> Transaction | Rejected:
    """Check one value of bank-transactions and return it typed, ids as given."""
    if raw is None:
        return NO_VALUE
    decoded = decode(raw, _decoder)
    if isinstance(decoded, Rejected):
        return decoded
    return _ambiguity(raw, decoded) or next(_faults(decoded, raw), decoded)


def _ambiguity(raw: bytes, transaction: Transaction) -> Rejected | None:
    """What the decoder passes over: keys that come twice, and depth in fields that it skips."""
    parties = (transaction.sender_details, transaction.receiver_details)
    if is_surely_single(raw, (transaction, *parties)):
        return None
    if is_too_deep(raw):
        return TOO_DEEP
    repeated = repeated_key(raw, _KEYS)
    return Rejected("duplicate-key", f"`{repeated}` is there more than once") if repeated else None


def _faults(transaction: Transaction, raw: bytes) -> Iterator[Rejected]:
    amount_fault = money.fault(transaction.amount) or _spelling_fault(raw)
    if amount_fault:
        yield Rejected("invalid-amount", f"`$.amount` {amount_fault}")
    for field in ("transaction_id", "sender_bank_account", "receiver_bank_account", "evaluation"):
        if getattr(transaction, field) == "":
            yield Rejected("schema", f"`$.{field}` is empty")
    if not is_iso8601(transaction.transfer_date):
        yield Rejected("invalid-date", "`$.transfer_date` is not ISO 8601")
    for field in ("sender_details", "receiver_details"):
        party: Party = getattr(transaction, field)
        if party.id == "":
            yield Rejected("schema", f"`$.{field}.id` is empty")
        if party.birthdate is not None and not is_iso8601(party.birthdate):
            yield Rejected("invalid-date", f"`$.{field}.birthdate` is not ISO 8601")


def _spelling_fault(raw: bytes) -> str | None:
    if b"\\" not in raw and not _TEXT_AMOUNT.search(raw):
        return None  # to look is cheaper than to read the field once more
    text = bytes(_spelling.decode(raw).amount)
    if not text.startswith(b'"') or money.is_number(msgspec.json.decode(text)):
        return None
    return "is text that is not written as a JSON number"


def is_iso8601(text: str) -> bool:
    """Whether the text is a date or a time."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def to_avro(transaction: Transaction, *, sender_ssn: str | None, receiver_ssn: str | None) -> dict[str, Any]:
    """The Avro value of `schemas/transaction.avsc`; the caller brings the tokens that replace each ssn."""
    return {
        "transaction_id": str(transaction.transaction_id),
        "sender_bank_account": str(transaction.sender_bank_account),
        "sender_details": party_to_avro(transaction.sender_details, sender_ssn),
        "receiver_bank_account": str(transaction.receiver_bank_account),
        "receiver_details": party_to_avro(transaction.receiver_details, receiver_ssn),
        "amount": transaction.amount or _ZERO,  # Avro has no negative zero: it would read back as -2E-9
        "status": transaction.status,
        "evaluation": transaction.evaluation,
        "transfer_date": transaction.transfer_date,
        "sender_bank": transaction.sender_bank,
    }


def party_to_avro(party: Party, ssn: str | None) -> dict[str, Any]:
    """The Avro value of one party; `ssn` is the token in its place."""
    return {
        "id": str(party.id),
        "name": party.name,
        "address": party.address,
        "email": party.email,
        "birthdate": party.birthdate,
        "phone_number": party.phone_number,
        "job": party.job,
        "company": party.company,
        "ssn": ssn,
        "blood_group": party.blood_group,
        "website": [party.website] if isinstance(party.website, str) else party.website,
        "username": party.username,
        "bank_account": None if party.bank_account is None else str(party.bank_account),
    }
