"""Whether an hour has begun whose partition no crawl can know yet."""

from fraud_platform.adapters.lake_reader import LakeReader
from fraud_platform.catalog.hours import parts_of


def newest_hour(lake: LakeReader, prefix: str) -> str | None:
    """The last hour below a table's folder, as in `dt=2026-01-01/hr=07`; None for an empty table.

    Raises:
        StoreUnavailable: the lake does not answer.
        ConfigurationError: it refuses us.
    """
    for day, _ in reversed(parts_of(lake.folders(prefix), "dt")):
        hours = parts_of(lake.folders(day), "hr")
        if hours:
            return hours[-1][0].removeprefix(prefix).rstrip("/")
    return None
