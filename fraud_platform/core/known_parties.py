"""The short way to a checked transfer: customers come again and again, with the same details to the byte.

Three quarters of a transfer are its two parties. Their details are checked and encoded once and then found by
their JSON text. The short way says yes or nothing: whatever is unusual goes the long way, `parse_transaction`,
which alone says what is wrong. docs/performance.md has the gain.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from fraud_platform.core import money
from fraud_platform.core.repeated_keys import is_surely_single
from fraud_platform.core.transaction import Party, is_iso8601
from fraud_platform.topology import MAX_VALUE_BYTES

ENCODED = ("sender_details", "receiver_details", "amount")
ACCOUNT, EVALUATION = 1, 7
"""Where a transfer's values hold the sender's account and the bank's evaluation."""

MOST_KNOWN = 20_000
LONGEST_KNOWN = 2048
"""Bytes of JSON of one party; with their encoded form the known ones stay within 80 MB, 20 MB as a rule."""

_QUOTES_ALWAYS = 2 * (8 + 5)
"""Those of the eight required keys and of the five texts among their values."""


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """A `Transaction` whose parties are still JSON text and whose ids must be text."""

    transaction_id: str
    sender_bank_account: str
    sender_details: msgspec.Raw
    receiver_bank_account: str
    receiver_details: msgspec.Raw
    amount: Decimal
    evaluation: str
    transfer_date: str
    status: str | None = None
    sender_bank: str | None = None


class _Known(msgspec.Struct, frozen=True, gc=False):
    encoded: bytes
    quotes: int


_decode = msgspec.json.Decoder(Envelope).decode
_decode_party = msgspec.json.Decoder(Party).decode


class KnownParties:
    """Remembers how parties are encoded; `encode` makes the bytes of one that is new."""

    def __init__(self, encode: Callable[[Party], bytes]) -> None:
        self._encode = encode
        self._known: dict[bytes, _Known] = {}

    def transfer(self, raw: bytes | None) -> tuple[Any, ...] | None:
        """The values of `schemas/transaction.avsc`'s fields in its order, `ENCODED` ones so; None = go the long way."""
        if raw is None or len(raw) > MAX_VALUE_BYTES or b"\\" in raw:
            return None
        try:
            if not raw.isascii():
                raw.decode()
            found = _decode(raw)
            sender, receiver = self._party(found.sender_details), self._party(found.receiver_details)
            amount = money.fixed(found.amount)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ArithmeticError):
            return None
        if sender is None or receiver is None or not is_iso8601(found.transfer_date):
            return None
        account, other, status, bank = (
            found.sender_bank_account, found.receiver_bank_account, found.status, found.sender_bank,
        )  # fmt: skip
        # The quotes leave no room for a repeated key.
        quotes = _QUOTES_ALWAYS + 4 * ((status is not None) + (bank is not None)) + sender.quotes + receiver.quotes
        if not (raw.count(b'"') == quotes and found.transaction_id and account and other and found.evaluation):
            return None
        return (
            found.transaction_id, account, sender.encoded, other, receiver.encoded, amount, status, found.evaluation,
            found.transfer_date, bank,
        )  # fmt: skip

    def _party(self, details: msgspec.Raw) -> _Known | None:
        text = bytes(details)
        return self._known.get(text) or self._learn(text)

    def _learn(self, text: bytes) -> _Known | None:
        party = _decode_party(text)
        is_dated = party.birthdate is None or is_iso8601(party.birthdate)
        if party.id == "" or not is_dated or not is_surely_single(text, (party,)):
            return None
        known = _Known(self._encode(party), text.count(b'"'))
        if len(text) <= LONGEST_KNOWN:
            if len(self._known) >= MOST_KNOWN:
                del self._known[next(iter(self._known))]
            self._known[text] = known
        return known
