"""What records of other systems are to the rules."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud_platform.core.questions import Facts, facts_of
from fraud_platform.core.transaction import Transaction, parse_transaction, to_avro
from fraud_platform.rules.event import Event, scaled, unscaled
from fraud_platform.rules.events import event_of_question
from fraud_platform.validation.stage import question_about
from tests.builders import party, raw
from tests.rules.building import NOON, engine, rule


def facts(**changes: Any) -> Facts:
    given: dict[str, Any] = {
        "transaction_id": "t-1", "sender_account": "ACC-1", "sender_bank": "First Bank", "receiver_account": "ACC-2",
        "receiver_name": "Ada", "amount": Decimal("12.50"), "at": datetime(2026, 1, 1, 12, tzinfo=UTC),
    }  # fmt: skip
    return Facts(**given | changes)


def test_a_transfer_is_a_withdrawal_from_its_sender_s_account() -> None:
    assert event_of_question(facts()) == Event(
        transaction_id="t-1",
        account="ACC-1",
        at=NOON,
        amount=Decimal("12.50"),
        deposit=Decimal(0),
        withdrawal=Decimal("12.50"),
        bank="First Bank",
        counterparty_account="ACC-2",
        counterparty_name="Ada",
    )


def test_what_a_question_does_not_say_the_event_does_not_say() -> None:
    event = event_of_question(facts(at=None, sender_bank=None, receiver_account=None, receiver_name=None))
    unsaid = (event.at, event.bank, event.counterparty_account, event.counterparty_name, event.sector, event.balance)
    assert unsaid == (None,) * 6


@given(
    st.datetimes(timezones=st.timezones() | st.just(timezone(timedelta(hours=-23, minutes=-59)))),
)
def test_every_time_that_can_be_written_is_its_microseconds(at: datetime) -> None:
    event = event_of_question(facts(at=at))
    assert timedelta(microseconds=event.at or 0) == at - datetime(1970, 1, 1, tzinfo=UTC)


def test_a_bank_transaction_comes_to_the_same_by_way_of_the_question() -> None:
    """The stage asks with every field that the rules could need."""
    changes = {"transfer_date": "2026-01-01T13:00:00+01:00", "receiver_details": party("u-2", name="Bo")}
    transaction = parse_transaction(raw("t-9", amount="10000.10", **changes))
    assert isinstance(transaction, Transaction)
    asked = facts_of(question_about(to_avro(transaction, sender_ssn=None, receiver_ssn=None)))
    assert isinstance(asked, Facts)
    assert event_of_question(asked) == event_of_question(
        facts(transaction_id="t-9", amount=Decimal("10000.10"), receiver_name="Bo")
    )


@pytest.mark.parametrize(
    ("criterion", "parameters", "reason"),
    [
        ("SMALL_INTERVAL", "", "the account's history is not kept here"),
        ("RATIO_TO_HISTORY", "ratio: 10", "the account's history is not kept here"),
        (
            "WINDOW_AGGREGATE", "function: COUNT, window: 1h, at_least: 1",
            "the account's history is not kept here",
        ),
        ("SPECIFIC_SECTOR", "sectors: [Other]", "the transaction has no sector"),
        ("LISTED", "list: l, fields: [counterparty_account]", "the transaction has no counterparty_account"),
        ("LISTED", "list: l, fields: [counterparty_name]", "the transaction has no counterparty_name"),
    ],
)  # fmt: skip
def test_a_rule_that_needs_more_than_a_question_says_is_not_evaluable(
    criterion: str, parameters: str, reason: str
) -> None:
    judge = engine(rule(criterion, parameters), head="lists: {l: {accounts: [A], names: [B]}}").judge
    decision = judge(event_of_question(facts(receiver_account=None, receiver_name=None))).decision
    assert decision is not None
    assert [(each.rule_id, each.reason) for each in decision.not_evaluable] == [("r-1", reason)]
    assert not decision.is_fraudulent


def test_an_entry_that_expires_needs_the_date() -> None:
    head = "lists: {l: {accounts: [{value: ACC-2, expires: 2026-01-01T12:00:01Z}]}}"
    judge = engine(rule("LISTED", "list: l, fields: [counterparty_account]"), head=head).judge
    moments = (datetime(2026, 1, 1, 12, tzinfo=UTC), datetime(2026, 1, 1, 12, 0, 1, tzinfo=UTC), None)
    found = [judge(event_of_question(facts(at=at))).decision for at in moments]
    assert [each and (each.action, len(each.not_evaluable)) for each in found] == [
        ("REVIEW", 0), ("ALLOW", 0), ("ALLOW", 1),
    ]  # fmt: skip


@pytest.mark.parametrize("amount", ["0", "1E+3", "0.000000001", "-12.50", "9" * 29 + "." + "9" * 9])
def test_money_in_its_smallest_units_is_exact(amount: str) -> None:
    assert scaled(Decimal(amount)) == Fraction(amount) * 10**9
    assert unscaled(scaled(Decimal(amount))) == Decimal(amount)


def test_a_tenth_fraction_digit_is_refused() -> None:
    with pytest.raises(ArithmeticError, match="more than 9 fraction digits"):
        scaled(Decimal("0.0000000001"))
