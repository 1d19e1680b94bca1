"""A monitoring slot over the fake broker, its inputs and what it wrote, readable."""

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from confluent_kafka import murmur2

from fraud_platform.core.ledger import Entry
from fraud_platform.core.statement import canonical_key
from fraud_platform.monitoring.accounts import Accounts
from fraud_platform.monitoring.stage import Monitoring, Outputs
from fraud_platform.rules.engine import Engine
from fraud_platform.rules.parse import parse
from fraud_platform.rules.rule_set import RuleSet
from fraud_platform.runtime.handler import Transformer
from fraud_platform.runtime.scribe import Identity, Scribe
from fraud_platform.runtime.worker import Progress, Worker
from fraud_platform.topology import MONITORING, Naming, Topic
from tests.builders import NOON, raw_line
from tests.fakes.changelog import FakeChangelog
from tests.fakes.clock import FakeClock
from tests.fakes.log import FakeBroker, FakeLog
from tests.fakes.rereader import FakeRereader

GROUP = "monitoring"
COUNT = 2
RULES = """
rules:
  - {id: large, criterion: HIGH_TRANSACTION_AMOUNT, action: REVIEW, parameters: {at_least: 10000}}
  - {id: quick, criterion: SMALL_INTERVAL, action: REVIEW, parameters: {within: 10s}}
  - {id: third, criterion: WINDOW_AGGREGATE, action: BLOCK, parameters: {function: COUNT, window: 24h, at_least: 3}}
"""
_START = datetime(2026, 1, 1, 12, tzinfo=UTC)


def engine(text: str = RULES, *, since: datetime | None = None) -> Engine:
    found = parse(text)
    assert isinstance(found, RuleSet), found
    return Engine(found, since=since)


def broker() -> FakeBroker:
    counts = {Topic.DEAD_LETTERS: 1, Topic.LEDGER: 1, Topic.DECISIONS: 1, Topic.MONITORED: 1}
    return FakeBroker({**{topic.value: COUNT for topic in (Topic.STATEMENTS, Topic.MONITORING_STATE)}, **counts})


def at(minutes: float) -> str:
    """A timestamp so many minutes after noon."""
    return (_START + timedelta(minutes=minutes)).isoformat()


def account_on(partition: int, number: int = 0) -> str:
    """The `number`th account whose lines belong on the partition."""
    found = (f"A{n}" for n in range(1000) if murmur2(canonical_key(f"A{n}", "10"), COUNT) == partition)
    return [next(found) for _ in range(number + 1)][-1]


def put(
    where: FakeBroker, transaction_id: str, minutes: float = 0.0, *, account: str = "A1", on: int | None = None,
    at_ms: int | None = None, **changes: Any,
) -> None:  # fmt: skip
    """A line of the account so many minutes after noon, on its own partition or `on` another."""
    key = canonical_key(account, "10")
    number = murmur2(key, COUNT) if on is None else on
    value = raw_line(transaction_id, accountNumber=account, transactionTimestamp=at(minutes), **changes)
    time_ms = NOON + int(minutes * 60_000) if at_ms is None else at_ms
    where.append(Topic.STATEMENTS, number, value, key=key, at_ms=time_ms)


def encode(value: dict[str, Any]) -> bytes:
    return json.dumps(value, default=_plain).encode()


def _plain(value: object) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


class Slot:
    """One process: a worker whose clock moves a second with each step."""

    def __init__(
        self, where: FakeBroker, slot: str = "0", *, rules: Callable[[], Engine] | None = None, live: int = 100,
        max_records: int = 5000, per_read: int = 10_000, reread: int = 10_000, patience_s: float = math.inf,
    ) -> None:  # fmt: skip
        self.broker = where
        self.log = FakeLog(where, group=GROUP, slot=slot, reads=[Topic.STATEMENTS.value], max_records=max_records)
        self.changelog = FakeChangelog(where, Topic.MONITORING_STATE, per_read=per_read)
        self.rereader = FakeRereader(where, Topic.STATEMENTS, per_read=reread)
        naming, fixed = Naming(), engine()
        self.accounts = Accounts(
            self.changelog, self.rereader, Topic.MONITORING_STATE.value, rules or (lambda: fixed), live=live
        )
        self.clock = FakeClock()
        self.seen: list[Progress] = []
        decide = Monitoring(self.accounts, Outputs(naming, lambda _: encode), now=lambda: _START)
        scribe = Scribe(Identity(MONITORING, slot, "run-1", "1.0"), naming, encode)
        self.handler = Transformer(
            self.log, scribe, decide, clock=self.clock, streams=True, state=self.accounts,
            rules=lambda: decide.version, coming=lambda: decide.coming,
        )  # fmt: skip
        self.worker = Worker(
            self.log, self.handler, stop=lambda: False, patience_s=patience_s, eager=True, observe=self.seen.append,
            clock=self.clock,
        )  # fmt: skip

    def step(self, count: int = 1) -> "Slot":
        """Some turns of the loop; the slot stays in the group."""
        for _ in range(count):
            self.clock.advance(1.0)
            self.worker._step()
            self.worker._report()
        return self

    def die(self) -> None:
        """As after kill -9: what it had in memory is gone."""
        self.log.close()


def decisions(where: FakeBroker) -> dict[str, dict[str, Any]]:
    """Every decision by transaction, in the order of writing."""
    return {value["transaction_id"]: value for value in _values(where, Topic.DECISIONS)}


def monitored(where: FakeBroker) -> list[dict[str, Any]]:
    return _values(where, Topic.MONITORED)


def hits(where: FakeBroker) -> dict[str, list[str]]:
    """The rules that hit each transaction."""
    return {name: [hit["rule_id"] for hit in value["hits"]] for name, value in decisions(where).items()}


def entries(where: FakeBroker) -> list[Entry]:
    values = _values(where, Topic.LEDGER)
    return [Entry.from_avro({**v, "committed_at": datetime.fromisoformat(v["committed_at"])}) for v in values]


def _values(where: FakeBroker, topic: Topic) -> list[dict[str, Any]]:
    return [json.loads(record.value or b"") for record in where.records(topic)]
