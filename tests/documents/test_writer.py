"""Batches become documents: the newest version per id, one outcome per record."""

import threading
from collections.abc import Sequence
from decimal import Decimal

import pytest

from fraud_platform.adapters.mongo import Document, Written
from fraud_platform.core.outcome import Outcome, Record, Rejected
from fraud_platform.documents.collections import COLLECTIONS
from fraud_platform.documents.writer import BULK, DocumentWriter
from fraud_platform.errors import StoreUnavailable
from fraud_platform.topology import MAX_VALUE_BYTES, Topic
from tests.fakes.collection import FakeCollections
from tests.rows import NAMING, decision, monitored, reader, result, stored, user, wire

BY_NAME = {NAMING.topic(topic): collection for topic, collection in COLLECTIONS.items()}


@pytest.fixture
def store() -> FakeCollections:
    return FakeCollections()


@pytest.fixture
def writer(store: FakeCollections) -> DocumentWriter:
    return DocumentWriter(store, reader().decode, BY_NAME)


def names(outcomes: Sequence[Outcome]) -> list[str]:
    return [outcome.name for outcome in outcomes]


def test_each_topic_goes_to_its_collection(writer: DocumentWriter, store: FakeCollections) -> None:
    records = [
        stored(Topic.RESULT, result("t-1")),
        stored(Topic.USERS, user("u-1")),
        stored(Topic.MONITORED, monitored("s-1")),
        stored(Topic.DECISIONS, decision("t-1")),
    ]
    assert names(writer.decide(records)) == ["stored"] * 4
    assert {name: list(found) for name, found in store.documents.items()} == {
        "transactions": ["t-1"],
        "users": ["u-1"],
        "monitored_transactions": ["s-1"],
        "decisions": ["validation:t-1"],
    }


def test_a_document_has_the_topics_fields_and_the_position(writer: DocumentWriter, store: FakeCollections) -> None:
    writer.decide([stored(Topic.USERS, user("u-1"), partition=2, offset=7)])
    found = store.documents["users"]["u-1"]
    assert found["WEBSITE"] == ["https://ada.example"]
    assert (found["_id"], found["ID"], found["kafka_partition"], found["kafka_offset"]) == ("u-1", "u-1", 2, 7)


def test_the_last_version_in_a_batch_wins_and_the_others_are_superseded(
    writer: DocumentWriter, store: FakeCollections
) -> None:
    records = [stored(Topic.USERS, user("u-1", NAME=f"n{n}"), offset=n) for n in (1, 3, 2)]
    assert names(writer.decide(records)) == ["superseded", "stored", "superseded"]
    assert store.documents["users"]["u-1"]["NAME"] == "n3"
    assert store.bulks == [1]


def test_the_highest_partition_and_offset_wins_across_batches(writer: DocumentWriter, store: FakeCollections) -> None:
    assert names(writer.decide([stored(Topic.USERS, user(NAME="new"), partition=1, offset=0)])) == ["stored"]
    assert names(writer.decide([stored(Topic.USERS, user(NAME="old"), partition=0, offset=99)])) == ["superseded"]
    assert store.documents["users"]["u-1"]["NAME"] == "new"


def test_a_batch_that_comes_again_changes_nothing(writer: DocumentWriter, store: FakeCollections) -> None:
    records = [stored(Topic.RESULT, result(f"t-{n}"), offset=n) for n in range(10)]
    writer.decide(records)
    before = {name: dict(found) for name, found in store.documents.items()}
    assert set(names(writer.decide(records))) == {"superseded"}
    assert store.documents == before


@pytest.mark.parametrize(
    ("value", "error_type"),
    [
        (None, "tombstone"),
        (b"rubbish", "invalid-avro"),
        (b"\x00\x00\x00\x00\x63x", "unknown-schema"),
        (b"\x00" * (MAX_VALUE_BYTES + 1), "too-large"),
        (wire(Topic.USERS, user()), "missing-id"),
        (wire(Topic.RESULT, result(AMOUNT=Decimal("99999999999999999999999999999.999999999"))), "inexact"),
    ],
)
def test_a_bad_record_is_a_dead_letter_and_its_neighbours_are_stored(
    writer: DocumentWriter, value: bytes | None, error_type: str
) -> None:
    good = [stored(Topic.RESULT, result(f"t-{n}"), offset=n) for n in (0, 2)]
    outcomes = writer.decide([good[0], stored(Topic.RESULT, value, offset=1), good[1]])
    assert names(outcomes) == ["stored", "dead-lettered", "stored"]
    assert outcomes[1].rejected is not None
    assert outcomes[1].rejected.error_type == error_type


def test_large_batches_are_stored_in_bulks(writer: DocumentWriter, store: FakeCollections) -> None:
    records = [stored(Topic.RESULT, result(f"t-{n}"), offset=n) for n in range(BULK + 1)]
    assert set(names(writer.decide(records))) == {"stored"}
    assert store.bulks == [BULK, 1]


def test_a_stop_is_heeded_between_bulks(store: FakeCollections) -> None:
    writer = DocumentWriter(store, reader().decode, BY_NAME, stop=lambda: bool(store.bulks))
    records = [stored(Topic.RESULT, result(f"t-{n}"), offset=n) for n in range(BULK + 1)]
    with pytest.raises(StoreUnavailable, match="told to stop"):
        writer.decide(records)
    assert store.bulks == [BULK]


def test_a_store_that_is_away_is_told_to_the_runtime(writer: DocumentWriter, store: FakeCollections) -> None:
    store.is_down = True
    with pytest.raises(StoreUnavailable):
        writer.decide([stored(Topic.RESULT, result())])


def test_records_of_one_topic_do_not_touch_another(writer: DocumentWriter, store: FakeCollections) -> None:
    records: list[Record] = [
        stored(Topic.USERS, user("same"), offset=5),
        stored(Topic.RESULT, result("same"), offset=1),
    ]
    assert names(writer.decide(records)) == ["stored", "stored"]


BATCH = [
    stored(Topic.RESULT, result("t-1")),
    stored(Topic.USERS, user("u-1")),
    stored(Topic.DECISIONS, decision("t-1")),
]


def test_the_collections_are_written_side_by_side() -> None:
    meeting = threading.Barrier(3)

    class Meeting(FakeCollections):
        def write(self, collection: str, documents: Sequence[Document]) -> list[Written | Rejected]:
            meeting.wait(30)
            return super().write(collection, documents)

    assert names(DocumentWriter(Meeting(), reader().decode, BY_NAME).decide(BATCH)) == ["stored"] * 3


def test_a_write_that_fails_waits_for_the_others() -> None:
    """Nothing may still be on its way when the batch is read again."""
    failed = threading.Event()

    class OneFails(FakeCollections):
        def write(self, collection: str, documents: Sequence[Document]) -> list[Written | Rejected]:
            if collection == "users":
                failed.set()
                raise StoreUnavailable("users are away")
            assert failed.wait(30)
            return super().write(collection, documents)

    store = OneFails()
    with pytest.raises(StoreUnavailable, match="users"):
        DocumentWriter(store, reader().decode, BY_NAME).decide(BATCH)
    assert set(store.documents) == {"transactions", "decisions"}


def test_closing_the_writer_closes_its_store(writer: DocumentWriter, store: FakeCollections) -> None:
    writer.close()
    assert store.closed
