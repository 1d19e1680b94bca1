"""Validation: ask fraud-validator-api about each transfer; keep every decision with its reasons."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from fraud_platform.adapters.avro import Decode
from fraud_platform.adapters.validator import Validator, ValidatorClient
from fraud_platform.core.decisions import Decision
from fraud_platform.core.log import Log
from fraud_platform.core.outcome import Outcome, Outgoing, Record, Rejected
from fraud_platform.core.questions import Question
from fraud_platform.core.results import Encode, ResultWriter
from fraud_platform.core.same_again import SameAgain
from fraud_platform.failpoints import Point, reach
from fraud_platform.runtime.handler import Handler, Transformer
from fraud_platform.runtime.launch import Context
from fraud_platform.runtime.scribe import Scribe, dead
from fraud_platform.topology import VALIDATION, Topic


def _as_json(party: Mapping[str, Any]) -> str:
    return msgspec.json.encode(party).decode()


def question_about(transaction: Mapping[str, Any], as_json: Callable[[Mapping[str, Any]], str] = _as_json) -> Question:
    """What the validator is asked about a value of `schemas/transaction.avsc`."""
    return Question(
        transaction_id=transaction["transaction_id"],
        sender_bank_account=transaction["sender_bank_account"],
        receiver_details=as_json(transaction["receiver_details"]),
        sender_bank=transaction["sender_bank"],
        amount=transaction["amount"],
        receiver_bank_account=transaction["receiver_bank_account"],
        transfer_date=transaction["transfer_date"],
    )


class Validation:
    """Asks in batches before the transaction begins; an item that the validator calls bad is dead-lettered alone."""

    def __init__(
        self,
        decode: Decode,
        validator: Validator,
        results: ResultWriter,
        decisions: tuple[str, Encode],
        *,
        stop: Callable[[], bool],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._decode = decode
        self._validator = validator
        self._results = results
        self._decisions_topic, self._encode_decision = decisions
        self._stop = stop
        self._now = now
        self._as_json = SameAgain(_as_json, size=len)

    def __call__(self, records: Sequence[Record]) -> list[Outcome]:
        """One outcome per record.

        Raises:
            ValidatorUnavailable: no answer within the budget; nothing has happened.
            ConfigurationError: the validator refuses us.
        """
        transactions = [self._decode(record.value) for record in records]
        questions = [question_about(t, self._as_json) for t in transactions if not isinstance(t, Rejected)]
        answers = iter(self._validator.judge(questions, stop=self._stop) if questions else ())
        reach(Point.AFTER_VALIDATE)
        return [
            dead(transaction)
            if isinstance(transaction, Rejected)
            else self._outcome(record, transaction, next(answers))
            for record, transaction in zip(records, transactions, strict=True)
        ]

    def _outcome(self, record: Record, transaction: Mapping[str, Any], answer: Decision | Rejected) -> Outcome:
        if isinstance(answer, Rejected):
            return dead(answer)
        decision = self._decision(record, answer)
        if not answer.is_fraudulent:
            return Outcome("discarded.legitimate", (decision,))
        results = self._results.outputs(transaction, "validation", record.timestamp_ms)
        return Outcome("accepted.fraudulent", (*results, decision))

    def _decision(self, record: Record, decision: Decision) -> Outgoing:
        value = {**msgspec.to_builtins(decision), "stage": VALIDATION.name, "decided_at": self._now()}
        key = decision.transaction_id.encode()
        return Outgoing(self._decisions_topic, key, self._encode_decision(value), record.timestamp_ms)


def build(context: Context, log: Log, scribe: Scribe) -> Handler:
    """The handler of one validation slot."""
    naming = context.settings.naming
    validator = ValidatorClient.from_settings(context.settings)
    decide = Validation(
        context.reader.decoder(Topic.UNIDENTIFIED),
        validator,
        ResultWriter(naming, context.writer.encoder),
        (naming.topic(Topic.DECISIONS), context.writer.encoder(Topic.DECISIONS)),
        stop=context.stop,
    )

    def ready() -> bool:
        return validator.probe() and context.reader.ready()

    return Transformer(log, scribe, decide, clock=time.monotonic, ready=ready, close=validator.close)
