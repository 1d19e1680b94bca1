"""What every `DocumentStore` promises, and what only a real MongoDB can show."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fraud_platform.adapters.mongo import Document, DocumentStore, MongoStore, Written
from fraud_platform.core.outcome import Rejected
from fraud_platform.errors import ConfigurationError, StoreUnavailable
from fraud_platform.settings import Settings
from tests.conftest import fresh_settings
from tests.fakes.collection import FakeCollections
from tests.patience import be_patient
from tests.ports import free_port

STORED, SUPERSEDED = Written.STORED, Written.SUPERSEDED


@pytest.fixture
def settings(service_endpoints: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    be_patient(monkeypatch)
    return fresh_settings(service_endpoints, tmp_path)


@pytest.fixture(params=["fake", pytest.param("mongo", marks=pytest.mark.services)])
def store(request: pytest.FixtureRequest) -> Iterator[DocumentStore]:
    if request.param == "fake":
        yield FakeCollections()
    else:
        yield from _real(request.getfixturevalue("settings"))


@pytest.fixture
def mongo(settings: Settings) -> Iterator[MongoStore]:
    yield from _real(settings)


def _real(settings: Settings) -> Iterator[MongoStore]:
    store = MongoStore(settings)
    yield store
    store._client.drop_database(settings.mongodb_database)
    store.close()


def read(store: DocumentStore, name: str = "a") -> dict[str, Any] | None:
    if isinstance(store, FakeCollections):
        return store.documents.get("things", {}).get(name)
    assert isinstance(store, MongoStore)
    return store._database["things"].find_one({"_id": name})


def version(partition: int, offset: int, name: str = "a", **fields: Any) -> Document:
    return Document(name, partition, offset, {"ID": name, **fields})


def test_a_new_document_is_stored_with_its_position(store: DocumentStore) -> None:
    assert store.write("things", [version(1, 7, COLOUR="red")]) == [STORED]
    assert read(store) == {"_id": "a", "ID": "a", "COLOUR": "red", "kafka_partition": 1, "kafka_offset": 7}


@pytest.mark.parametrize(("newer", "older"), [((0, 8), (0, 7)), ((1, 0), (0, 99)), ((2, 1), (1, 2))])
def test_the_higher_partition_and_offset_wins_in_any_order(
    store: DocumentStore, newer: tuple[int, int], older: tuple[int, int]
) -> None:
    assert store.write("things", [version(*older)]) == [STORED]
    assert store.write("things", [version(*newer)]) == [STORED]
    assert store.write("things", [version(*older)]) == [SUPERSEDED]
    found = read(store)
    assert found is not None
    assert (found["kafka_partition"], found["kafka_offset"]) == newer


def test_the_same_version_again_changes_nothing(store: DocumentStore) -> None:
    store.write("things", [version(0, 1, COLOUR="red")])
    assert store.write("things", [version(0, 1, COLOUR="blue")]) == [SUPERSEDED]
    assert (read(store) or {})["COLOUR"] == "red"


def test_a_newer_version_replaces_the_whole_document(store: DocumentStore) -> None:
    store.write("things", [version(0, 1, COLOUR="red")])
    store.write("things", [version(0, 2, SIZE="large")])
    assert "COLOUR" not in (read(store) or {})


def test_results_come_in_the_order_of_the_documents(store: DocumentStore) -> None:
    store.write("things", [version(0, 5, "b")])
    found = store.write("things", [version(0, 6, "a"), version(0, 4, "b"), version(0, 7, "c")])
    assert found == [STORED, SUPERSEDED, STORED]


def test_money_keeps_every_digit_and_time_its_zone(store: DocumentStore) -> None:
    at = datetime(2026, 1, 1, 12, 0, 0, 123000, tzinfo=UTC)
    store.write("things", [version(0, 1, AMOUNT=Decimal("12345678901234567890.123456789"), at=at)])
    found = read(store) or {}
    assert str(found["AMOUNT"]) == "12345678901234567890.123456789"
    assert found["at"].replace(tzinfo=UTC) == at


@pytest.mark.parametrize(("amount", "kept"), [("100.500000000", "100.5"), ("0E-9", "0"), ("-1E+2", "-100")])
def test_money_is_written_without_filling_zeros(store: DocumentStore, amount: str, kept: str) -> None:
    store.write("things", [version(0, 1, AMOUNT=Decimal(amount))])
    assert str((read(store) or {})["AMOUNT"]) == kept


def test_money_that_would_be_rounded_is_rejected_alone(store: DocumentStore) -> None:
    huge = Decimal("99999999999999999999999999999.999999999")
    found = store.write("things", [version(0, 1, "a"), version(0, 2, "b", AMOUNT=huge), version(0, 3, "c")])
    assert [found[0], found[2]] == [STORED, STORED]
    assert isinstance(found[1], Rejected)
    assert "9999" not in found[1].reason


def test_a_document_above_16_mb_is_rejected_alone(store: DocumentStore) -> None:
    found = store.write("things", [version(0, 1, "a", text="x" * 17_000_000), version(0, 2, "b")])
    assert isinstance(found[0], Rejected)
    assert (found[0].error_type, found[1]) == ("too-large", STORED)


def test_a_value_that_mongodb_has_no_form_for_is_rejected_alone(store: DocumentStore) -> None:
    found = store.write("things", [version(0, 1, "a", text="\ud800"), version(0, 2, "b", day=object())])
    assert all(isinstance(result, Rejected) for result in found)
    assert store.write("things", [version(0, 3, "c")]) == [STORED]


@pytest.mark.parametrize("name", ['{"$gt":""}', "$where", "a.b", "", "\x00", "é" * 5000, "null"])
def test_hostile_ids_are_plain_text(store: DocumentStore, name: str) -> None:
    assert store.write("things", [version(0, 1, "harmless"), version(0, 2, name)]) == [STORED, STORED]
    assert (read(store, name) or {})["kafka_offset"] == 2
    assert (read(store, "harmless") or {})["kafka_offset"] == 1


def test_another_documents_unique_value_is_a_fault_of_the_record(store: DocumentStore) -> None:
    store.index("things", unique=["ID"])
    store.write("things", [version(0, 1, "a")])
    (found,) = store.write("things", [Document("b", 0, 2, {"ID": "a"})])
    assert isinstance(found, Rejected)
    assert "ID" in found.reason


def test_the_first_claim_stands(store: DocumentStore) -> None:
    assert store.claim("things", "users", "id-1") == ("users", "id-1")
    assert store.claim("things", "users", "id-2") == ("users", "id-1")
    assert store.claim("others", "users", "id-2") == ("users", "id-2")


def test_indexing_again_changes_nothing(store: DocumentStore) -> None:
    store.index("things", unique=["ID"], indexed=["SENDER_ID"])
    store.index("things", unique=["ID"], indexed=["SENDER_ID"])
    assert store.write("things", [version(0, 1)]) == [STORED]


def test_a_store_that_answers_is_ready(store: DocumentStore) -> None:
    assert store.ready()


@pytest.mark.services
def test_racing_writers_of_one_id_leave_the_newest_version(mongo: MongoStore) -> None:
    versions = [[version(0, offset, f"id-{n}") for n in range(50)] for offset in range(12)]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda documents: mongo.write("things", documents), versions))
    assert {result for results in found for result in results} <= {STORED, SUPERSEDED}
    stored = list(mongo._database["things"].find())
    assert {document["kafka_offset"] for document in stored} == {11}
    assert len(stored) == 50


@pytest.mark.services
def test_a_writer_with_an_outdated_look_changes_nothing_newer(
    mongo: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a paused writer saw before it wrote is no truth: the write itself is guarded."""
    mongo.write("things", [version(0, 5, "a"), version(0, 5, "b")])
    for seen in ({}, {"a": (0, 1), "b": (0, 1)}, {"a": None, "b": None}):
        monkeypatch.setattr("fraud_platform.adapters.mongo.stored_versions", lambda *_, seen=seen: seen)
        found = mongo.write("things", [version(0, 4, "a"), version(0, 6, "b"), version(0, 1, f"c-{len(seen)}{seen}")])
        assert found[0] == SUPERSEDED
        monkeypatch.undo()
    assert ((read(mongo, "a") or {})["kafka_offset"], (read(mongo, "b") or {})["kafka_offset"]) == (5, 6)


