"""Bounds of money against an oracle: does decimal's own arithmetic keep the value at 38 digits, 9 of them fraction?"""

from decimal import Context, Decimal, Inexact, InvalidOperation

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud_platform.core import money

NINE_PLACES = Decimal("1E-9")
EXACT = Context(prec=38, Emax=999_999, Emin=-999_999, traps=[Inexact, InvalidOperation])


def fits(amount: Decimal) -> bool:
    """Whether `decimal(38,9)` holds the value, by rounding it and seeing whether that hurt."""
    if not amount.is_finite():
        return False
    try:
        return amount.quantize(NINE_PLACES, context=EXACT) == amount
    except (Inexact, InvalidOperation):
        return False


near_the_bounds = st.builds(
    lambda sign, digits, exponent: Decimal((sign, tuple(digits), exponent)),
    st.sampled_from([0, 1]),
    st.lists(st.integers(0, 9), min_size=1, max_size=45),
    st.one_of(st.integers(-45, 45), st.sampled_from([-400_000, 400_000])),
)


@given(st.one_of(near_the_bounds, st.decimals(), st.decimals(places=9, min_value=0)))
def test_an_amount_is_good_exactly_when_the_column_can_hold_it(amount: Decimal) -> None:
    assert (money.fault(amount, may_be_negative=True) is None) == fits(amount)


@given(near_the_bounds)
def test_only_balances_may_be_negative(amount: Decimal) -> None:
    assert (money.fault(amount) is None) == (fits(amount) and amount >= 0)


@pytest.mark.parametrize(
    "text",
    ["0", "-0", "0E+999999", "0E-999999", "1.0000000000", "9" * 29, "9" * 29 + ".999999999", "0.000000001", "1E+28"],
)
def test_what_fits_has_no_fault(text: str) -> None:
    assert money.fault(Decimal(text)) is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("NaN", "is not a finite number"),
        ("sNaN", "is not a finite number"),
        ("-Infinity", "is not a finite number"),
        ("-0.01", "is negative"),
        ("1E+29", "has more than 29 digits before the point"),
        ("1E+999999", "has more than 29 digits before the point"),
        ("1" * 30, "has more than 29 digits before the point"),
        ("0.0000000001", "has more than 9 fraction digits"),
        ("1E-999999", "has more than 9 fraction digits"),
        ("1.0000000010001", "has more than 9 fraction digits"),
    ],
)
def test_what_does_not_fit_is_told_without_its_value(text: str, fault: str) -> None:
    assert money.fault(Decimal(text)) == fault


def test_the_size_is_checked_before_any_scaling() -> None:
    """A million digits would be written out by a careless check; this one must not even notice."""
    assert money.fault(Decimal((0, (1,), 10**17))) is not None


@given(st.decimals(allow_nan=True, allow_infinity=True) | st.decimals(min_value=0, max_value=10**30, places=10))
def test_the_fixed_form_exists_exactly_when_there_is_no_fault(amount: Decimal) -> None:
    try:
        kept = Decimal(int.from_bytes(money.fixed(amount), "big", signed=True)).scaleb(-9, Context(prec=60))
    except ArithmeticError:
        assert money.fault(amount)
    else:
        assert money.fault(amount) is None
        assert kept == amount


@pytest.mark.parametrize("text", ["1E+999999", "1E-999999", "1." + "0" * 91 + "1", "sNaN", "-0.1", "1E+29"])
def test_what_cannot_be_kept_has_no_fixed_form(text: str) -> None:
    with pytest.raises(ArithmeticError):
        money.fixed(Decimal(text))


@pytest.mark.parametrize("text", ["0", "-0", "0E+999999", "0.1000000000", "99999999999999999999999999999.999999999"])
def test_what_can_be_kept_has_a_fixed_form(text: str) -> None:
    assert len(money.fixed(Decimal(text))) == 16
