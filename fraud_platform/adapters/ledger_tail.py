"""Reads the ledger piece by piece: each time what is new, within bounds of number and time."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from fraud_platform.adapters.avro import AvroReader
from fraud_platform.adapters.reader import TopicReader
from fraud_platform.adapters.registry import SchemaRegistry
from fraud_platform.core.ledger import Entry
from fraud_platform.core.outcome import Rejected
from fraud_platform.settings import Settings
from fraud_platform.topology import Topic

LIMIT = 20_000
WITHIN_S = 6.0
TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class Tail:
    """The entries of all stages between two looks, and where the next look begins, per ledger partition."""

    entries: list[Entry]
    positions: dict[int, int]


def read_tail(
    settings: Settings, positions: Mapping[int, int], *, since_ms: int, limit: int = LIMIT, within_s: float = WITHIN_S
) -> Tail:
    """What came after `positions`; a partition that is not among them is read from `since_ms` on.

    What does not fit within `limit` entries or `within_s` seconds is left for the next look.

    Raises:
        BrokerUnavailable, RegistryUnavailable: no answer.
        ConfigurationError: there is no ledger topic.
    """
    deadline = time.monotonic() + within_s
    decode = AvroReader(SchemaRegistry(settings)).decode
    entries: list[Entry] = []
    with TopicReader(settings, Topic.LEDGER, timeout_s=TIMEOUT_S) as reader:
        bounds = reader.bounds()
        # A place that is no longer in the topic, which was made anew or lost its beginning, says nothing.
        at = {p: at for p, at in positions.items() if p in bounds and bounds[p][0] <= at <= bounds[p][1]}
        if at.keys() != bounds.keys():
            at = reader.starts_at(since_ms) | at
        ends = {p: end for p, (_, end) in bounds.items()}
        for record in reader.read(at, ends, stop=lambda: time.monotonic() > deadline or len(entries) >= limit):
            at[record.partition] = record.offset + 1
            value = decode(record.value)
            if not isinstance(value, Rejected):
                entries.append(Entry.from_avro(value))
    is_whole = time.monotonic() <= deadline and len(entries) < limit
    return Tail(entries, ends if is_whole else at)
