"""Rows of a bank's CSV export -> statement lines."""

import re
from collections.abc import Mapping

import msgspec

from fraud_platform.core.outcome import Rejected
from fraud_platform.core.statement import Statement, parse_statement

COLUMNS: Mapping[str, str] = {
    "transaction_id": "transactionId",
    "account_no": "accountNumber",
    "transaction_timestamp": "transactionTimestamp",
    "deposit_amt": "depositAmount",
    "withdrawal_amt": "withdrawalAmount",
    "balance_amt": "balanceAmount",
    "chq_no": "chqNo",
    "transaction_details": "transactionDetails",
    "value_date": "valueDate",
    "transaction_sector": "transactionSector",
    "bank_id": "bankId",
}
"""Each column and the field that it becomes, in the order of the file."""

_SAYS_NOTHING = ("chq_no", "transaction_details", "value_date", "transaction_sector")
"""Columns whose empty cells are left out; an empty amount is 0 and an empty id a fault."""
_SHORTENED = re.compile(r"[0-9](?:\.[0-9]+)?E\+[0-9]+", re.IGNORECASE)
_encode = msgspec.json.Encoder().encode


def statement_of(row: Mapping[str, str]) -> Statement | Rejected:
    """Check a row, cells by column; reasons name the column, never a value."""
    if _SHORTENED.fullmatch(row["account_no"]):
        return Rejected("schema", "`account_no` was shortened by a spreadsheet to a number with E; format it as text")
    fields = {COLUMNS[name]: cell for name, cell in row.items() if cell or name not in _SAYS_NOTHING}
    found = parse_statement(_encode(fields))
    return in_columns(found) if isinstance(found, Rejected) else found


def in_columns(rejected: Rejected) -> Rejected:
    """The reason in the words of the file: its columns in place of the fields."""
    reason = rejected.reason
    for column, field in COLUMNS.items():
        reason = reason.replace(f"`$.{field}`", f"`{column}`")
    return Rejected(rejected.error_type, reason)
