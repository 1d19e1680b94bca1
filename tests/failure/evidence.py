"""All that a platform has left behind, read with independent clients, and what its inputs should have become."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

import fastavro
from bson.codec_options import CodecOptions
from bson.decimal128 import Decimal128
from pymongo import MongoClient

from tests.failure.lines import BANK, STATEMENTS, Line
from tests.failure.monitored import Judged, judge
from tests.failure.plain import Row, Topics, Where, committed_offsets, lake_objects

DEAD, LEDGER = "dead-letters", "ledger"
FRAUDULENT, UNIDENTIFIED = "fraudulent-transactions", "unidentified-transactions"
RESULT, USERS, MONITORED = "fraudulent-transactions-result", "users", "transaction.fraud.result"
DECISIONS = "decisions"
STORED = {RESULT: "transactions", USERS: "users", MONITORED: "monitored_transactions", DECISIONS: "decisions"}
READS = {
    "ingestion": (BANK,),
    "projection": (FRAUDULENT,),
    "validation": (UNIDENTIFIED,),
    "monitoring": (STATEMENTS,),
    "lake": tuple(STORED),
    "documents": tuple(STORED),
}

Value = dict[str, Any]


class Fate(StrEnum):
    """What must become of a bank's transfer, by the published contract."""

    REJECTED = "dead letter of ingestion"
    DISCARDED = "discarded"
    FRAUDULENT = "projected"
    FLAGGED = "fraudulent by the validator"
    ALLOWED = "legitimate by the validator"
    UNANSWERABLE = "dead letter of validation"


def fate_of(raw: bytes | None) -> Fate:
    """The platform's rules once more, as short as the test data allow."""
    try:
        value = json.loads(raw or b"", parse_float=Decimal)
        amount = Decimal(value["amount"])
        receiver = value["receiver_details"]
        datetime.fromisoformat(value["transfer_date"])
        assert value["sender_details"]["id"]
        assert receiver["id"]
        assert amount >= 0
        assert amount == round(amount, 9)
        verdict = value["evaluation"]
    except (ValueError, KeyError, TypeError, AssertionError, InvalidOperation):
        return Fate.REJECTED
    if verdict != "unidentified":
        return Fate.FRAUDULENT if verdict == "fraudulent" else Fate.DISCARDED
    if len(json.dumps(receiver)) > 64 * 1024:
        return Fate.UNANSWERABLE
    return Fate.FLAGGED if amount >= 10_000 else Fate.ALLOWED


@dataclass
class Evidence:
    """Rows per topic by position with their decoded values, lake rows, documents, and committed offsets."""

    inputs: list[Line]
    rows: dict[str, list[Row]]
    values: dict[str, list[Value]]
    lake: dict[str, list[Value]]
    documents: dict[str, list[Value]]
    committed: dict[tuple[str, str, int], int]
    prefix: str = ""
    fates: list[Fate] = field(default_factory=list)
    lines: list[Judged] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.fates = [fate_of(row.value) for row in self.rows[BANK]]
        self.lines = judge(self.rows[STATEMENTS])

    def decoded(self, topic: str) -> list[tuple[Row, Value]]:
        return list(zip(self.rows[topic], self.values[topic], strict=True))

    def sources(self, *fates: Fate) -> list[tuple[Row, Value]]:
        """The inputs with one of these fates, by position in bank-transactions."""
        chosen = [row for row, fate in zip(self.rows[BANK], self.fates, strict=True) if fate in fates]
        return [(row, json.loads(row.value or b"")) for row in chosen]


def gather(where: Where, inputs: list[Line]) -> Evidence:
    """Read everything; nothing may run meanwhile."""
    with Topics(where) as topics:
        names = (BANK, STATEMENTS, FRAUDULENT, UNIDENTIFIED, *STORED, DEAD, LEDGER)
        rows = {name: topics.read(name) for name in names}
        values = {
            name: [topics.decode(row.value) for row in found]
            for name, found in rows.items()
            if name not in (BANK, STATEMENTS, DEAD)
        }
    return Evidence(inputs, rows, values, _lake(where), _documents(where), _committed(where), where.prefix)


def _lake(where: Where) -> dict[str, list[Value]]:
    return {
        topic: [dict(row) for body in lake_objects(where, topic).values() for row in fastavro.reader(io.BytesIO(body))]
        for topic in STORED
    }


def _documents(where: Where) -> dict[str, list[Value]]:
    aware: CodecOptions[Any] = CodecOptions(tz_aware=True)
    with MongoClient[Value](where.mongodb) as client:
        database = client.get_database(where.database, codec_options=aware)
        return {topic: [_plain(each) for each in database[name].find()] for topic, name in STORED.items()}


def _plain(document: Mapping[str, Any]) -> Value:
    return {k: v.to_decimal() if isinstance(v, Decimal128) else v for k, v in document.items()}


def _committed(where: Where) -> dict[tuple[str, str, int], int]:
    return {
        (stage, topic, number): at
        for stage, read in READS.items()
        for topic in read
        for number, at in committed_offsets(where, f"fraud-platform.{stage}", topic).items()
    }
