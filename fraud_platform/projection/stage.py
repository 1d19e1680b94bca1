"""Projection: each fraudulent transfer becomes one result row and its two users."""

import time
from collections.abc import Sequence

from fraud_platform.adapters.avro import Decode
from fraud_platform.core.log import Log
from fraud_platform.core.outcome import Outcome, Record, Rejected
from fraud_platform.core.results import ResultWriter
from fraud_platform.runtime.handler import Handler, Transformer
from fraud_platform.runtime.launch import Context
from fraud_platform.runtime.scribe import Scribe, dead
from fraud_platform.topology import Topic


class Projection:
    """Decodes a transfer and writes its rows."""

    def __init__(self, decode: Decode, results: ResultWriter) -> None:
        self._decode = decode
        self._results = results

    def __call__(self, records: Sequence[Record]) -> list[Outcome]:
        """One outcome per record; raises RegistryUnavailable."""
        return [self._decide(record) for record in records]

    def _decide(self, record: Record) -> Outcome:
        transaction = self._decode(record.value)
        if isinstance(transaction, Rejected):
            return dead(transaction)
        outputs = self._results.outputs(transaction, "projection", record.timestamp_ms)
        return Outcome("accepted.projected", outputs)


def build(context: Context, log: Log, scribe: Scribe) -> Handler:
    """The handler of one projection slot."""
    results = ResultWriter(context.settings.naming, context.writer.encoder)
    decide = Projection(context.reader.decoder(Topic.FRAUDULENT), results)
    return Transformer(log, scribe, decide, clock=time.monotonic, ready=context.reader.ready)
