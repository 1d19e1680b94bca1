"""The text of the view of the pending rows: what it leaves out, and that it stays small."""

import re
from collections.abc import Iterable

import pytest

from fraud_platform.catalog import pending
from fraud_platform.catalog.columns import Column
from fraud_platform.catalog.holdings import CuratedHour, Holdings
from fraud_platform.catalog.hours import Hour, HourKey, Place
from fraud_platform.catalog.pending import LATE_HOURS, MAX_HOURS, MAX_RANGES, pending_sql
from fraud_platform.catalog.tables import BY_NAME
from fraud_platform.catalog.types import parse

USERS = BY_NAME["landing_users"]
COLUMNS = (Column("id", "ID", parse("string")),)
PLACE = "s3://bucket/fraudulent-transactions/users/"


def key(number: int) -> HourKey:
    return (f"2026-01-{1 + number // 24:02}", f"{number % 24:02}")


def landing(numbers: Iterable[int], *, partitions: int = 1, objects: int = 1) -> dict[HourKey, Hour]:
    found = {}
    for number in numbers:
        hour = Hour(key(number))
        for partition in range(partitions):
            for start in range(objects):
                hour.add(Place(hour.key, partition, start), size=10, rows=1, schema="one")
        found[hour.key] = hour
    return found


def curated(numbers: Iterable[int], *, partitions: int = 1) -> dict[HourKey, CuratedHour]:
    ends = {str(partition): 0 for partition in range(partitions)}
    raw = Holdings(ends, partitions, 10 * partitions)
    return {key(number): CuratedHour(key(number), "v", 1, 1, 5, "one", raw) for number in numbers}


def text(there: dict[HourKey, Hour], done: dict[HourKey, CuratedHour]) -> str:
    return pending_sql(USERS, COLUMNS, location=PLACE, landing=there, curated=done)


def test_before_the_first_compaction_nothing_is_left_out() -> None:
    assert text(landing(range(3)), {}) == 'SELECT "id", "dt", "hr"\nFROM landing_users'


def test_the_text_word_for_word() -> None:
    assert text(landing(range(3), partitions=2), curated([0, 1], partitions=2)) == (
        'SELECT "id", "dt", "hr"\n'
        "FROM landing_users\n"
        "WHERE (dt > '2026-01-01' OR (dt = '2026-01-01' AND hr >= '00'))\n"
        "  AND NOT (\n"
        f"    \"$path\" BETWEEN '{PLACE}dt=2026-01-01/hr=01/users+0+00000000000000000000.avro'"
        f" AND '{PLACE}dt=2026-01-01/hr=01/users+0+00000000000000000000.avro'\n"
        f"    OR \"$path\" BETWEEN '{PLACE}dt=2026-01-01/hr=01/users+1+00000000000000000000.avro'"
        f" AND '{PLACE}dt=2026-01-01/hr=01/users+1+00000000000000000000.avro'\n"
        f"    OR \"$path\" BETWEEN '{PLACE}dt=2026-01-01/hr=00/users+0+00000000000000000000.avro'"
        f" AND '{PLACE}dt=2026-01-01/hr=00/users+0+00000000000000000000.avro'\n"
        f"    OR \"$path\" BETWEEN '{PLACE}dt=2026-01-01/hr=00/users+1+00000000000000000000.avro'"
        f" AND '{PLACE}dt=2026-01-01/hr=00/users+1+00000000000000000000.avro'\n"
        "  )"
    )


def test_old_hours_are_left_out_whole_and_the_newest_by_the_names_of_their_objects() -> None:
    found = text(landing(range(100)), curated(range(100)))
    assert f"hr >= '{key(100 - LATE_HOURS)[1]}'" in found
    assert found.count("BETWEEN") == LATE_HOURS
    assert " IN (" not in found


def test_an_old_hour_that_was_never_compacted_or_has_late_objects_is_named() -> None:
    there = landing(range(100)) | landing([7], objects=2)
    found = text(there, curated(set(range(100)) - {3, 4, 30}))
    assert "OR (dt = '2026-01-01' AND hr IN ('03', '04', '07'))" in found
    assert "OR (dt = '2026-01-02' AND hr IN ('06'))" in found
    assert "dt=2026-01-01/hr=07/users+0+" in found  # what its files hold is left out by name
    assert "dt=2026-01-01/hr=03/" not in found


def test_what_another_crawler_counted_is_not_believed() -> None:
    there = landing(range(100)) | {key(7): Hour(key(7), objects=5, rows=5, size=5)}
    assert " IN (" not in text(there, curated(range(100)))


@pytest.mark.parametrize("partitions", [1, 4, 16, 60])
def test_the_text_stays_small(partitions: int) -> None:
    hours = range(24 * 28)
    found = text(landing(hours, partitions=partitions), curated(hours, partitions=partitions))
    assert found.count("BETWEEN") <= max(MAX_RANGES, partitions)
    assert len(found) < 150_000


def test_many_hours_without_files_move_the_border_back() -> None:
    """After the loss of most partitions, say: the text never names more hours than it has room for."""
    hours = {(f"2025-{1 + n // 672:02}-{1 + n // 24 % 28:02}", f"{n % 24:02}"): n for n in range(24 * 28 * 3)}
    there = {each: Hour(each) for each in hours}
    for hour in there.values():
        hour.add(Place(hour.key, 0, 0), size=10, rows=1, schema="one")
    done = {each: CuratedHour(each, "v", 1, 1, 5, "one", Holdings({"0": 0}, 1, 10)) for each in list(there)[-10:]}
    found = text(there, done)
    named = [len(each.split(",")) for each in re.findall(r"hr IN \(([^)]*)\)", found)]
    assert sum(named) == MAX_HOURS
    dt, hr = sorted(there)[MAX_HOURS]
    assert f"WHERE (dt > '{dt}' OR (dt = '{dt}' AND hr >= '{hr}')" in found
    assert found.count("BETWEEN") == 10


def test_a_quote_in_a_location_stays_in_its_text() -> None:
    found = pending_sql(USERS, COLUMNS, location="s3://it's/users/", landing={}, curated=curated([0]))
    assert "'s3://it''s/users/dt=" in found


def test_the_limits_fit_the_catalog() -> None:
    """Glue keeps at most 409,600 characters of a view, which Athena writes in base64."""
    assert pending.MAX_RANGES * 400 * 4 / 3 + pending.MAX_HOURS * 40 < 409_600
