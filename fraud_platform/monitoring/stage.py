"""Monitoring: the rules before each statement line, and what its account did before."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from fraud_platform.adapters.changelog import KafkaChangelog
from fraud_platform.adapters.rereader import KafkaRereader
from fraud_platform.adapters.rule_sets import RuleSets
from fraud_platform.core.decisions import Decision, Hit
from fraud_platform.core.log import Log
from fraud_platform.core.outcome import Outcome, Outgoing, Record, Rejected
from fraud_platform.core.results import Encode
from fraud_platform.core.statement import Statement, canonical_key, parse_statement, time_fault, to_row
from fraud_platform.monitoring.accounts import Accounts
from fraud_platform.rules.events import event_of_statement
from fraud_platform.runtime.handler import Handler, Transformer
from fraud_platform.runtime.launch import Context
from fraud_platform.runtime.litter import Litter
from fraud_platform.runtime.scribe import Scribe, dead
from fraud_platform.topology import MONITORING, Naming, Topic

HIT = "HIT"
LATE = ":late"
"""In an outcome's name in the ledger: the line was further behind its account's newest than the rule set's lateness."""
MAY_REPEAT = ":may-repeat"
"""The same: the line may have been judged before, so long ago that its id is forgotten."""
_DUPLICATE = Outcome("discarded.duplicate")


class Outputs:
    """Encodes what monitoring writes, under its topics' names."""

    def __init__(self, naming: Naming, encoder: Callable[[Topic], Encode]) -> None:
        self._statements, self._monitored = naming.topic(Topic.STATEMENTS), naming.topic(Topic.MONITORED)
        self._decisions = naming.topic(Topic.DECISIONS)
        self._encode_monitored, self._encode_decision = encoder(Topic.MONITORED), encoder(Topic.DECISIONS)

    def decision(self, decision: Decision, decided_at: datetime, timestamp_ms: int) -> Outgoing:
        """The decision, keyed by its transaction."""
        value = {
            "transaction_id": decision.transaction_id,
            "stage": MONITORING.name,
            "decided_at": decided_at,
            "action": decision.action.value,
            "hits": [_hit(hit) for hit in decision.hits],
            "rule_set_version": decision.rule_set_version,
            "not_evaluable": [{"rule_id": each.rule_id, "reason": each.reason} for each in decision.not_evaluable],
        }
        key = decision.transaction_id.encode()
        return Outgoing(self._decisions, key, self._encode_decision(value), timestamp_ms)

    def monitored(self, statement: Statement, decision: Decision, key: bytes, timestamp_ms: int) -> Outgoing:
        """The line with its hits, keyed by its account."""
        value = {
            **to_row(statement),
            "hitStatus": [HIT],
            "monitorAction": decision.action.value,
            "monitoringCriteriaType": list(dict.fromkeys(hit.criterion for hit in decision.hits)),
            "hits": [_hit(hit) for hit in decision.hits],
        }
        return Outgoing(self._monitored, key, self._encode_monitored(value), timestamp_ms)

    def again(self, record: Record, key: bytes) -> Outgoing:
        """The record as it came, where its account belongs."""
        return Outgoing(self._statements, key, record.value, record.timestamp_ms)


def _hit(hit: Hit) -> Mapping[str, Any]:
    return msgspec.structs.asdict(hit)


class Monitoring:
    """Judges each line before the state of its account, by the engine that the accounts are ready for."""

    def __init__(
        self,
        accounts: Accounts,
        outputs: Outputs,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._accounts = accounts
        self._outputs = outputs
        self._now = now
        self._decided_at = now()
        self._engine = accounts.engine()

    @property
    def version(self) -> str:
        """Of the rule set that judges the next line."""
        return self._accounts.engine().rule_set.version

    @property
    def coming(self) -> str:
        """Of the rule set whose windows are being filled, and how far; empty when none is."""
        return self._accounts.coming

    def __call__(self, records: Sequence[Record]) -> list[Outcome]:
        """One outcome per record; raises ConfigurationError when an account's record is of no use."""
        self._engine = self._accounts.engine()
        self._decided_at = self._now()
        return [self._decide(record) for record in records]

    def _decide(self, record: Record) -> Outcome:
        statement = parse_statement(record.value)
        if isinstance(statement, Rejected):
            return dead(statement)
        key = canonical_key(statement.account_number, statement.bank_id)
        if self._accounts.place(key) != record.partition:
            return Outcome("rekeyed", (self._outputs.again(record, key),))
        fault = time_fault(statement, record.timestamp_ms)
        if fault is not None:
            return dead(fault)
        account = self._accounts.find(record.partition, key, record.timestamp_ms)
        judgement = self._engine.judge(event_of_statement(statement), account)
        if judgement.decision is None:
            return _DUPLICATE
        self._accounts.touch(record.partition, key, account)
        decision = judgement.decision
        detail = f"{LATE if judgement.is_late else ''}{MAY_REPEAT if judgement.may_repeat else ''}"
        kept = self._outputs.decision(decision, self._decided_at, record.timestamp_ms)
        if not decision.hits:
            return Outcome(f"accepted.clear{detail}", (kept,))
        row = self._outputs.monitored(statement, decision, key, record.timestamp_ms)
        return Outcome(f"accepted.hit{detail}", (row, kept))


def build(context: Context, log: Log, scribe: Scribe) -> Handler:
    """The handler of one monitoring slot."""
    settings = context.settings
    changelog = KafkaChangelog(settings, Topic.MONITORING_STATE, of=Topic.STATEMENTS)
    rereader = KafkaRereader(settings, Topic.STATEMENTS)
    outputs = Outputs(settings.naming, context.writer.encoder)
    rules = RuleSets(settings)  # last: it has a thread, and what fails before is tried again each second
    topic = settings.naming.topic(Topic.MONITORING_STATE)
    accounts = Accounts(changelog, rereader, topic, rules.engine, litter=Litter())
    decide = Monitoring(accounts, outputs)
    return Transformer(
        log, scribe, decide, clock=time.monotonic, close=rules.close, streams=True, state=accounts,
        rules=lambda: decide.version, coming=lambda: decide.coming,
    )  # fmt: skip
