"""Turns what became of a batch into the records of its transaction: outputs, dead letters, ledger entry."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from fraud_platform.core.ledger import Entry, InputRange
from fraud_platform.core.log import Committed, Partition
from fraud_platform.core.outcome import Outcome, Outgoing, Record, Rejected
from fraud_platform.topology import DEAD_LETTERED, MIB, Naming, Stage, Topic

MAX_DEAD_LETTER_BYTES = 8 * MIB
MAX_DEAD_LETTER_KEY_BYTES = MIB // 2
"""With the value's and the headers' within what the topic takes, or no letter could ever be written."""


def dead(error: Rejected) -> Outcome:
    """The outcome of a record that no stage can use."""
    return Outcome(DEAD_LETTERED, rejected=error)


class Identity(msgspec.Struct, frozen=True):
    """Who writes: the stage's slot and the run that fills it."""

    stage: Stage
    slot: str
    run_id: str
    code_version: str


class Scribe:
    """Writes the platform's own records about a batch."""

    def __init__(self, identity: Identity, naming: Naming, encode_ledger: Callable[[dict[str, Any]], bytes]) -> None:
        self.identity = identity
        self._dead_letters = naming.topic(Topic.DEAD_LETTERS)
        self._ledger = naming.topic(Topic.LEDGER)
        changelog = identity.stage.changelog
        self._own = {self._dead_letters, self._ledger, *((naming.topic(changelog),) if changelog else ())}
        self._encode = encode_ledger

    def outputs(self, records: Sequence[Record], outcomes: Sequence[Outcome]) -> list[Outgoing]:
        """The outputs of each record in order, a dead letter in place of those of a rejected one."""
        written: list[Outgoing] = []
        for record, outcome in zip(records, outcomes, strict=True):
            if outcome.rejected is not None:
                written.append(self.dead_letter(record, outcome.rejected))
            else:
                written.extend(outcome.outputs)
        return written

    def dead_letter(self, record: Record, error: Rejected) -> Outgoing:
        """The record's original bytes (of large ones the beginning), with the reason in the headers.

        It is dated now, or an old record's letter would expire at once; its own time is a header.
        """
        value = None if record.value is None else record.value[:MAX_DEAD_LETTER_BYTES]
        key = None if record.key is None else record.key[:MAX_DEAD_LETTER_KEY_BYTES]
        headers = {
            "stage": self.identity.stage.name,
            "topic": record.topic,
            "partition": str(record.partition),
            "offset": str(record.offset),
            "timestamp": str(record.timestamp_ms),
            "error_type": error.error_type,
            "reason": error.reason,
        }
        encoded = tuple((name, text.encode()) for name, text in headers.items())
        return Outgoing(self._dead_letters, key, value, now_ms(), encoded)

    def is_own(self, topic: str) -> bool:
        """Whether the topic, by its name on the broker, holds records that nothing can stand in the place of."""
        return topic in self._own

    def entry(
        self,
        committed: Mapping[Partition, Committed],
        positions: Mapping[Partition, int],
        counts: Mapping[Partition, int],
        outcomes: Mapping[str, int],
    ) -> Entry:
        """The ledger entry of a commit that moves `committed` to `positions`."""
        return Entry(
            stage=self.identity.stage.name,
            slot=self.identity.slot,
            run_id=self.identity.run_id,
            code_version=self.identity.code_version,
            committed_at=datetime.now(UTC),
            inputs=tuple(
                InputRange(p.topic, p.number, committed[p].offset, position, counts.get(p, 0))
                for p, position in sorted(positions.items())
            ),
            outcomes=outcomes,
        )

    def ledger_record(self, entry: Entry) -> Outgoing:
        """The entry as it goes on the wire, keyed by stage so that one partition holds it in order."""
        key = self.identity.stage.name.encode()
        return Outgoing(self._ledger, key, self._encode(entry.to_avro()), now_ms())


def count_by_partition(records: Iterable[Record]) -> Counter[Partition]:
    """Records per input partition."""
    found = Counter((record.topic, record.partition) for record in records)
    return Counter({Partition(*place): count for place, count in found.items()})


def now_ms() -> int:
    """Wall-clock time in epoch milliseconds."""
    return time.time_ns() // 1_000_000