@pytest.mark.services
def test_a_document_without_a_position_is_left_alone(mongo: MongoStore) -> None:
    mongo._database["things"].insert_one({"_id": "a", "COLOUR": "red"})
    assert mongo.write("things", [version(0, 1, "a")]) == [SUPERSEDED]
    assert read(mongo) == {"_id": "a", "COLOUR": "red"}


@pytest.mark.services
def test_a_bulk_that_mongodb_refuses_whole_loses_only_the_bad_document(mongo: MongoStore) -> None:
    deep: dict[str, Any] = {}
    for _ in range(190):
        deep = {"d": deep}
    found = mongo.write("things", [version(0, 1, "a"), version(0, 2, "b", deep=deep), version(0, 3, "c")])
    assert isinstance(found[1], Rejected)
    assert {"a", "c"} == {document["_id"] for document in mongo._database["things"].find()}


@pytest.mark.services
def test_a_collections_own_rules_reject_single_documents(mongo: MongoStore) -> None:
    mongo._database.create_collection("things", validator={"COLOUR": {"$ne": "red"}})
    found = mongo.write("things", [version(0, 1, "a", COLOUR="red"), version(0, 2, "b", COLOUR="blue")])
    assert found == [Rejected("not-storable", "MongoDB refuses the document (code 121)"), STORED]


