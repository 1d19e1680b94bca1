"""Tells the records of one transaction from all others, and takes from them what may be told."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from fraud_platform.core.evaluation import DiscardCounter
from fraud_platform.core.outcome import Rejected
from fraud_platform.core.statement import Statement, canonical_key, parse_statement
from fraud_platform.core.transaction import parse_transaction
from fraud_platform.topology import TOPICS, Topic
from fraud_platform.trace.seen import Seen

Decode = Callable[[bytes | None], Mapping[str, Any] | Rejected]
Headers = Mapping[str, str]


class _Named(msgspec.Struct):
    """The id that a record of JSON gives itself, under the names of either input."""

    transaction_id: str | int | None = None
    transactionId: str | int | None = None  # noqa: N815 - its name on the wire


class Found(msgspec.Struct, frozen=True):
    """One record as it was read; `topic` is ours, `timestamp_ms` Kafka's."""

    topic: Topic
    partition: int
    offset: int
    timestamp_ms: int
    value: bytes | None
    headers: Headers = {}


_named = msgspec.json.Decoder(_Named)
_ID_FIELDS: Mapping[Topic, str] = {
    Topic.FRAUDULENT: "transaction_id",
    Topic.UNIDENTIFIED: "transaction_id",
    Topic.RESULT: "TRANSACTION_ID",
    Topic.MONITORED: "transactionId",
    Topic.DECISIONS: "transaction_id",
}
TOPICS_OF_ONE = (Topic.BANK_TRANSACTIONS, Topic.STATEMENTS, *_ID_FIELDS, Topic.DEAD_LETTERS)
"""Where records of single transactions lie."""


class Recognizer:
    """Asked about one record after the other: is it the transaction's, and what does it say?"""

    def __init__(self, transaction_id: str, decode: Decode, place: Callable[[bytes], int | None]) -> None:
        """`decode` reads Avro values; `place` tells the partition of transaction.input on which a key belongs."""
        self._id = transaction_id
        self._bytes = transaction_id.encode("utf-8", "surrogatepass")
        self._alone = re.compile(rb"(?<![\w-])" + re.escape(self._bytes) + rb"(?![\w-])")
        self._decode = decode
        self._place = place

    def __call__(self, record: Found) -> Seen | None:
        """What was seen, or None for a record of another transaction."""
        value = record.value or b""
        if self._bytes not in value and (TOPICS[record.topic].schema or b"\\" not in value):
            return None
        if record.topic is Topic.DEAD_LETTERS:
            facts = self._letter(record)
        elif TOPICS[record.topic].schema:
            facts = self._row(record.topic, value)
        else:
            facts = self._input(record, value)
        if facts is None:
            return None
        return Seen(record.topic, record.partition, record.offset, record.timestamp_ms, facts)

    def _letter(self, record: Found) -> Mapping[str, Any] | None:
        """A dead letter by the record that it stands for; one that nobody can read, by the id in its bytes."""
        value, origin = record.value or b"", _topic(record.headers.get("topic", ""))
        field = None if origin is None else _ID_FIELDS.get(origin)
        row = self._decode(value) if field else None
        if field is None or row is None:
            is_mine = self._is_named(value)
        else:
            is_mine = self._is_in(value) if isinstance(row, Rejected) else row.get(field) == self._id
        if not is_mine:
            return None
        return {
            "stage": record.headers.get("stage", "unknown"),
            "topic": origin,
            "partition": _number(record.headers.get("partition")),
            "offset": _number(record.headers.get("offset")),
            "why": f"{record.headers.get('error_type', 'unknown')}: {record.headers.get('reason', 'unknown')}",
        }

    def _row(self, topic: Topic, value: bytes) -> Mapping[str, Any] | None:
        row = self._decode(value)
        if isinstance(row, Rejected) or row.get(_ID_FIELDS[topic]) != self._id:
            return None
        return row_facts(topic, row)

    def _input(self, record: Found, value: bytes) -> Mapping[str, Any] | None:
        if not self._is_named(value):
            return None
        if record.topic is Topic.BANK_TRANSACTIONS:
            transaction = parse_transaction(value)
            return {} if isinstance(transaction, Rejected) else {"evaluation": _safe(transaction.evaluation)}
        statement = parse_statement(value)
        if not isinstance(statement, Statement):
            return {}
        key = canonical_key(statement.account_number, statement.bank_id)
        return {"is_home": self._place(key) in (None, record.partition)}

    def _is_named(self, value: bytes) -> bool:
        try:
            found = _named.decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._is_in(value)
        given = found.transactionId if found.transaction_id is None else found.transaction_id
        # Lines of statements lose the blanks around their ids, transfers keep them.
        return given is not None and self._id in (str(given), str(given).strip())

    def _is_in(self, value: bytes) -> bool:
        """Whether the id stands in it as a word of its own: all that can be said of broken bytes."""
        return self._alone.search(value) is not None


def row_facts(topic: Topic, row: Mapping[str, Any]) -> dict[str, Any]:
    """What may be told of a row of ours: of a decision all of it, of others who wrote them or what follows."""
    if topic is Topic.DECISIONS:
        names = ("stage", "decided_at", "action", "hits", "rule_set_version", "not_evaluable")
        return {name: row[name] for name in names if name in row}
    if topic is Topic.RESULT:
        return {"source": row.get("SOURCE_PROCESS")}
    return {"action": row["monitorAction"]} if topic is Topic.MONITORED and "monitorAction" in row else {}


def _safe(evaluation: str) -> str:
    """The bank's word as the ledger names it: no value that could be somebody's."""
    return DiscardCounter().outcome(evaluation).partition(":")[2]


def _topic(name: str) -> Topic | None:
    """The topic whose name on the broker ends so: a prefix stands before it."""
    endings = [topic for topic in TOPICS if name.endswith(topic.value)]
    return max(endings, key=len, default=None)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None
