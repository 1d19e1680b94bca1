"""Values of the result topics, and a decoder that needs no registry."""

from decimal import Decimal
from typing import Any

from fraud_platform.adapters.avro import AvroReader, encoder
from fraud_platform.adapters.registry import SchemaRegistry, UnknownSchema, load_schema
from fraud_platform.core.outcome import Record
from fraud_platform.topology import Naming, Topic
from tests.builders import NOON

NAMING = Naming("p-")
IDS = {Topic.RESULT: 1, Topic.USERS: 2, Topic.DECISIONS: 3, Topic.MONITORED: 4}
_NAMES = {1: "result", 2: "user", 3: "decision", 4: "fraud_result"}


class KnownSchemas(SchemaRegistry):
    """Resolves the ids above without a service."""

    def __init__(self) -> None:
        pass

    def schema(self, schema_id: int) -> dict[str, Any]:
        if schema_id not in _NAMES:
            raise UnknownSchema(schema_id)
        return load_schema(_NAMES[schema_id])


def reader() -> AvroReader:
    return AvroReader(KnownSchemas())


def result(transaction_id: str = "t-1", **changes: Any) -> dict[str, Any]:
    return {
        "TRANSACTION_ID": transaction_id,
        "SENDER_BANK_ACCOUNT": "ACC-1",
        "SENDER_ID": "u-1",
        "RECEIVER_BANK_ACCOUNT": "ACC-2",
        "RECEIVER_ID": "u-2",
        "AMOUNT": Decimal("12.5"),
        "STATUS": "completed",
        "EVALUATION": "fraudulent",
        "TRANSFER_DATE": "2026-01-01T12:00:00+00:00",
        "SENDER_BANK": "First Bank",
        "SOURCE_PROCESS": "projection",
    } | changes


def user(user_id: str = "u-1", **changes: Any) -> dict[str, Any]:
    return {"ID": user_id, "NAME": "Ada", "WEBSITE": ["https://ada.example"], "SOURCE_PROCESS": "projection"} | changes


def decision(transaction_id: str = "t-1", **changes: Any) -> dict[str, Any]:
    return {
        "transaction_id": transaction_id,
        "stage": "validation",
        "decided_at": NOON,
        "action": "ALLOW",
        "hits": [],
        "rule_set_version": "v1",
        "not_evaluable": [],
    } | changes


def monitored(transaction_id: str = "s-1", **changes: Any) -> dict[str, Any]:
    hit = {
        "rule_id": "large", "criterion": "HIGH_TRANSACTION_AMOUNT", "observed": "12000.5", "limit": "10000",
        "window": None, "contributing_count": 1, "late": False, "action": "REVIEW",
    }  # fmt: skip
    return {
        "transactionId": transaction_id,
        "accountNumber": "409000000001",
        "bankId": "10",
        "transactionTimestamp": "2026-01-01 12:00:00",
        "depositAmount": Decimal(0),
        "withdrawalAmount": Decimal("12000.5"),
        "balanceAmount": None,
        "chqNo": None,
        "transactionDetails": "NEFT/Example",
        "valueDate": "2026-01-01",
        "transactionSector": "Retail",
        "hitStatus": ["HIT"],
        "monitorAction": "REVIEW",
        "monitoringCriteriaType": ["HIGH_TRANSACTION_AMOUNT"],
        "hits": [hit],
    } | changes


def wire(topic: Topic, value: dict[str, Any]) -> bytes:
    return encoder(topic, IDS[topic])(value)


def stored(
    topic: Topic, value: dict[str, Any] | bytes | None, *, offset: int = 0, partition: int = 0, at_ms: int = NOON
) -> Record:
    body = wire(topic, value) if isinstance(value, dict) else value
    return Record(NAMING.topic(topic), partition, offset, at_ms, b"key", body)
