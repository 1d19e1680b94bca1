"""Values for tests: complete by default, one keyword away from the case at hand."""

import json
from typing import Any

from fraud_platform.core.outcome import Record

NOON = 1_767_268_800_000  # 2026-01-01T12:00:00Z in epoch ms


def party(identity: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": identity,
        "name": "Ada Example",
        "address": "1 Test Lane",
        "email": "ada@bank.example",
        "birthdate": "1990-05-17",
        "phone_number": "+1-555-0100",
        "job": "Engineer",
        "company": "Example Ltd",
        "ssn": "900-12-3456",
        "blood_group": "O+",
        "website": ["https://ada.example"],
        "username": "ada",
        "bank_account": f"ACC-{identity}",
    } | changes


def transfer(transaction_id: str = "t-1", **changes: Any) -> dict[str, Any]:
    return {
        "transaction_id": transaction_id,
        "sender_bank_account": "ACC-1",
        "sender_details": party("u-1"),
        "receiver_bank_account": "ACC-2",
        "receiver_details": party("u-2"),
        "amount": 12.5,
        "status": "completed",
        "evaluation": "fraudulent",
        "transfer_date": "2026-01-01T12:00:00+00:00",
        "sender_bank": "First Bank",
    } | changes


def raw(transaction_id: str = "t-1", **changes: Any) -> bytes:
    return json.dumps(transfer(transaction_id, **changes)).encode()


def line(transaction_id: str = "s-1", **changes: Any) -> dict[str, Any]:
    """A statement line as the banks send it."""
    return {
        "transactionId": transaction_id,
        "accountNumber": "409000000001",
        "bankId": "10",
        "transactionTimestamp": "2026-01-01 12:00:00",
        "depositAmount": "0",
        "withdrawalAmount": "12.5",
        "balanceAmount": "183876.79",
        "chqNo": "0",
        "transactionDetails": "NEFT/Example",
        "valueDate": "2026-01-01",
        "transactionSector": "Retail",
    } | changes


def raw_line(transaction_id: str = "s-1", **changes: Any) -> bytes:
    return json.dumps(line(transaction_id, **changes)).encode()


def record(value: bytes | None, *, topic: str = "in", partition: int = 0, offset: int = 0, at_ms: int = NOON) -> Record:
    return Record(topic, partition, offset, at_ms, b"key", value)
