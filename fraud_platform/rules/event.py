"""What a rule sees of a transaction, whatever system it came from."""

from decimal import Context, Decimal
from operator import attrgetter
from typing import cast

import msgspec

from fraud_platform.core import money

_UNITS = 10**money.SCALE
NUMBERS = ("amount", "deposit", "withdrawal", "balance")
"""Fields that hold money: major units, exact."""

TEXTS = ("sector", "bank", "account", "counterparty_account", "counterparty_name")
"""Fields that hold text; rules compare it without surrounding blanks."""


class Event(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One transaction as its account sees it; what the source does not say is None.

    `account` is whose history the event belongs to, `at` the event time in epoch microseconds (UTC), `amount`
    the larger of both sides. Every amount satisfies `core.money.fault`.
    """

    transaction_id: str
    account: str | None = None
    at: int | None = None
    amount: Decimal | None = None
    deposit: Decimal | None = None
    withdrawal: Decimal | None = None
    balance: Decimal | None = None
    sector: str | None = None
    bank: str | None = None
    counterparty_account: str | None = None
    counterparty_name: str | None = None


_GETTERS = {name: attrgetter(name) for name in (*NUMBERS, *TEXTS)}


def number(event: Event, field: str) -> Decimal | None:
    """The money in `field`, or None."""
    return cast("Decimal | None", _GETTERS[field](event))


def text(event: Event, field: str) -> str | None:
    """The text in `field` without surrounding blanks, or None when there is none."""
    found = cast("str | None", _GETTERS[field](event))
    return (found.strip() or None) if found is not None else None


def scaled(amount: Decimal) -> int:
    """The amount in units of 1e-9, exact.

    Raises:
        ArithmeticError: the amount has more than nine fraction digits.
    """
    numerator, denominator = amount.as_integer_ratio()
    units: int
    units, rest = divmod(numerator * _UNITS, denominator)
    if rest:
        raise ArithmeticError(f"more than {money.SCALE} fraction digits")
    return units


def unscaled(units: int) -> Decimal:
    """The amount behind units of 1e-9."""
    return Decimal(units).scaleb(-money.SCALE, _WIDE)


_WIDE = Context(prec=200)
