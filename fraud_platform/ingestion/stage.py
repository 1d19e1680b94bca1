"""Ingestion's decision about each transfer, and the process around it."""

import time
from collections.abc import Sequence
from typing import Any

import msgspec

from fraud_platform.adapters.avro import Assemble, AvroWriter, part_encoder
from fraud_platform.adapters.pii_key import pii_keys
from fraud_platform.core.evaluation import FRAUDULENT, UNIDENTIFIED, DiscardCounter
from fraud_platform.core.known_parties import ACCOUNT, ENCODED, EVALUATION, KnownParties
from fraud_platform.core.log import Log
from fraud_platform.core.outcome import Outcome, Outgoing, Record, Rejected
from fraud_platform.core.privacy import Tokenizer
from fraud_platform.core.results import Encode
from fraud_platform.core.transaction import Transaction, parse_transaction, party_to_avro, to_avro
from fraud_platform.runtime.handler import Handler, Transformer
from fraud_platform.runtime.launch import Context
from fraud_platform.runtime.scribe import Scribe, dead
from fraud_platform.topology import Naming, Topic

_ROUTES = {FRAUDULENT: Topic.FRAUDULENT, UNIDENTIFIED: Topic.UNIDENTIFIED}


class Ingestion:
    """Validate the whole record, replace each ssn by its token, route by the bank's own evaluation."""

    def __init__(self, tokenizer: Tokenizer, writer: AvroWriter, naming: Naming) -> None:
        self._token = tokenizer.token
        self._discards = DiscardCounter()
        self._routes = {
            evaluation: _Route(
                f"accepted.{evaluation}", naming.topic(topic), writer.encoder(topic), writer.assembler(topic, ENCODED)
            )
            for evaluation, topic in _ROUTES.items()
        }
        encode = part_encoder(Topic.UNIDENTIFIED, "sender_details")
        self._known = KnownParties(lambda party: encode(party_to_avro(party, self._token(party.ssn))))

    def __call__(self, records: Sequence[Record]) -> list[Outcome]:
        """One outcome per record."""
        return [self._decide(record) for record in records]

    def _decide(self, record: Record) -> Outcome:
        transfer = self._known.transfer(record.value)
        if transfer is None:
            return self._decide_carefully(record)
        evaluation = transfer[EVALUATION]
        route = self._routes.get(evaluation)
        if route is None:
            return Outcome(self._discards.outcome(evaluation))
        return route.outcome(transfer[ACCOUNT], route.assemble(transfer), record)

    def _decide_carefully(self, record: Record) -> Outcome:
        transaction = parse_transaction(record.value)
        if isinstance(transaction, Rejected):
            return dead(transaction)
        route = self._routes.get(transaction.evaluation)
        if route is None:
            return Outcome(self._discards.outcome(transaction.evaluation))
        return route.outcome(str(transaction.sender_bank_account), route.encode(self._value(transaction)), record)

    def _value(self, transaction: Transaction) -> dict[str, Any]:
        return to_avro(
            transaction,
            sender_ssn=self._token(transaction.sender_details.ssn),
            receiver_ssn=self._token(transaction.receiver_details.ssn),
        )


class _Route(msgspec.Struct, frozen=True):
    """Where accepted transfers go; `assemble` takes what `KnownParties` makes."""

    name: str
    topic: str
    encode: Encode
    assemble: Assemble

    def outcome(self, account: str, value: bytes, record: Record) -> Outcome:
        return Outcome(self.name, (Outgoing(self.topic, account.encode(), value, record.timestamp_ms),))


def build(context: Context, log: Log, scribe: Scribe) -> Handler:
    """The handler of one ingestion slot."""
    decide = Ingestion(Tokenizer(pii_keys(context.settings)), context.writer, context.settings.naming)
    return Transformer(log, scribe, decide, clock=time.monotonic, streams=True)
