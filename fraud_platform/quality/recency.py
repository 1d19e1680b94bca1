"""Are there recent events, in the inputs and in what is made of them? Pure; by event time."""

from dataclasses import dataclass
from datetime import datetime

from fraud_platform.quality.verdict import Fact, Verdict, span

_LEAP_S = 300.0
"""A record may be so far in the future: clocks differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """The Kafka time of a topic's newest record, None without any, and the sum of its partitions' ends.

    `is_input` = it comes from outside; `is_expected` = somebody should be sending it now. `waits_since` is the Kafka
    time of the oldest record that the stages before it have not read, None when nothing waits.
    """

    at: datetime | None
    end: int = 0
    is_input: bool = False
    is_expected: bool = False
    waits_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Before:
    """The evaluation before this one: when it was, and the sum of the topic's ends then."""

    at: datetime
    end: int


END = "end_offsets"
"""The fact that the next evaluation compares with."""


def is_recent(topic: str, newest: Newest, *, limit_s: float, now: datetime, before: Before | None = None) -> Verdict:
    """Whether the newest event is at most `limit_s` old, where one is to be expected."""
    if newest.at is None:
        return Verdict(passed=True, description=f"{topic} holds no record yet.")
    age = (now - newest.at).total_seconds()
    facts: dict[str, Fact] = {
        "newest_event": newest.at.isoformat(timespec="seconds"),
        "age_seconds": round(age, 1),
        END: newest.end,
    }
    if age < -_LEAP_S:
        return Verdict(
            passed=False,
            is_warning=True,
            description=(
                f"The newest record of {topic} is dated {span(-age)} in the future. Set the clock of whoever sends it;"
                " `fraud-platform doctor` looks at ours."
            ),
            facts=facts,
        )
    if age <= limit_s:
        return Verdict(passed=True, description=f"The newest record is {span(max(0.0, age))} old.", facts=facts)
    if before is not None and newest.end > before.end and newest.at < before.at:
        # What came since is dated before: somebody sends again what is old.
        seen = f"The newest record is dated {span(age)} back, and came since {before.at:%H:%M}Z: old events flow."
        return Verdict(passed=True, description=seen, facts=facts)
    if newest.is_input:
        return _input(topic, newest, age, facts)
    waits = (now - newest.waits_since).total_seconds() if newest.waits_since else 0.0
    return _result(topic, age, waits, facts, is_late=waits > limit_s)


def _result(topic: str, age: float, waits: float, facts: dict[str, Fact], *, is_late: bool) -> Verdict:
    if not is_late:
        seen = f"The newest record is {span(age)} old, and nothing has waited for long before it."
        return Verdict(passed=True, description=seen, facts=facts)
    return Verdict(
        passed=False,
        description=(
            f"The newest record of {topic} is {span(age)} old though others have waited for {span(waits)} to be turned"
            " into such. `fraud-platform status` shows which stage does not move."
        ),
        facts={**facts, "waiting_seconds": round(waits, 1)},
    )


def _input(topic: str, newest: Newest, age: float, facts: dict[str, Fact]) -> Verdict:
    if not newest.is_expected:
        seen = f"The newest record is {span(age)} old; the demo banks are off."
        return Verdict(passed=True, description=seen, facts=facts)
    return Verdict(
        passed=False,
        is_warning=True,
        description=(
            f"{topic} has had no record for {span(age)}. See whether its senders run and reach Kafka; when such pauses"
            " are usual, set FRAUD_ALERT_STALE_MINUTES to more."
        ),
        facts=facts,
    )
