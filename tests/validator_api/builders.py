"""Requests to fraud-validator-api: good by default, one keyword away from the case at hand."""

import json
from decimal import Decimal
from typing import Any

from fraud_platform.core.questions import Question


def question(transaction_id: object = "t-1", **changes: Any) -> dict[str, Any]:
    return {
        "transaction_id": transaction_id,
        "sender_bank_account": "ACC-1",
        "receiver_details": json.dumps({"id": "u-2", "name": "Ada Example", "bank_account": "ACC-2"}),
        "sender_bank": "First Bank",
        "amount": 12.5,
    } | changes


def typed(transaction_id: str = "t-1", *, amount: str = "12.5", **changes: Any) -> Question:
    return Question(**(question(transaction_id, **changes) | {"amount": Decimal(amount)}))
