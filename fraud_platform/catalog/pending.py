"""The view of the landing rows that no curated file holds, as Athena reads it.

Its text only ever says what may be left out because curated files held it before the text was written. So an older
text reads more of the raw objects than it must, never fewer; a row that it reads twice is one version of one id, of
which the view of the newest rows keeps one.

Before a border in time all hours but a few are left out whole. From there on, and in the few, the names of the raw
objects decide, so that a late object counts as soon as it lies in the lake.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from fraud_platform.catalog.columns import Column
from fraud_platform.catalog.holdings import CuratedHour
from fraud_platform.catalog.hours import Hour, HourKey, folder_of
from fraud_platform.catalog.tables import LakeTable, view_columns
from fraud_platform.catalog.types import quoted
from fraud_platform.core.partitioning import object_name

LATE_HOURS = 48
"""Newest curated hours in which late objects count at once; older ones are looked at once a day."""
MAX_RANGES = 256
"""Ranges of names in the text: Glue takes 400 kB of it, and engines prune by so many."""
MAX_HOURS = 1000
"""Hours that the text names."""


def pending_sql(
    table: LakeTable, columns: Sequence[Column], *, location: str, landing: Mapping[HourKey, Hour],
    curated: Mapping[HourKey, CuratedHour],
) -> str:  # fmt: skip
    """The view's text.

    Args:
        table: whose.
        columns: those of the landing table.
        location: of the landing table, with a slash at the end; its last folder is the topic's name on the broker.
        landing: the hours of the landing table.
        curated: those of the curated table.
    """
    names = ", ".join(quoted(column.name) for column in view_columns(columns))
    select = f"SELECT {names}\nFROM {table.name}"
    if not curated:
        return select
    border, behind = _border(landing, curated)
    hours = [_from(border), *_some_hours(behind)]
    ranges = [each for key in _by_name(curated, border, behind) for each in _ranges(location, curated[key])]
    left_out = f"\n  AND NOT (\n    {f'{chr(10)}    OR '.join(ranges)}\n  )" if ranges else ""
    return f"{select}\nWHERE ({f'{chr(10)}    OR '.join(hours)}){left_out}"


def _border(landing: Mapping[HourKey, Hour], curated: Mapping[HourKey, CuratedHour]) -> tuple[HourKey, list[HourKey]]:
    """The hour from which on names decide, and the hours before it in which they do as well."""
    border = _newest(curated)[-1]
    behind = sorted(key for key, hour in landing.items() if key < border and not has_all(curated.get(key), hour))
    return (border, behind) if len(behind) <= MAX_HOURS else (behind[MAX_HOURS], behind[:MAX_HOURS])


def newest_curated(curated: Iterable[HourKey]) -> list[HourKey]:
    """The curated hours in which late objects count at once, latest first."""
    return sorted(curated, reverse=True)[:LATE_HOURS]


def _newest(curated: Mapping[HourKey, CuratedHour]) -> list[HourKey]:
    """The newest hours, latest first: as many as late objects are expected in, and as the text has room for."""
    found: list[HourKey] = []
    ranges = 0
    for key in newest_curated(curated):
        ranges += len(curated[key].raw.ends)
        if found and ranges > MAX_RANGES:
            break
        found.append(key)
    return found


def has_all(curated: CuratedHour | None, landing: Hour) -> bool:
    """Whether nothing of the hour waits; what another crawler counted is not believed."""
    if curated is None:
        return False
    return not landing.seen or (landing.objects, landing.size) == (curated.raw.objects, curated.raw.size)


def _by_name(curated: Mapping[HourKey, CuratedHour], border: HourKey, behind: Sequence[HourKey]) -> Iterator[HourKey]:
    """The curated hours whose raw objects are left out by their names, newest first; those without are read whole."""
    ranges = 0
    for key in sorted({*behind, *_newest(curated)} & curated.keys(), reverse=True):
        ranges += len(curated[key].raw.ends)
        if ranges > MAX_RANGES and key < border:
            return
        yield key


def _from(border: HourKey) -> str:
    dt, hr = border
    return f"dt > '{dt}' OR (dt = '{dt}' AND hr >= '{hr}')"


def _some_hours(keys: Sequence[HourKey]) -> Iterator[str]:
    for dt, some in groupby(keys, key=lambda key: key[0]):
        hours = ", ".join(f"'{hr}'" for _, hr in some)
        yield f"(dt = '{dt}' AND hr IN ({hours}))"


def _ranges(location: str, hour: CuratedHour) -> Iterator[str]:
    topic = location.rstrip("/").rpartition("/")[2]
    folder = (location + folder_of(hour.key)).replace("'", "''")
    for partition, end in hour.raw.ends.items():
        first, last = (object_name(topic, int(partition), start) for start in (0, end))
        yield f"\"$path\" BETWEEN '{folder}{first}' AND '{folder}{last}'"