@pytest.mark.services
def test_an_index_that_the_content_contradicts_is_one_sentence(mongo: MongoStore) -> None:
    mongo.write("things", [Document("a", 0, 1, {"ID": "same"}), Document("b", 0, 2, {"ID": "same"})])
    with pytest.raises(ConfigurationError, match="FRAUD_MONGODB_DATABASE") as refusal:
        mongo.index("things", unique=["ID"])
    assert "same" not in str(refusal.value)


@pytest.mark.services
def test_writes_wait_for_the_majoritys_journal(mongo: MongoStore) -> None:
    assert mongo._database.write_concern.document == {"w": "majority", "j": True}


def test_a_store_that_is_away_is_unavailable_and_not_ready(tmp_path: Path, refused_port: int) -> None:
    store = MongoStore(_offline(tmp_path, f"mongodb://someone:hidden@127.0.0.1:{refused_port}/"))
    with pytest.raises(StoreUnavailable, match="does not answer") as away:
        store.write("things", [version(0, 1)])
    assert "hidden" not in str(away.value)
    assert not store.ready()
    store.close()


@pytest.mark.parametrize("address", ["http://localhost", "mongodb://u:p@ss@host/", "mongodb://", "mongodb://h:port/"])
def test_a_wrong_address_is_one_sentence_without_the_password(tmp_path: Path, address: str) -> None:
    with pytest.raises(ConfigurationError, match="MONGODB_URI") as refusal:
        MongoStore(_offline(tmp_path, address))
    assert "p@ss" not in str(refusal.value)


def test_a_database_name_that_mongodb_does_not_allow_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="FRAUD_MONGODB_DATABASE"):
        MongoStore(fresh_settings({}, tmp_path, MONGODB_URI="mongodb://h/", FRAUD_MONGODB_DATABASE="a b"))


@pytest.mark.services
def test_a_user_whom_mongodb_does_not_know_is_one_sentence(settings: Settings, tmp_path: Path) -> None:
    address = settings.mongodb_address.replace("mongodb://", "mongodb://nobody:hidden@")
    store = MongoStore(_offline(tmp_path, address))
    with pytest.raises(ConfigurationError, match="check the user") as refusal:
        store.write("things", [version(0, 1)])
    assert "hidden" not in str(refusal.value)
    store.close()


@pytest.fixture
def refused_port() -> int:
    return free_port()


def _offline(data_dir: Path, address: str) -> Settings:
    return fresh_settings({}, data_dir, MONGODB_URI=address)
