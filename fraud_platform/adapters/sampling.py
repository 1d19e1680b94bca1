"""Small samples of large topics, read as a bystander."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice, pairwise

from fraud_platform.adapters.admin import Partition
from fraud_platform.adapters.reader import Stored, TopicReader, newest
from fraud_platform.settings import Settings
from fraud_platform.topology import Topic

TIMEOUT_S = 10.0


def sample_newest(settings: Settings, topic: Topic, limit: int) -> list[Stored]:
    """The newest records of the topic, at most `limit`, oldest first; raises as `TopicReader`."""
    with TopicReader(settings, topic, timeout_s=TIMEOUT_S) as reader:
        return newest(reader, limit)


def sample_between(settings: Settings, topic: Topic, moments: Sequence[datetime], limit: int) -> list[list[Stored]]:
    """For each pair of neighbouring moments, the first records from the one to the other, at most `limit`.

    Raises as `TopicReader`.
    """
    with TopicReader(settings, topic, timeout_s=TIMEOUT_S) as reader:
        places = [reader.starts_at(int(at.timestamp() * 1000)) for at in moments]
        return [_evenly(reader, {p: start.get(p, end[p]) for p in end}, end, limit) for start, end in pairwise(places)]


def _evenly(reader: TopicReader, starts: dict[int, int], ends: dict[int, int], limit: int) -> list[Stored]:
    """As many records of each partition, since one alone holds some accounts only."""
    each = max(1, limit // max(1, len(ends)))
    # Twice as wide: every transaction's marker takes an offset too.
    upto = {p: max(starts[p], min(end, starts[p] + 2 * each)) for p, end in ends.items()}
    return list(islice(reader.read({p: min(starts[p], upto[p]) for p in upto}, upto), 2 * limit))


def oldest_unread(settings: Settings, topic: Topic, unread: dict[Partition, tuple[int, int]]) -> datetime | None:
    """The time of the first record in any of the ranges (place of the reader, end); None = only markers are left.

    Raises as `TopicReader`.
    """
    times: list[int] = []
    with TopicReader(settings, topic, timeout_s=TIMEOUT_S) as reader:
        for (_, number), (start, end) in unread.items():
            first = next(reader.read({number: start}, {number: end}), None)
            if first is not None and first.timestamp_ms is not None:
                times.append(first.timestamp_ms)
    return datetime.fromtimestamp(min(times) / 1000, UTC) if times else None


def newest_time(settings: Settings, topic: Topic) -> datetime | None:
    """The highest time among the last records of the topic's partitions; None without any. Raises as `TopicReader`."""
    with TopicReader(settings, topic, timeout_s=TIMEOUT_S) as reader:
        found = newest(reader, 1)
    times = [record.timestamp_ms for record in found if record.timestamp_ms is not None]
    return datetime.fromtimestamp(max(times) / 1000, UTC) if times else None
