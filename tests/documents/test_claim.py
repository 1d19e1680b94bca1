"""A collection refuses versions of a topic whose offsets start anew."""

import pytest

from fraud_platform.documents.collections import COLLECTIONS
from fraud_platform.documents.stage import Claim
from fraud_platform.errors import ConfigurationError, StoreUnavailable
from fraud_platform.topology import Topic
from tests.fakes.collection import FakeCollections

USERS = COLLECTIONS[Topic.USERS]


@pytest.fixture
def store() -> FakeCollections:
    return FakeCollections()


def claim(store: FakeCollections, topic: str = "p-users", topic_id: str = "id-1") -> Claim:
    return Claim(store, {topic: USERS}, {topic: topic_id})


def test_the_first_start_notes_the_topic_and_adds_indexes(store: FakeCollections) -> None:
    claim(store)()
    assert store.notes == {"users": ("p-users", "id-1")}
    assert store.unique == {"users": ("ID",)}


def test_later_starts_go_on(store: FakeCollections) -> None:
    claim(store)()
    claim(store)()
    assert store.notes == {"users": ("p-users", "id-1")}


@pytest.mark.parametrize(("topic", "topic_id"), [("p-users", "id-2"), ("another-users", "id-1")])
def test_another_topic_is_refused_with_the_way_out(store: FakeCollections, topic: str, topic_id: str) -> None:
    claim(store)()
    with pytest.raises(ConfigurationError, match=r"The MongoDB collection users .* FRAUD_MONGODB_DATABASE"):
        claim(store, topic, topic_id)()


def test_nothing_is_settled_while_the_store_is_away(store: FakeCollections) -> None:
    waiting = claim(store)
    store.is_down = True
    with pytest.raises(StoreUnavailable):
        waiting()
    store.is_down = False
    waiting()
    assert store.notes == {"users": ("p-users", "id-1")}
