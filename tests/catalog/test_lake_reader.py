"""Parts of objects over a real S3."""

import pytest

from fraud_platform.adapters import lake_reader, s3
from fraud_platform.adapters.lake_reader import S3LakeReader
from fraud_platform.errors import ConfigurationError
from fraud_platform.settings import Settings

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


def test_a_bucket_that_is_not_there_is_no_empty_part(lake_settings: Settings) -> None:
    elsewhere = S3LakeReader(lake_settings.model_copy(update={"lake_bucket": "nowhere-at-all"}))
    with pytest.raises(ConfigurationError, match="no bucket"):
        elsewhere.part("full", 0, 5)


def test_reading_is_tried_more_often_than_writing(lake: S3LakeReader) -> None:
    config = lake._client.meta.config
    assert config.retries["total_max_attempts"] == lake_reader.ATTEMPTS > s3.ATTEMPTS  # type: ignore[attr-defined]
    assert config.read_timeout == lake_reader.READ_TIMEOUT_S
