"""Does every reader keep up, and does retention leave it the time it needs? Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fraud_platform.quality.verdict import Verdict, span

WARN_SHARE, FAIL_SHARE = 0.25, 0.5
"""Of the time that a topic keeps its records: so old may the oldest unread one be."""
NARROW_SHARE = 0.25
"""Of what a topic limited by size still holds: a reader must be so far away from the end that is cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """One stage's standing in one topic.

    Offsets are sums over partitions. `oldest_unread` is the Kafka time of the first record that it has not read;
    `behind_begin` = offsets between the topic's first record and the reader, of `held` in all; `lost` = partitions in
    which its place is gone.
    """

    stage: str
    lag: int
    lost: Sequence[int] = ()
    oldest_unread: datetime | None = None
    behind_begin: int = 0
    held: int = 0
    is_cut_by_size: bool = False


def keeps_up(topic: str, readers: Sequence[Reader], *, limit: int) -> Verdict:
    """Whether no reader of the topic has more than `limit` records before it."""
    late = [each for each in readers if each.lag > limit]
    facts = {f"lag_{each.stage}": each.lag for each in readers}
    if not late:
        seen = ", ".join(f"{each.stage} {each.lag:,}" for each in readers) or "nobody reads it"
        return Verdict(passed=True, description=f"Records before each reader: {seen}.", facts=facts)
    names = " and ".join(f"{each.stage} ({each.lag:,} records)" for each in late)
    slots = ",".join(f"{each.stage}=N" for each in late)
    return Verdict(
        passed=False,
        description=(
            f"{names} lag behind {topic} by more than {limit:,} (FRAUD_ALERT_LAG). See its rate in `fraud-platform"
            f" status`; more slots come with FRAUD_REPLICAS={slots} and `fraud-platform restart`."
        ),
        facts=facts,
    )


def leaves_time(topic: str, readers: Sequence[Reader], *, retention_s: float | None, now: datetime) -> Verdict:
    """Whether no record is about to be deleted before it was read; `retention_s` None = kept for ever."""
    lost = [each for each in readers if each.lost]
    if lost:
        return _lost(topic, lost)
    ages = {each.stage: (now - each.oldest_unread).total_seconds() for each in readers if each.oldest_unread}
    facts = {f"oldest_unread_seconds_{stage}": round(max(0.0, age), 1) for stage, age in ages.items()}
    if narrow := [each for each in readers if _is_narrow(each)]:
        return _narrow(topic, narrow)
    if retention_s is None or not ages:
        why = "kept for ever" if retention_s is None else f"kept for {span(retention_s)}, and all are read"
        return Verdict(passed=True, description=f"The records of {topic} are {why}.", facts=facts)
    stage, age = max(ages.items(), key=lambda each: each[1])
    facts["retention_seconds"] = retention_s
    if age < WARN_SHARE * retention_s:
        seen = f"The oldest record that {stage} has not read is {span(max(0.0, age))} old, of {span(retention_s)}."
        return Verdict(passed=True, description=seen, facts=facts)
    return Verdict(
        passed=False,
        is_warning=age < FAIL_SHARE * retention_s,
        description=(
            f"The oldest record of {topic} that {stage} has not read is {span(age)} old, and Kafka deletes it after"
            f" {span(retention_s)}. Start {stage} or give it more slots (FRAUD_REPLICAS={stage}=N); until it has"
            f" caught up, raise the topic's retention.ms."
        ),
        facts=facts,
    )


def _is_narrow(reader: Reader) -> bool:
    return reader.is_cut_by_size and reader.lag > 0 and reader.behind_begin < NARROW_SHARE * reader.held


def _narrow(topic: str, readers: Sequence[Reader]) -> Verdict:
    names = " and ".join(each.stage for each in readers)
    return Verdict(
        passed=False,
        description=(
            f"{topic} is at its limit of size and loses its oldest records, and {names} reads among the oldest quarter."
            f" Raise the topic's retention.bytes now, then give {names} more slots."
        ),
        facts={f"share_before_{each.stage}": round(each.behind_begin / max(1, each.held), 3) for each in readers},
    )


def _lost(topic: str, readers: Sequence[Reader]) -> Verdict:
    names = "; ".join(f"{each.stage} in {', '.join(f'{topic}/{number}' for number in each.lost)}" for each in readers)
    return Verdict(
        passed=False,
        description=(
            f"The place of a reader is no longer in the topic: {names}. It waits for a person; docs/operations.md tells"
            " under `A stage pauses` how to go on."
        ),
        facts={f"lost_partitions_{each.stage}": len(each.lost) for each in readers},
    )
