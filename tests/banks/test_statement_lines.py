"""The statement lines behind the banks' transfers."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zlib import crc32

import pytest

from fraud_platform.banks.generator import Scenario, TransferGenerator
from fraud_platform.banks.loop import REST_S
from fraud_platform.banks.population import Population
from fraud_platform.banks.statement_lines import StatementLines
from fraud_platform.core.statement import Statement, canonical_key, parse_statement, to_json

PEOPLE = Population(7, customers=200)
NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def _transfers(number, *, run=1):
    generator = TransferGenerator(PEOPLE, run=run)
    return [generator.next(NOW + timedelta(milliseconds=n)) for n in range(number)]


MANY = _transfers(5_000)
PAIRS = [
    (
        transfer,
        json.loads(transfer.value, parse_float=Decimal),
        *(parse_statement(line.value) for line, _ in transfer.labelled_lines),
    )
    for transfer in MANY
]


def test_each_transfer_is_a_withdrawal_of_its_sender_and_a_deposit_of_its_receiver():
    for transfer, record, debit, credit in PAIRS:
        identity, amount = transfer.transaction_id.decode(), record["amount"]
        assert (debit.transaction_id, credit.transaction_id) == (f"{identity}-D", f"{identity}-C")
        assert (debit.account_number, credit.account_number) == (
            record["sender_bank_account"],
            record["receiver_bank_account"],
        )
        assert (debit.withdrawal, debit.deposit, credit.withdrawal, credit.deposit) == (amount, 0, 0, amount)
        assert debit.timestamp == credit.timestamp == record["transfer_date"]
        assert (debit.sector, debit.value_date) == (credit.sector, credit.value_date) == (debit.sector, "2026-01-31")


def test_each_line_is_as_we_would_write_it_and_lies_under_its_account_s_key():
    for transfer in MANY:
        for line, _ in transfer.labelled_lines:
            statement = parse_statement(line.value)
            assert isinstance(statement, Statement)
            assert json.loads(to_json(statement)) == json.loads(line.value)
            assert line.key == canonical_key(statement.account_number, statement.bank_id)


def test_each_account_s_balance_runs():
    balances = {}
    for _, _, *sides in PAIRS:
        for line in sides:
            before = balances.get(line.account_number)
            if before is not None:
                assert line.balance == before + line.deposit - line.withdrawal
            balances[line.account_number] = line.balance
    assert len(balances) > 200
    assert any(balance < 0 for balance in balances.values())


def test_an_overdrawn_account_owes_its_cents_too():
    poor, rich = PEOPLE.customers[:2]
    opening = 50_000 + crc32(poor.key) % 20_000_000
    debit, _ = StatementLines("1").of(b"t", poor, rich, opening + 5, b"2026-01-31T12:00:00Z", is_fraud=False)
    assert parse_statement(debit.value).balance == Decimal("-0.05")


def test_each_line_has_a_label_that_tells_the_truth_about_its_transfer():
    for transfer in MANY[:2000]:
        for line, label in transfer.labelled_lines:
            assert json.loads(label) == {
                **json.loads(transfer.label),
                "transaction_id": line.transaction_id.decode(),
            }


@pytest.mark.parametrize(("fraud", "least", "most"), [(False, 0.0005, 0.005), (True, 0.2, 0.4)])
def test_the_sector_that_is_stopped_is_rare_but_among_fraud(fraud, least, most):
    sectors = Counter(
        debit.sector for transfer, _, debit, _ in PAIRS if (transfer.scenario is not Scenario.LEGITIMATE) is fraud
    )
    assert least < sectors["Other"] / sectors.total() < most
    assert len(sectors) == 7


def test_equal_runs_give_equal_lines_and_others_do_not():
    def lines(run):
        return [transfer.labelled_lines for transfer in _transfers(300, run=run)]

    assert lines(9) == lines(9)
    assert lines(9) != lines(8)


@pytest.mark.parametrize(("rest_s", "least", "most"), [(0.0, 0.15, 0.4), (REST_S, 0.0, 0.01)])
def test_customers_who_rest_keep_honest_lines_apart_at_the_demo_s_rate(rest_s, least, most):
    generator = TransferGenerator(Population(7), run=1, rest_s=rest_s)
    last: dict[bytes, datetime] = {}
    honest = close = 0
    for n in range(3_000):
        at = NOW + timedelta(seconds=n / 20)
        made = generator.next(at)
        for line, _ in made.labelled_lines:
            if made.scenario is Scenario.LEGITIMATE:
                honest += 1
                close += line.key in last and at - last[line.key] < timedelta(seconds=10)
            last[line.key] = at
    assert least <= close / honest < most
