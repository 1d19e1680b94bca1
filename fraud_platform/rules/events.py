"""What the systems send -> what a rule sees."""

from fraud_platform.core.statement import Statement
from fraud_platform.rules.event import Event


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
