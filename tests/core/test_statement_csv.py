"""Rows of a bank's export, and the sample that the documentation sends."""

from collections import Counter
from decimal import Decimal

import pytest

from fraud_platform.core.csv_rows import csv_rows
from fraud_platform.core.label import COLUMNS as LABEL_COLUMNS
from fraud_platform.core.label import OPTIONAL, Label, label_of
from fraud_platform.core.outcome import Rejected
from fraud_platform.core.statement import Statement, parse_statement
from fraud_platform.core.statement_csv import COLUMNS, in_columns, statement_of
from fraud_platform.rules.engine import Engine
from fraud_platform.rules.events import event_of_statement
from fraud_platform.rules.files import load
from fraud_platform.settings import CHECKOUT
from tests.builders import raw_line

SAMPLE, LABELS = CHECKOUT / "docs" / "statements.csv", CHECKOUT / "docs" / "statement-labels.csv"
ROW = {
    "transaction_id": "s-1", "account_no": "409000000001", "transaction_timestamp": "2026-01-01 12:00:00",
    "deposit_amt": "0", "withdrawal_amt": "12.5", "balance_amt": "183,876.79", "chq_no": "0",
    "transaction_details": "NEFT/Example", "value_date": "2026-01-01", "transaction_sector": "Retail", "bank_id": "10",
}  # fmt: skip


def sample() -> list[Statement]:
    with SAMPLE.open("rb") as lines:
        found = [
            statement_of(row) for _, row in csv_rows(lines, columns=tuple(COLUMNS)) if not isinstance(row, Rejected)
        ]
    return [line for line in found if isinstance(line, Statement)]


def test_a_row_says_what_the_json_of_a_line_says() -> None:
    assert statement_of(ROW) == parse_statement(raw_line())


def test_an_empty_amount_is_zero_and_another_empty_cell_says_nothing() -> None:
    empty = dict.fromkeys(("withdrawal_amt", "balance_amt", "chq_no", "value_date", "transaction_sector"), "")
    found = statement_of(ROW | empty)
    assert isinstance(found, Statement)
    assert (found.withdrawal, found.balance) == (Decimal(0), Decimal(0))
    assert (found.cheque_number, found.value_date, found.sector) == (None, None, None)


@pytest.mark.parametrize(
    ("column", "cell", "reason"),
    [
        ("transaction_id", "", "`transaction_id` is empty"),
        ("account_no", "", "`account_no` is empty"),
        ("bank_id", "", "`bank_id` is empty"),
        ("transaction_timestamp", "07/10/2024 04:48", "`transaction_timestamp` is not ISO 8601"),
        ("deposit_amt", "-1", "`deposit_amt` is negative"),
        ("withdrawal_amt", "1,00", "`withdrawal_amt` is text that is not written as a number"),
        ("balance_amt", "1.0000000001", "`balance_amt` has more than 9 fraction digits"),
        ("account_no", "4.09E+11", "`account_no` was shortened by a spreadsheet to a number with E; format it as text"),
    ],
)
def test_a_row_is_refused_in_the_words_of_its_file(column: str, cell: str, reason: str) -> None:
    found = statement_of(ROW | {column: cell})
    assert isinstance(found, Rejected)
    assert found.reason == reason


def test_each_field_has_its_column() -> None:
    for column, field in COLUMNS.items():
        assert in_columns(Rejected("schema", f"`$.{field}` is empty")).reason == f"`{column}` is empty"


def test_the_sample_is_good_and_each_balance_runs() -> None:
    lines = sample()
    assert len(lines) == len({line.transaction_id for line in lines}) == 40
    balances: dict[str, Decimal] = {}
    for line in lines:
        assert line.balance is not None
        if line.account_number in balances:
            assert line.balance == balances[line.account_number] + line.deposit - line.withdrawal
        balances[line.account_number] = line.balance
    assert len(balances) == 6


def test_each_default_rule_hits_three_lines_of_the_sample() -> None:
    engine = Engine(load())
    accounts: dict[tuple[str, str], object] = {}
    hits: list[str] = []
    judged = Counter[str]()
    for line in sample():
        account = accounts.setdefault((line.account_number, line.bank_id), engine.layout.new())
        decision = engine.judge(event_of_statement(line), account).decision
        hits += [hit.rule_id for hit in decision.hits]
        judged[decision.action] += 1
    assert Counter(hits) == {"high-transaction-amount": 3, "specific-sector": 3, "small-interval": 3}
    assert judged == {"ALLOW": 32, "REVIEW": 5, "BLOCK": 3}


def test_the_sample_s_labels_are_of_its_lines() -> None:
    with LABELS.open("rb") as lines:
        rows = list(csv_rows(lines, columns=LABEL_COLUMNS, optional=OPTIONAL))
    labels = [label_of(row) for _, row in rows if not isinstance(row, Rejected)]
    assert len(labels) == len(rows) == 7
    ids = {line.transaction_id for line in sample()}
    assert all(isinstance(label, Label) and label.transaction_id in ids for label in labels)
