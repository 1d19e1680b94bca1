"""Thin readers: they fill what the checks look at. Each raises the platform's errors when a service is away."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from fraud_platform.core.ledger import Entry
from fraud_platform.core.outcome import Rejected
from fraud_platform.errors import BrokerUnavailable
from fraud_platform.quality.drift import Mix
from fraud_platform.quality.outcomes import Outcomes
from fraud_platform.quality.reading import Reader
from fraud_platform.quality.recency import Newest
from fraud_platform.quality.records import Sampled
from fraud_platform.settings import Settings
from fraud_platform.topology import STAGES, TOPICS, Stage, Topic, writers_of

SAMPLE = 500
RECENT, BEFORE = timedelta(hours=1), timedelta(hours=24)
_WINDOWS, _EACH = 8, 250
_LEDGER_LIMIT, _LEDGER_WITHIN_S = 200_000, 30.0

Offsets = Mapping[tuple[Topic, int], int]
Held = Mapping[tuple[Topic, int], tuple[int, int]]
"""Per partition the first offset and the end."""


def readers(settings: Settings) -> dict[Topic, list[Reader]]:
    """Every consuming stage's standing in each of its topics."""
    from fraud_platform.adapters import admin

    stages = [stage for stage in STAGES.values() if stage.consumes]
    topics = list(dict.fromkeys(topic for stage in stages for topic in stage.reads))
    sizes = admin.topic_numbers(settings, topics, "retention.bytes")
    begins = admin.begin_offsets(settings, topics)
    # Commits before ends: a later end can only be higher.
    committed = {stage.name: admin.committed_offsets(settings, stage) for stage in stages}
    ends = admin.end_offsets(settings, topics)
    found: dict[Topic, list[Reader]] = {}
    for topic in topics:
        held = {place: (begins[place], end) for place, end in ends.items() if place[0] is topic}
        mine = [stage for stage in stages if topic in stage.reads]
        is_sized = sizes[topic] >= 0
        found[topic] = [_reader(settings, stage, committed[stage.name], held, is_sized=is_sized) for stage in mine]
    return found


def _reader(settings: Settings, stage: Stage, committed: Offsets, held: Held, *, is_sized: bool) -> Reader:
    """The stage's standing in the topic whose partitions hold these ranges."""
    from fraud_platform.adapters.sampling import oldest_unread

    at = {place: committed.get(place, begin) for place, (begin, _) in held.items()}
    unread = {place: (at[place], end) for place, (begin, end) in held.items() if begin <= at[place] < end}
    return Reader(
        stage=stage.name,
        lag=sum(max(0, end - at[place]) for place, (_, end) in held.items()),
        lost=[place[1] for place, (begin, end) in held.items() if not begin <= at[place] <= end],
        oldest_unread=oldest_unread(settings, next(iter(unread))[0], unread) if unread else None,
        behind_begin=sum(max(0, at[place] - begin) for place, (begin, _) in held.items()),
        held=sum(end - begin for begin, end in held.values()),
        # A topic that has never lost a record is not at its limit.
        is_cut_by_size=is_sized and any(begin > 0 for begin, _ in held.values()),
    )


def retentions(settings: Settings, topics: Sequence[Topic]) -> dict[Topic, float | None]:
    """Seconds that the broker keeps each topic's records; None = for ever, or compacted."""
    from fraud_platform.adapters import admin

    found = admin.topic_numbers(settings, topics, "retention.ms")
    return {topic: None if ms < 0 else ms / 1000 for topic, ms in found.items()}


