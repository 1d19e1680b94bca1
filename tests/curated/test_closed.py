"""When an hour is closed: by event time alone."""

import pytest

from fraud_platform.catalog.hours import HourKey, begin_of, key_of
from fraud_platform.curated.closed import closed

DAY = "2026-01-01"


@pytest.mark.parametrize(
    ("watermark", "expected"),
    [
        ((DAY, "00"), []),
        ((DAY, "01"), []),
        ((DAY, "02"), [(DAY, "00")]),
        ((DAY, "03"), [(DAY, "00"), (DAY, "01")]),
        (("2026-01-02", "00"), [(DAY, "00"), (DAY, "01"), (DAY, "02")]),
        (("no day", "00"), []),
    ],
)
def test_an_hour_closes_when_the_lake_is_two_hours_further(watermark: HourKey, expected: list[HourKey]) -> None:
    assert closed([(DAY, "02"), (DAY, "00"), (DAY, "01")], watermark) == expected


def test_names_that_are_no_hour_never_close() -> None:
    assert closed([(DAY, "24"), ("2026-02-30", "00"), (DAY, "00")], ("2026-03-01", "00")) == [(DAY, "00")]


def test_an_hour_and_its_name() -> None:
    begin = begin_of(("2026-12-31", "23"))
    assert begin is not None
    assert begin.isoformat() == "2026-12-31T23:00:00+00:00"
    assert key_of(begin) == ("2026-12-31", "23")
