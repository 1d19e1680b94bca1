"""Parts of objects over a real S3."""

from typing import Any

import pytest
from botocore.exceptions import IncompleteReadError

from fraud_platform.adapters import lake_reader, s3
from fraud_platform.adapters.lake_reader import S3LakeReader
from fraud_platform.catalog.header import Header, read_header
from fraud_platform.errors import ConfigurationError, StoreUnavailable
from fraud_platform.settings import Settings
from tests.catalog.test_header import avro

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def lake(lake_settings: Settings) -> S3LakeReader:
    found = S3LakeReader(lake_settings)
    found.put("full", b"0123456789")
    found.put("empty", b"")
    return found


@pytest.mark.parametrize(
    ("key", "start", "length", "part"),
    [
        ("full", 2, 3, b"234"),
        ("full", 8, 100, b"89"),
        ("full", 10, 5, b""),
        ("full", 0, 0, b""),
        ("full", 5, -1, b""),
        ("empty", 0, 0, b""),
        ("empty", 0, 20, b""),
        ("gone", 0, 20, b""),
    ],
)
def test_a_part_ends_where_the_object_ends(lake: S3LakeReader, key: str, start: int, length: int, part: bytes) -> None:
    assert lake.part(key, start, length) == part


def test_the_rows_of_an_object_of_many_blocks_are_counted(lake: S3LakeReader) -> None:
    data = avro(5000)
    lake.put("blocks", data)
    found = read_header(lambda start, length: lake.part("blocks", start, length), len(data))
    assert isinstance(found, Header)
    assert found.rows == 5000


def test_a_bucket_that_is_not_there_is_no_empty_part(lake_settings: Settings) -> None:
    elsewhere = S3LakeReader(lake_settings.model_copy(update={"lake_bucket": "nowhere-at-all"}))
    with pytest.raises(ConfigurationError, match="no bucket"):
        elsewhere.part("full", 0, 5)


class _BreaksOff:
    """An S3 whose answers break off so many times."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.asked = 0

    def get_object(self, **_: Any) -> dict[str, Any]:
        self.asked += 1
        return {"Body": self}

    def read(self) -> bytes:
        if self.asked <= self.times:
            raise IncompleteReadError(actual_bytes=1, expected_bytes=5)
        return b"01234"


def test_an_answer_that_breaks_off_is_asked_for_again(lake_settings: Settings) -> None:
    reader, client = S3LakeReader(lake_settings), _BreaksOff(lake_reader.ATTEMPTS - 1)
    reader._client = client  # type: ignore[assignment]
    assert reader.part("full", 0, 5) == b"01234"
    assert client.asked == lake_reader.ATTEMPTS


def test_answers_that_always_break_off_are_an_unavailable_store(lake_settings: Settings) -> None:
    reader, client = S3LakeReader(lake_settings), _BreaksOff(1000)
    reader._client = client  # type: ignore[assignment]
    with pytest.raises(StoreUnavailable, match="IncompleteReadError"):
        reader.part("full", 0, 5)
    assert client.asked == lake_reader.ATTEMPTS


def test_reading_is_tried_more_often_than_writing(lake: S3LakeReader) -> None:
    config = lake._client.meta.config
    assert config.retries["total_max_attempts"] == lake_reader.ATTEMPTS > s3.ATTEMPTS  # type: ignore[attr-defined]
    assert config.read_timeout == lake_reader.READ_TIMEOUT_S
