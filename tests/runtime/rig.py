"""A slot over the fake broker: log, scribe and a readable ledger."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from fraud_platform.core.ledger import Entry
from fraud_platform.core.outcome import Outcome, Outgoing, Record, Rejected
from fraud_platform.runtime.scribe import Identity, Scribe, dead
from fraud_platform.topology import PROJECTION, Naming
from tests.fakes.log import FakeBroker, FakeLog

OUT, LEDGER, DEAD = "fraudulent-transactions-result", "ledger", "dead-letters"


def broker() -> FakeBroker:
    return FakeBroker({"in": 2, OUT: 2, LEDGER: 1, DEAD: 1})


def open_log(where: FakeBroker, slot: str = "0", **options: Any) -> FakeLog:
    return FakeLog(where, group="g", slot=slot, reads=["in"], **options)


def scribe(slot: str = "0") -> Scribe:
    return Scribe(Identity(PROJECTION, slot, "run-1", "1.0"), Naming(), encode)


def encode(value: dict[str, Any]) -> bytes:
    return json.dumps(value, default=str).encode()


def entries(where: FakeBroker) -> list[Entry]:
    found = []
    for record in where.records(LEDGER):
        value = json.loads(record.value or b"")
        value["committed_at"] = datetime.fromisoformat(value["committed_at"])
        found.append(Entry.from_avro(value))
    return found


def echo(records: Sequence[Record]) -> list[Outcome]:
    """Values starting with `bad` are rejected, all others written as they are."""
    return [
        dead(Rejected("schema", "starts with bad"))
        if (record.value or b"").startswith(b"bad")
        else Outcome("accepted.projected", (Outgoing(OUT, record.key, record.value, record.timestamp_ms),))
        for record in records
    ]


def values(where: FakeBroker, topic: str = OUT) -> list[bytes | None]:
    return sorted((r.value for r in where.records(topic)), key=str)
