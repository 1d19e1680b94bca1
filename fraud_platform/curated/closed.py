"""When an hour is closed. Event time decides: the newest hour that the lake holds is the watermark, not the clock."""

from collections.abc import Iterable
from datetime import timedelta

from fraud_platform.catalog.hours import HourKey, begin_of

GRACE_HOURS = 2
"""An hour is closed when the lake holds objects of an hour so much later; what comes after that is late."""


def closed(hours: Iterable[HourKey], watermark: HourKey, *, grace: int = GRACE_HOURS) -> list[HourKey]:
    """The closed ones among the hours, oldest first; names that are no hour never close."""
    last = begin_of(watermark)
    if last is None:
        return []
    begins = ((begin_of(key), key) for key in hours)
    return sorted(key for begin, key in begins if begin is not None and begin + timedelta(hours=grace) <= last)
