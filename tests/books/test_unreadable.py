"""A damaged object is named; a lake that is away is not called damaged."""

from collections.abc import Collection, Iterator

import pytest

from fraud_platform.books.rows import Row
from fraud_platform.books.unreadable import MOST, unreadable
from fraud_platform.errors import ConfigurationError, StoreUnavailable
from fraud_platform.topology import Naming, Topic
from tests.books.stores import FakeLake, row
from tests.catalog.objects import hour, put, results
from tests.fakes.bucket import FakeBucket

NAMING = Naming("p-")
PREFIX = f"fraudulent-transactions/{NAMING.topic(Topic.RESULT)}/"


class Broken(FakeLake):
    """Rows of forty hours; some of them cannot be read."""

    def __init__(self, *broken: str, curated: Collection[str] = ()) -> None:
        super().__init__([row(n, status=str(n)) for n in range(4)])
        self.broken = {"rows": set(broken), "copied": {*broken, *curated}}
        self.asked = 0

    def hours(self) -> Collection[str]:
        return [name(n) for n in range(40)]

    def _some(self, which: str, hours: Collection[str] | None) -> Iterator[Row]:
        self.asked += 1
        if self.broken[which] & set(hours or self.hours()):
            raise ConfigurationError("The query cannot be run.")
        return iter(())

    def rows(self, hours: Collection[str] | None = None) -> Iterator[Row]:
        return self._some("rows", hours)

    def copied(self, hours: Collection[str] | None = None) -> Iterator[Row]:
        return self._some("copied", hours)


def name(number: int) -> str:
    at = hour(number)
    return f"dt={at.date().isoformat()}/hr={at:%H}"


@pytest.fixture
def bucket() -> FakeBucket:
    """Two objects in each of two hours, one of them damaged behind its header."""
    found = FakeBucket()
    keys = [put(found, NAMING, Topic.RESULT, results("t-1", "t-2"), at=at, start=start)
            for at in (3, 30) for start in (0, 2)]  # fmt: skip
    body = found.get(keys[2]) or b""
    found.put(keys[2], body[:-40] + b"x" * 40)
    return found


def said(lake: FakeLake, bucket: FakeBucket) -> list[str]:
    return [each.sentence() for each in unreadable(lake, bucket, PREFIX)]


def test_a_damaged_object_is_named_by_its_key(bucket: FakeBucket) -> None:
    lake = Broken(name(30))
    (key, _) = (key for key in bucket.objects if name(30) in key)
    assert said(lake, bucket) == [f"s3/results: the object {key} cannot be read"]
    assert lake.asked < 20


def test_a_damaged_curated_file_is_named_by_its_hour(bucket: FakeBucket) -> None:
    assert said(Broken(curated=[name(3)]), bucket) == [f"s3/results: a curated file of {name(3)} cannot be read"]


def test_a_lake_that_is_away_is_not_called_damaged(bucket: FakeBucket) -> None:
    bucket.is_down = True
    with pytest.raises(StoreUnavailable):
        unreadable(Broken(*map(name, range(40))), bucket, PREFIX)


def test_a_query_that_fails_over_whole_objects_has_another_reason() -> None:
    lake = Broken(*map(name, range(40)))
    assert said(lake, FakeBucket()) == []
    assert lake.asked < 10 * MOST
