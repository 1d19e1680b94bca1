"""Whether an hour has begun whose partition no crawl can know yet."""

from fraud_platform.adapters.lake_reader import LakeReader


def newest_hour(lake: LakeReader, prefix: str) -> str | None:
    """The last hour below a table's folder, as in `dt=2026-01-01/hr=07`; None for an empty table.

    Raises:
        StoreUnavailable: the lake does not answer.
        ConfigurationError: it refuses us.
    """
    day = max(lake.folders(prefix), default=None)
    if day is None:
        return None
    hour = max(lake.folders(day), default=None)
    return hour.removeprefix(prefix).rstrip("/") if hour else None
