"""The lake refuses to mix rows of topics that only share a name."""

import pytest

from fraud_platform.core.partitioning import identity_key
from fraud_platform.errors import ConfigurationError, StoreUnavailable
from fraud_platform.lake.stage import Claim
from tests.fakes.bucket import FakeBucket

USERS = {"users": "id-1"}


@pytest.fixture
def bucket() -> FakeBucket:
    return FakeBucket()


def test_the_first_start_notes_the_topics(bucket: FakeBucket) -> None:
    Claim(bucket, {"users": "id-1", "decisions": "id-2"})()
    assert sorted(bucket.objects) == [identity_key("decisions"), identity_key("users")]


def test_later_starts_change_nothing(bucket: FakeBucket) -> None:
    Claim(bucket, USERS)()
    Claim(bucket, USERS)()
    assert bucket.puts == [identity_key("users")]


def test_a_topic_made_anew_is_refused_with_the_way_out(bucket: FakeBucket) -> None:
    Claim(bucket, USERS)()
    with pytest.raises(
        ConfigurationError,
        match="or empty fraudulent-transactions/, fraudulent-transactions-curated/ and _fraud_platform/",
    ):
        Claim(bucket, {"users": "id-2"})()
    Claim(bucket, USERS)()


@pytest.mark.parametrize("body", [b"", b"rubbish", b"[]", b'{"topic": 5}'])
def test_a_note_that_cannot_be_read_is_refused(bucket: FakeBucket, body: bytes) -> None:
    bucket.put(identity_key("users"), body)
    with pytest.raises(ConfigurationError, match="was filled from another Kafka topic"):
        Claim(bucket, USERS)()


def test_nothing_is_settled_while_the_store_is_away(bucket: FakeBucket) -> None:
    claim = Claim(bucket, USERS)
    bucket.is_down = True
    with pytest.raises(StoreUnavailable):
        claim()
    bucket.is_down = False
    claim()
    assert bucket.puts == [identity_key("users")]


def test_a_settled_claim_is_not_asked_again(bucket: FakeBucket) -> None:
    claim = Claim(bucket, USERS)
    claim()
    bucket.is_down = True
    claim()
