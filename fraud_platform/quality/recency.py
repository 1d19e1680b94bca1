"""Are there recent events, in the inputs and in what is made of them? Pure; by event time."""

from dataclasses import dataclass
from datetime import datetime

from fraud_platform.quality.verdict import Fact, Verdict, span

_LEAP_S = 300.0
"""A record may be so far in the future: clocks differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """The Kafka time of a topic's newest record, None without any.

    `is_expected` = somebody should be sending now. `left` = records that the stages before it have still to read,
    None for an input from outside.
    """

    at: datetime | None
    is_expected: bool
    left: int | None = None


def is_recent(topic: str, newest: Newest, *, limit_s: float, now: datetime) -> Verdict:
    """Whether the newest event is at most `limit_s` old, where one is to be expected."""
    if newest.at is None:
        return Verdict(passed=True, description=f"{topic} holds no record yet.")
    age = (now - newest.at).total_seconds()
    facts: dict[str, Fact] = {"newest_event": newest.at.isoformat(timespec="seconds"), "age_seconds": round(age, 1)}
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
    if newest.left is None:
        return _input(topic, newest, age, facts)
    if newest.left == 0:
        seen = f"The newest record is {span(age)} old, and nothing waits before it."
        return Verdict(passed=True, description=seen, facts=facts)
    return Verdict(
        passed=False,
        description=(
            f"The newest record of {topic} is {span(age)} old though {newest.left:,} records wait to be turned into"
            " such. `fraud-platform status` shows which stage does not move."
        ),
        facts={**facts, "records_waiting": newest.left},
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
