"""How fast each stage goes and when it last committed, from the newest part of the ledger."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from fraud_platform.adapters.avro import AvroReader
from fraud_platform.adapters.reader import Stored, TopicReader
from fraud_platform.adapters.registry import SchemaRegistry
from fraud_platform.core.ledger import Entry, records_read
from fraud_platform.core.outcome import Rejected
from fraud_platform.settings import Settings
from fraud_platform.topology import STAGES, Topic

WINDOW = timedelta(seconds=60)
WINDOW_OFFSETS = 24_000
"""How far back the ledger is read, over all partitions; each commit takes two offsets."""
COUNT_WITHIN_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A stage's records per second over the last minute, and when its last ledger entry was committed."""

    rate: float
    last_entry: datetime


def progress(settings: Settings, now: datetime, *, timeout_s: float) -> dict[str, Progress]:
    """What the ledger says about each stage at `now`; a stage without a recent entry is left out.

    Raises:
        BrokerUnavailable, RegistryUnavailable: no answer in time.
        ConfigurationError: there is no ledger topic.
    """
    decode = AvroReader(SchemaRegistry(settings)).decode
    with TopicReader(settings, Topic.LEDGER, timeout_s=timeout_s) as reader:
        bounds = reader.bounds()
        width = WINDOW_OFFSETS // max(1, len(bounds))
        starts = {p: max(low, end - width) for p, (low, end) in bounds.items()}
        stored = list(reader.read(starts, {p: end for p, (_, end) in bounds.items()}))
    cut = {p for p, start in starts.items() if start > bounds[p][0]}
    found: dict[str, Progress] = {}
    for name in STAGES:
        mine = [record for record in stored if record.key == name.encode()]
        entries = _newest(mine, decode, now)
        if entries:
            found[name] = measure(entries, now, is_cut=any(record.partition in cut for record in mine))
    return found


def _newest(records: Sequence[Stored], decode: Callable[[bytes | None], Any], now: datetime) -> list[Entry]:
    """The entries of the window and the one before it, newest first: older ones are not worth their decoding."""
    entries: list[Entry] = []
    for record in reversed(records):
        value = decode(record.value)
        if isinstance(value, Rejected):
            continue
        entries.append(Entry.from_avro(value))
        if entries[-1].committed_at <= now - WINDOW:
            break
    return entries


def measure(entries: Sequence[Entry], now: datetime, *, is_cut: bool) -> Progress:
    """The progress behind a stage's newest entries.

    Args:
        entries: at least one, in any order.
        now: the end of the minute that counts.
        is_cut: older entries exist that are not among these; when these do not reach back a whole minute,
            the rate is that of the time they cover.
    """
    last = max(entry.committed_at for entry in entries)
    recent = [entry for entry in entries if entry.committed_at > now - WINDOW]
    first = min(entry.committed_at for entry in entries)
    span = WINDOW if not is_cut or first <= now - WINDOW else now - first
    seconds = max(1.0, span.total_seconds())
    return Progress(rate=records_read(recent) / seconds, last_entry=last)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetters:
    """How many records lie in dead-letters; `exact` is False when there were too many to count them one by one."""

    count: int
    by_stage: Mapping[str, int]
    exact: bool = True


def dead_letters(settings: Settings, *, timeout_s: float, within_s: float = COUNT_WITHIN_S) -> DeadLetters:
    """Count the dead letters; when that takes longer than `within_s`, their offsets are an upper bound.

    Raises:
        BrokerUnavailable: no answer in time.
        ConfigurationError: there is no such topic.
    """
    deadline = time.monotonic() + within_s
    counts: Counter[str] = Counter()
    with TopicReader(settings, Topic.DEAD_LETTERS, timeout_s=timeout_s) as reader:
        bounds = reader.bounds()
        starts = {p: low for p, (low, _) in bounds.items()}
        ends = {p: end for p, (_, end) in bounds.items()}
        for record in reader.read(starts, ends, stop=lambda: time.monotonic() > deadline):
            counts[(dict(record.headers).get("stage") or b"unknown").decode(errors="replace")] += 1
    if time.monotonic() > deadline:
        return DeadLetters(count=sum(ends.values()) - sum(starts.values()), by_stage={}, exact=False)
    return DeadLetters(count=counts.total(), by_stage=dict(counts))
