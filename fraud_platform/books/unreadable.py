"""Which objects keep a topic's rows in the lake from being read: they are found hour by hour, and named."""

import io
from collections.abc import Callable, Iterator, Sequence

import fastavro

from fraud_platform.adapters.s3 import ObjectStore
from fraud_platform.books.finding import STORES, Finding
from fraud_platform.books.rows import Row
from fraud_platform.books.stores import LakeRows
from fraud_platform.errors import FraudPlatformError

MOST = 10
"""Hours that are named; each takes some looks to find."""


def unreadable(lake: LakeRows, objects: ObjectStore, prefix: str) -> list[Finding]:
    """What is damaged, after a look at all rows has failed; nothing when that had another reason.

    Args:
        lake: the topic's rows.
        objects: its bucket.
        prefix: the folder of its raw objects.

    Raises: as `ObjectStore`.
    """
    hours = sorted(lake.hours(), reverse=True)
    found = [
        Finding(STORES, lake.name, what=f"the object {info.key} cannot be read")
        for hour in _failing(lake.rows, hours)
        for info in objects.list(f"{prefix}{hour}/")
        if not _is_avro(objects.get(info.key))
    ]
    if found or not lake.has_copy:
        return found
    return [
        Finding(STORES, lake.name, what=f"a curated file of {hour} cannot be read")
        for hour in _failing(lake.copied, hours)
        if not list(_failing(lake.rows, [hour]))  # else it is not the file's fault
    ]


def _failing(rows: Callable[[Sequence[str]], Iterator[Row]], hours: Sequence[str]) -> list[str]:
    """The newest hours whose rows cannot be read; halves that can be read are not looked at again."""
    if not hours or _reads(rows, hours):
        return []
    if len(hours) == 1:
        return list(hours)
    half = len(hours) // 2
    newer = _failing(rows, hours[:half])
    return newer if len(newer) >= MOST else (newer + _failing(rows, hours[half:]))[:MOST]


def _reads(rows: Callable[[Sequence[str]], Iterator[Row]], hours: Sequence[str]) -> bool:
    try:
        for _ in rows(hours):
            pass
    except FraudPlatformError:
        return False
    return True


def _is_avro(body: bytes | None) -> bool:
    """Whether every row can be read; an object that is gone by now is none of ours to judge."""
    try:
        for _ in fastavro.reader(io.BytesIO(body)) if body is not None else ():
            pass
    except Exception:  # noqa: BLE001 - whatever a damaged file leads fastavro to
        return False
    return True
