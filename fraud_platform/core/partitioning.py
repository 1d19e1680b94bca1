"""Where a record lies in the lake: the hour of its Kafka timestamp, and the name of its object.

Hours are half-open, `[start, start + 1 h)`, in UTC.
"""

from datetime import UTC, datetime, timedelta

from fraud_platform.core.outcome import Rejected

LAKE_ROOT = "fraudulent-transactions"
CURATED_ROOT = "fraudulent-transactions-curated"
"""Beside the lake's root, so that a crawler of the lake never takes a curated file for one of the lake's."""
OWN_ROOT = "_fraud_platform"
"""What the platform notes for itself, outside of the tables that a crawler finds."""
HOUR_MS = 3_600_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def hour_of(timestamp_ms: int) -> datetime | Rejected:
    """The hour in which a Kafka timestamp (epoch ms) lies, or why no calendar has it."""
    try:
        return _EPOCH + timedelta(hours=timestamp_ms // HOUR_MS)
    except OverflowError:
        return Rejected("timestamp-out-of-range", "the Kafka timestamp lies outside the years 1 to 9999")


def topic_prefix(topic: str) -> str:
    """The folder of a topic; `topic` is its name on the broker."""
    return f"{LAKE_ROOT}/{topic}/"


def curated_prefix(topic: str) -> str:
    """The folder of a topic's curated files; `topic` is its name on the broker."""
    return f"{CURATED_ROOT}/{topic}/"


def object_key(topic: str, partition: int, start_offset: int, hour: datetime) -> str:
    """The name of the object that holds one hour of the range that begins at `start_offset`."""
    folder = f"{topic_prefix(topic)}dt={hour.date().isoformat()}/hr={hour:%H}/"
    return folder + object_name(topic, partition, start_offset)


def object_name(topic: str, partition: int, start_offset: int) -> str:
    """An object's name within its hour; names of one partition are in the order of their start offsets."""
    return f"{topic}+{partition}+{start_offset:020d}.avro"


def identity_key(topic: str) -> str:
    """The name of the object that remembers which Kafka topic the lake was filled from."""
    return f"{OWN_ROOT}/topics/{topic}.json"