def newest(settings: Settings, topics: Sequence[Topic], expected: Sequence[Topic]) -> dict[Topic, Newest]:
    """The newest event of each topic, and how long records have waited for the stages that write it."""
    from fraud_platform.adapters import admin
    from fraud_platform.adapters.sampling import newest_time

    standing = readers(settings)
    ends = admin.end_offsets(settings, topics)
    found: dict[Topic, Newest] = {}
    for topic in topics:
        is_input = TOPICS[topic].external  # monitoring may send a line of it again, and is not its source
        before = {stage.name: stage.reads for stage in writers_of(topic) if stage.consumes and not is_input}
        waiting = [
            reader.oldest_unread
            for name, reads in before.items()
            for each in reads
            for reader in standing[each]
            if reader.stage == name and reader.oldest_unread
        ]
        found[topic] = Newest(
            at=newest_time(settings, topic),
            end=sum(end for place, end in ends.items() if place[0] is topic),
            is_input=is_input,
            is_expected=topic in expected,
            waits_since=min(waiting, default=None),
        )
    return found


def samples(settings: Settings, topics: Sequence[Topic]) -> dict[Topic, list[Sampled]]:
    """The newest records of each topic, decoded with the topic's own schema."""
    from fraud_platform.adapters.avro import AvroReader
    from fraud_platform.adapters.registry import SchemaRegistry
    from fraud_platform.adapters.sampling import sample_newest

    reader = AvroReader(SchemaRegistry(settings))
    found: dict[Topic, list[Sampled]] = {}
    for topic in topics:
        decode = reader.decoder(topic)
        # A tombstone is no row: compaction's way to forget a user.
        stored = [record for record in sample_newest(settings, topic, SAMPLE) if record.value is not None]
        decoded = [(record, decode(record.value)) for record in stored]
        found[topic] = [
            Sampled(record.partition, record.offset, None, value.error_type)
            if isinstance(value, Rejected)
            else Sampled(record.partition, record.offset, value)
            for record, value in decoded
        ]
    return found


def ledger_outcomes(settings: Settings, *, now: datetime, evaluations_since: datetime | None = None) -> Outcomes:
    """The fates of the last hour, and the evaluations from a moment on (a day ago at most; None = an hour ago).

    Raises:
        BrokerUnavailable: also when there is more than can be read in time; a part of it says nothing.
    """
    from fraud_platform.adapters.ledger_tail import read_tail

    hour = now - RECENT
    since = min(hour, max(evaluations_since or hour, now - BEFORE))
    found = Outcomes()

    def use(entry: Entry) -> None:
        if entry.committed_at >= hour:
            found.add_fate(entry)
        if entry.committed_at >= (evaluations_since or hour):
            found.add_evaluations(entry)

    since_ms = int(since.timestamp() * 1000)
    tail = read_tail(settings, {}, use, since_ms=since_ms, limit=_LEDGER_LIMIT, within_s=_LEDGER_WITHIN_S)
    if not tail.is_whole:
        raise BrokerUnavailable(f"The ledger could not be read to its end in time: {tail.behind:,} offsets are left.")
    return found


def mixes(settings: Settings, *, now: datetime) -> tuple[Mix, Mix]:
    """Decisions of the last hour and of the day before it, each sampled in eight places; by event time."""
    from fraud_platform.adapters.avro import AvroReader
    from fraud_platform.adapters.registry import SchemaRegistry
    from fraud_platform.adapters.sampling import sample_between

    decode = AvroReader(SchemaRegistry(settings)).decoder(Topic.DECISIONS)
    found = []
    for end, length in ((now, RECENT), (now - RECENT, BEFORE)):
        moments = [end - length * (_WINDOWS - n) / _WINDOWS for n in range(_WINDOWS + 1)]
        pieces = sample_between(settings, Topic.DECISIONS, moments, _EACH)
        rows = [decode(record.value) for piece in pieces for record in piece]
        found.append(mix([row for row in rows if not isinstance(row, Rejected)]))
    return found[0], found[1]


def mix(rows: Sequence[Mapping[str, Any]]) -> Mix:
    """The mix of decoded decisions."""
    return Mix(Counter(str(row["action"]) for row in rows), Counter(str(row["rule_set_version"]) for row in rows))
