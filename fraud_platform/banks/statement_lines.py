"""The statements behind the transfers: each is a line of its sender's account and one of its receiver's.

Pure, and apart from the transfers: the same transfers come with or without their lines.
"""

import random
from collections.abc import Mapping
from typing import NamedTuple
from zlib import crc32

from fraud_platform.banks.mix import Weighted
from fraud_platform.banks.population import Customer

DEBIT, CREDIT = b"-D", b"-C"
"""What a line's id adds to that of its transfer: the sender's side, the receiver's side."""

_SECTORS: Mapping[bytes, float] = {
    b"Retail": 0.42,
    b"Internal Fund Transfer": 0.2,
    b"Cash deposit": 0.14,
    b"Utilities": 0.12,
    b"Salary": 0.08,
    b"Travel": 0.04,
}
_OTHER = b"Other"
_OTHER_SHARE = {False: 0.002, True: 0.3}
"""How often the sector is the one that nobody would give to an honest payment: of these, and of fraud."""

_LEAST_OPENING, _OPENINGS = 50_000, 20_000_000
"""Cents that an account begins a run with: 500 to 200,500."""


class Line(NamedTuple):
    """One line of a statement: Kafka key and JSON value, and its id."""

    key: bytes
    value: bytes
    transaction_id: bytes


class StatementLines:
    """Writes both lines of each transfer and keeps the balances; equal seeds and transfers give equal lines."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(f"statements {seed}")
        self._sectors = Weighted(_SECTORS)
        self._balances: dict[bytes, int] = {}

    def of(
        self, transaction_id: bytes, sender: Customer, receiver: Customer, cents: int, when: bytes, *, is_fraud: bool
    ) -> tuple[Line, Line]:
        """The line of the sender, then that of the receiver; `when` is ISO 8601, `cents` above 0."""
        amount = b"%d.%02d" % divmod(cents, 100)
        sector = self._sector(is_fraud=is_fraud)
        out = transaction_id + DEBIT
        value = b'{"transactionId":"%b",%b,"transactionTimestamp":"%b","depositAmount":"0","withdrawalAmount":"%b",' % (
            out,
            sender.on_statement,
            when,
            amount,
        )
        debit = Line(sender.statement_key, value + self._rest(sender, -cents, receiver, when, sector), out)
        into = transaction_id + CREDIT
        value = b'{"transactionId":"%b",%b,"transactionTimestamp":"%b","depositAmount":"%b","withdrawalAmount":"0",' % (
            into,
            receiver.on_statement,
            when,
            amount,
        )
        return debit, Line(receiver.statement_key, value + self._rest(receiver, cents, sender, when, sector), into)

    def _rest(self, owner: Customer, cents: int, other: Customer, when: bytes, sector: bytes) -> bytes:
        balance = self._balances.get(owner.key)
        if balance is None:
            balance = _LEAST_OPENING + crc32(owner.key) % _OPENINGS
        balance += cents
        self._balances[owner.key] = balance
        return (
            b'"balanceAmount":"%b%d.%02d","chqNo":"0","transactionDetails":"%b","valueDate":"%b","transactionSector":"%b"}'
            % (b"-" if balance < 0 else b"", *divmod(abs(balance), 100), other.as_counterparty, when[:10], sector)
        )

    def _sector(self, *, is_fraud: bool) -> bytes:
        if self._random.random() < _OTHER_SHARE[is_fraud]:
            return _OTHER
        return self._sectors.pick(self._random.random())
