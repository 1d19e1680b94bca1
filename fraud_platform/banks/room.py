"""How full the topics are that the banks feed; a demo must not push real inputs out of a small topic."""

from collections.abc import Mapping

from fraud_platform.adapters import admin
from fraud_platform.errors import BrokerUnavailable
from fraud_platform.settings import Settings
from fraud_platform.topology import BANKS, Topic

RECORD_BYTES: Mapping[Topic, int] = {
    Topic.BANK_TRANSACTIONS: 1_300,
    Topic.STATEMENTS: 450,
    Topic.LABELS: 200,
}
"""What the banks' records weigh before compression, so that the estimate errs on the full side."""
PAUSE_AT = 0.5


def has_room(limits: Mapping[Topic, int], records: Mapping[Topic, int]) -> bool:
    """Whether each topic's fullest partition is less than half full.

    Args:
        limits: `retention.bytes` per topic, which Kafka applies to each partition; negative = unlimited.
        records: records in the fullest partition of each topic.
    """
    return all(
        limit < 0 or records.get(topic, 0) * RECORD_BYTES[topic] < PAUSE_AT * limit for topic, limit in limits.items()
    )


def look(settings: Settings) -> bool:
    """Whether there is room now; yes while Kafka does not say, since then nothing can be sent either."""
    try:
        sizes = admin.topic_numbers(settings, BANKS.writes, "retention.bytes")
        limits = {topic: limit for topic, limit in sizes.items() if limit >= 0}
        if not limits:
            return True
        ends, begins = (of(settings, limits) for of in (admin.end_offsets, admin.begin_offsets))
    except BrokerUnavailable:
        return True
    fullest: dict[Topic, int] = {}
    for (topic, number), end in ends.items():
        fullest[topic] = max(fullest.get(topic, 0), end - begins[topic, number])
    return has_room(limits, fullest)
