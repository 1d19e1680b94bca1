"""The ledger: one entry per commit says what was read and what became of it; and the sums that prove it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from fraud_platform.topology import STAGES, Topic


class InputRange(msgspec.Struct, frozen=True):
    """`[start, end)` of one partition: committed offsets before and now; `count` records were read in it."""

    topic: str
    partition: int
    start: int
    end: int
    count: int


class Entry(msgspec.Struct, frozen=True):
    """One committed transaction of a stage; see `schemas/ledger.avsc`."""

    stage: str
    slot: str
    run_id: str
    code_version: str
    committed_at: datetime
    inputs: tuple[InputRange, ...]
    outcomes: Mapping[str, int]

    def to_avro(self) -> dict[str, Any]:
        """The value of `schemas/ledger.avsc`."""
        return {
            "stage": self.stage,
            "slot": self.slot,
            "run_id": self.run_id,
            "code_version": self.code_version,
            "committed_at": self.committed_at,
            "inputs": [
                {"topic": i.topic, "partition": i.partition, "from": i.start, "to": i.end, "count": i.count}
                for i in self.inputs
            ],
            "outcomes": dict(self.outcomes),
        }

    @classmethod
    def from_avro(cls, value: Mapping[str, Any]) -> "Entry":
        """The entry behind a decoded ledger record."""
        return cls(
            stage=value["stage"],
            slot=value["slot"],
            run_id=value["run_id"],
            code_version=value["code_version"],
            committed_at=value["committed_at"].astimezone(UTC),
            inputs=tuple(
                InputRange(i["topic"], i["partition"], i["from"], i["to"], i["count"]) for i in value["inputs"]
            ),
            outcomes=dict(value["outcomes"]),
        )


def outcomes(entries: Iterable[Entry]) -> Counter[str]:
    """Records per outcome over all entries."""
    total: Counter[str] = Counter()
    for entry in entries:
        total.update(entry.outcomes)
    return total


def records_read(entries: Iterable[Entry]) -> int:
    """Records read over all entries."""
    return sum(i.count for entry in entries for i in entry.inputs)


def read_by_topic(entries: Iterable[Entry]) -> Counter[str]:
    """Records read over all entries, per topic by its name on the broker."""
    total: Counter[str] = Counter()
    for i in (i for entry in entries for i in entry.inputs):
        total[i.topic] += i.count
    return total


def written(entries: Iterable[Entry]) -> Counter[Topic]:
    """Records that the entries' outcomes must have written, per topic, as the topology states it."""
    total: Counter[Topic] = Counter()
    for entry in entries:
        for outcome, count in entry.outcomes.items():
            for topic, per_record in STAGES[entry.stage].written_by(outcome).items():
                total[topic] += count * per_record
    return total


def faults(entries: Iterable[Entry]) -> list[str]:
    """Where one stage's entries, oldest first, do not balance or leave a gap; empty when all is well.

    Two equations: per entry the outcomes add up to the records read; per input partition each range
    begins where the one before it ended.
    """
    found: list[str] = []
    ends: dict[tuple[str, str, int], int] = {}
    for entry in entries:
        read, accounted = records_read([entry]), sum(entry.outcomes.values())
        if read != accounted:
            found.append(f"{entry.stage}: {read} records read, {accounted} accounted for")
        for i in entry.inputs:
            key = (entry.stage, i.topic, i.partition)
            if key in ends and ends[key] != i.start:
                found.append(f"{entry.stage}: {i.topic}/{i.partition} goes on at {i.start} after {ends[key]}")
            ends[key] = i.end
    return found
