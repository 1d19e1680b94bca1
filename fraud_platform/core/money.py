"""Exact money: the bounds of Avro `decimal(38,9)` and the one way to check them."""

import re
from decimal import Context, Decimal, Inexact, InvalidOperation

PRECISION = 38
SCALE = 9
INTEGER_DIGITS = PRECISION - SCALE
FIXED_BYTES = 16
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_EXACT = Context(prec=PRECISION, traps=[Inexact])
_FITTING = Context(prec=PRECISION, traps=[Inexact, InvalidOperation])
_SMALLEST = Decimal(1).scaleb(-SCALE)
_ZERO = Decimal(0)


def is_number(text: str) -> bool:
    """Whether the text is written as JSON writes a number: `Decimal` also takes `1_000`, ` 12 ` and `\u0661`."""
    return _NUMBER.fullmatch(text) is not None


def fault(amount: Decimal, *, may_be_negative: bool = False) -> str | None:
    """Why `amount` cannot be kept exactly as `decimal(38,9)`, or None when it can."""
    try:
        if amount.quantize(_SMALLEST, context=_FITTING) >= _ZERO or may_be_negative:
            return None
    except ArithmeticError:
        return _fault(amount, may_be_negative=may_be_negative)
    return "is negative"


def _fault(amount: Decimal, *, may_be_negative: bool) -> str | None:
    """Looks at the exponent before any scaling: `1E+999999` is six digits in memory and a million once written out."""
    if not amount.is_finite():
        return "is not a finite number"
    sign, digits, exponent = amount.as_tuple()
    if not any(digits):
        return None
    if sign and not may_be_negative:
        return "is negative"
    return _digits_fault(digits, int(exponent))


def _digits_fault(digits: tuple[int, ...], power: int) -> str | None:
    if len(digits) + power > INTEGER_DIGITS:
        return f"has more than {INTEGER_DIGITS} digits before the point"
    if power >= -SCALE:
        return None
    trailing_zeros = len(digits) - len("".join(map(str, digits)).rstrip("0"))
    return f"has more than {SCALE} fraction digits" if -(power + trailing_zeros) > SCALE else None


def fixed(amount: Decimal) -> bytes:
    """The 16 bytes of Avro's `decimal(38,9)`; what `fault` has nothing against, and nothing else.

    Raises:
        ArithmeticError: the amount is negative, not finite or cannot be kept exactly.
    """
    if not amount.is_finite() or (amount and amount.adjusted() >= INTEGER_DIGITS):  # before any scaling, as above
        raise Inexact
    scaled = amount.scaleb(SCALE, _EXACT)
    number = int(scaled)
    if number != scaled:
        raise Inexact
    return number.to_bytes(FIXED_BYTES, "big")  # a negative one is an OverflowError
