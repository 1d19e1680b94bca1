"""A fraudulent transfer -> one result row and its two users.

Source: the ksqlDB streams of the published architecture, whose upper-case names its queries rely on.
"""

from collections.abc import Mapping
from typing import Any, Literal

SourceProcess = Literal["projection", "validation"]
FRAUDULENT = "fraudulent"


def result_row(transaction: Mapping[str, Any], source: SourceProcess) -> dict[str, Any]:
    """The value of `schemas/result.avsc`; `transaction` is a value of `schemas/transaction.avsc`."""
    return {
        "TRANSACTION_ID": transaction["transaction_id"],
        "SENDER_BANK_ACCOUNT": transaction["sender_bank_account"],
        "SENDER_ID": transaction["sender_details"]["id"],
        "RECEIVER_BANK_ACCOUNT": transaction["receiver_bank_account"],
        "RECEIVER_ID": transaction["receiver_details"]["id"],
        "AMOUNT": transaction["amount"],
        "STATUS": transaction["status"],
        "EVALUATION": FRAUDULENT,
        "TRANSFER_DATE": transaction["transfer_date"],
        "SENDER_BANK": transaction["sender_bank"],
        "SOURCE_PROCESS": source,
    }


def user_row(party: Mapping[str, Any], source: SourceProcess) -> dict[str, Any]:
    """One party as a value of `schemas/user.avsc`."""
    return {**{name.upper(): value for name, value in party.items()}, "SOURCE_PROCESS": source}
