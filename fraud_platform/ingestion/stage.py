"""Ingestion's decision about each transfer, and the process around it."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from fraud_platform.adapters.pii_key import pii_keys
from fraud_platform.core.evaluation import FRAUDULENT, UNIDENTIFIED, DiscardCounter
from fraud_platform.core.log import Log
from fraud_platform.core.outcome import Outcome, Outgoing, Record, Rejected
from fraud_platform.core.privacy import Tokenizer
from fraud_platform.core.transaction import Transaction, parse_transaction, to_avro
from fraud_platform.runtime.handler import Handler, Transformer
from fraud_platform.runtime.launch import Context
from fraud_platform.runtime.scribe import Scribe, dead
from fraud_platform.topology import Naming, Topic

_ROUTES = {FRAUDULENT: Topic.FRAUDULENT, UNIDENTIFIED: Topic.UNIDENTIFIED}


class Ingestion:
    """Validate the whole record, replace each ssn by its token, route by the bank's own evaluation."""

    def __init__(
        self, tokenizer: Tokenizer, encoders: dict[Topic, Callable[[dict[str, Any]], bytes]], naming: Naming
    ) -> None:
        self._token = tokenizer.token
        self._discards = DiscardCounter()
        self._routes = {
            evaluation: (f"accepted.{evaluation}", naming.topic(topic), encoders[topic])
            for evaluation, topic in _ROUTES.items()
        }

    def __call__(self, records: Sequence[Record]) -> list[Outcome]:
        """One outcome per record."""
        return [self._decide(record) for record in records]

    def _decide(self, record: Record) -> Outcome:
        transaction = parse_transaction(record.value)
        if isinstance(transaction, Rejected):
            return dead(transaction)
        route = self._routes.get(transaction.evaluation)
        if route is None:
            return Outcome(self._discards.outcome(transaction.evaluation))
        outcome, topic, encode = route
        key = str(transaction.sender_bank_account).encode()
        return Outcome(outcome, (Outgoing(topic, key, encode(self._value(transaction)), record.timestamp_ms),))

    def _value(self, transaction: Transaction) -> dict[str, Any]:
        return to_avro(
            transaction,
            sender_ssn=self._token(transaction.sender_details.ssn),
            receiver_ssn=self._token(transaction.receiver_details.ssn),
        )


def build(context: Context, log: Log, scribe: Scribe) -> Handler:
    """The handler of one ingestion slot."""
    encoders = {topic: context.writer.encoder(topic) for topic in _ROUTES.values()}
    decide = Ingestion(Tokenizer(pii_keys(context.settings)), encoders, context.settings.naming)
    return Transformer(log, scribe, decide, clock=time.monotonic)
