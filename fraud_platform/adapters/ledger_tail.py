"""Reads the ledger piece by piece: each time what is new, within bounds of number and time."""

import time
from collections.abc import Callable, Mapping
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
    """Where the next look begins, per ledger partition, and how many offsets this one had to leave for it."""

    positions: dict[int, int]
    behind: int

    @property
    def is_whole(self) -> bool:
        """Whether everything up to now was read; otherwise the newest part is missing."""
        return not self.behind


def read_tail(
    settings: Settings,
    positions: Mapping[int, int],
    use: Callable[[Entry], object],
    *,
    since_ms: int,
    limit: int = LIMIT,
    within_s: float = WITHIN_S,
) -> Tail:
    """Hand each entry that came after `positions` to `use`, but none that was written before `since_ms`.

    What does not fit within `limit` entries or `within_s` seconds is left for the next look.

    Raises:
        BrokerUnavailable, RegistryUnavailable: no answer.
        ConfigurationError: there is no ledger topic.
    """
    deadline = time.monotonic() + within_s
    decode = AvroReader(SchemaRegistry(settings)).decode
    count = 0
    with TopicReader(settings, Topic.LEDGER, timeout_s=TIMEOUT_S) as reader:
        ends = {p: end for p, (_, end) in reader.bounds().items()}
        # A place beyond the end belongs to a topic that was made anew, and says nothing.
        at = {p: max(start, _within(positions.get(p), ends[p])) for p, start in reader.starts_at(since_ms).items()}
        behind = 0
        for record in reader.read(at, ends):
            at[record.partition] = record.offset + 1
            value = decode(record.value)
            if not isinstance(value, Rejected):
                use(Entry.from_avro(value))
                count += 1
            if count >= limit or time.monotonic() > deadline:
                behind = sum(max(0, end - at[p]) for p, end in ends.items())
                break
    return Tail(at if behind else ends, behind)


def _within(position: int | None, end: int) -> int:
    return position if position is not None and position <= end else 0
