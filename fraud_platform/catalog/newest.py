"""Whether an hour has begun whose partition no crawl can know yet."""

from datetime import datetime

from fraud_platform.adapters.lake_reader import LakeReader
from fraud_platform.catalog.hours import key_of, parts_of


def newest_hour(lake: LakeReader, prefix: str, *, until: datetime | None = None) -> str | None:
    """The last hour below a table's folder, as in `dt=2026-01-01/hr=07`; None for an empty table.

    Hours that begin after `until` count for nothing.

    Raises:
        StoreUnavailable: the lake does not answer.
        ConfigurationError: it refuses us.
    """
    latest = key_of(until) if until else ("9999-12-31", "23")
    for folder, day in reversed(parts_of(lake.folders(prefix), "dt")):
        if day > latest[0]:
            continue
        hours = [found for found, hour in parts_of(lake.folders(folder), "hr") if (day, hour) <= latest]
        if hours:
            return hours[-1].removeprefix(prefix).rstrip("/")
    return None
