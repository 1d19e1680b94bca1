"""Which topic fills which collection, and what its documents are called."""

import pytest

from fraud_platform.core.outcome import Rejected
from fraud_platform.documents.collections import COLLECTIONS
from fraud_platform.topology import DOCUMENTS, Topic
from tests.rows import decision, monitored, result, user


def test_every_topic_that_the_stage_reads_has_a_collection_of_its_own() -> None:
    assert set(COLLECTIONS) == set(DOCUMENTS.reads)
    assert len({collection.name for collection in COLLECTIONS.values()}) == len(COLLECTIONS)


def test_documents_are_called_as_the_contract_says() -> None:
    assert COLLECTIONS[Topic.RESULT].id_of(result("t-9")) == "t-9"
    assert COLLECTIONS[Topic.USERS].id_of(user("u-9")) == "u-9"
    assert COLLECTIONS[Topic.MONITORED].name == "monitored_transactions"
    assert COLLECTIONS[Topic.MONITORED].id_of(monitored("s-9")) == "s-9"
    assert COLLECTIONS[Topic.DECISIONS].id_of(decision("t-9")) == "validation:t-9"


@pytest.mark.parametrize("value", [None, 5, {"$gt": ""}, ["u"]])
def test_an_id_that_is_not_text_is_a_fault_of_the_record(value: object) -> None:
    found = COLLECTIONS[Topic.USERS].id_of({"ID": value})
    assert found == Rejected("missing-id", "ID is missing or not text")
