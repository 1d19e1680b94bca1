"""What the systems send -> what a rule sees."""

from decimal import Decimal

from fraud_platform.core.questions import Facts
from fraud_platform.core.statement import Statement
from fraud_platform.rules.event import Event
from fraud_platform.rules.rule_set import micros

_NOTHING = Decimal(0)


def event_of_statement(statement: Statement) -> Event:
    """A statement line as its account sees it; it does not name the other side."""
    deposit, withdrawal = statement.deposit, statement.withdrawal
    return Event(
        transaction_id=statement.transaction_id,
        account=statement.account_number,
        at=statement.at_us,
        amount=max(deposit, withdrawal),
        deposit=deposit,
        withdrawal=withdrawal,
        balance=statement.balance,
        sector=statement.sector,
        bank=statement.bank_id,
    )


def event_of_question(facts: Facts) -> Event:
    """A transfer as its sender's account sees it: the amount leaves, nothing arrives; it has no balance and sector."""
    return Event(
        transaction_id=facts.transaction_id,
        account=facts.sender_account,
        at=None if facts.at is None else micros(facts.at),
        amount=facts.amount,
        deposit=_NOTHING,
        withdrawal=facts.amount,
        bank=facts.sender_bank,
        counterparty_account=facts.receiver_account,
        counterparty_name=facts.receiver_name,
    )
