"""Versions of curated hours that nobody reads any more."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from fraud_platform.adapters.s3 import ObjectInfo
from fraud_platform.catalog.holdings import CuratedHour
from fraud_platform.catalog.hours import HourKey, folder_of

KEPT = timedelta(days=1)
"""No query takes so long."""


def superseded(
    files: Iterable[ObjectInfo], curated: Mapping[HourKey, CuratedHour], *, prefix: str, now: datetime
) -> Iterator[str]:
    """The files below `prefix` of versions in whose place the catalog has another whole one, both older than `KEPT`.

    A manifest is written right before the switch to its version, so its age is the least time since then.
    Hours that the catalog does not know are left alone: it may have forgotten them. So are names of others.
    """
    hours = {prefix + folder_of(key): hour for key, hour in curated.items()}
    versions: dict[tuple[str, str], list[ObjectInfo]] = defaultdict(list)
    for info in files:
        folder, version = _parts(info.key)
        if folder in hours:
            versions[folder, version].append(info)
    for (folder, version), some in sorted(versions.items()):
        hour = hours[folder]
        used = versions.get((folder, hour.version), [])
        sizes = {info.key: info.size for info in used}
        is_whole = sum(sizes.get(prefix + name, 0) for name in hour.names()) == hour.size
        is_old = all(info.modified < now - KEPT for info in [*some, *used])
        if version != hour.version and is_whole and is_old:
            yield from (info.key for info in some)


def _parts(key: str) -> tuple[str, str]:
    """The hour's folder and the version behind a file's key."""
    folder, _, _ = key.rpartition("/")
    hour, _, version = folder.rpartition("/")
    return f"{hour}/", version
