"""What the books ask of the outside: the fakes and the real ones keep one contract."""

from collections.abc import Iterator

import pytest
from bson import ObjectId

from fraud_platform.adapters.avro import AvroReader, AvroWriter
from fraud_platform.adapters.mongo import Document, MongoStore
from fraud_platform.adapters.mongo_books import MongoBooks
from fraud_platform.adapters.registry import SchemaRegistry
from fraud_platform.adapters.topic_identity import ids_of
from fraud_platform.books.kafka_flow import KafkaFlow
from fraud_platform.books.rows import plain_fields
from fraud_platform.books.sources import BookStore, Saved
from fraud_platform.books.stored import KafkaRows, MongoRows
from fraud_platform.errors import StoreUnavailable
from fraud_platform.settings import Settings
from fraud_platform.topology import PROJECTION, Topic
from tests.books.entries import entry
from tests.books.fakes import FakeStore
from tests.result_topics import send, send_bytes
from tests.rows import decision, result
from tests.stages.flow import send as send_pairs


@pytest.fixture(params=["fake", pytest.param("mongodb", marks=pytest.mark.services)])
def store(request: pytest.FixtureRequest) -> Iterator[BookStore]:
    if request.param == "fake":
        yield FakeStore()
        return
    books = MongoBooks(request.getfixturevalue("platform_settings"))
    yield books
    books.clear("")
    books.close()


def test_what_was_put_is_got(store: BookStore) -> None:
    content = {"outcomes": {"accepted.fraudulent": 3, "$odd": 1}, "at": [1, {"a.b": None}]}
    store.put([Saved("l/a", (0, 1), content), Saved("l/b", (1, 1), {})])
    assert store.get(["l/a", "l/b", "l/c"]) == {"l/a": content, "l/b": {}}


def test_the_higher_version_stays_whoever_comes_last(store: BookStore) -> None:
    for version, content in (((0, 5), "five"), ((0, 3), "three"), ((0, 5), "five again"), ((0, 9), "nine")):
        store.put([Saved("l/v", version, {"is": content})])
    assert store.get(["l/v"])["l/v"] == {"is": "nine"}
    store.put([Saved("l/v", (0, 8), {"is": "eight"})])
    assert store.get(["l/v"])["l/v"] == {"is": "nine"}


def test_clearing_forgets_the_notes_of_one_ledger(store: BookStore) -> None:
    store.put([Saved("l1/a", (0, 1), {}), Saved("l2/a", (0, 1), {})])
    store.clear("l1/")
    assert store.get(["l1/a", "l2/a"]).keys() == {"l2/a"}


def test_thousands_of_notes_are_put_and_got_at_once(store: BookStore) -> None:
    store.put([Saved(f"l/{n}", (0, 1), {"n": n}) for n in range(2500)])
    found = store.get([f"l/{n}" for n in range(2500)])
    assert sorted(each["n"] for each in found.values()) == list(range(2500))


@pytest.mark.services
def test_a_store_that_is_away_says_so_in_one_sentence(platform_settings: Settings) -> None:
    away = platform_settings.model_copy(update={"mongodb_uri": None})
    away = Settings.from_environment({"MONGODB_URI": "mongodb://127.0.0.1:9/", "FRAUD_DATA_DIR": str(away.data_dir)})
    books = MongoBooks(away)
    with pytest.raises(StoreUnavailable, match="MongoDB does not answer"):
        books.get(["a"])
    books.close()


# Kafka ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reader(platform_settings: Settings) -> AvroReader:
    return AvroReader(SchemaRegistry(platform_settings))


@pytest.mark.services
def test_the_ledger_comes_as_lines_without_prefix_and_what_is_none_as_nothing(
    platform_settings: Settings, reader: AvroReader
) -> None:
    encode = AvroWriter(SchemaRegistry(platform_settings)).encoder(Topic.LEDGER)
    mine = entry(topic=platform_settings.naming.topic(Topic.FRAUDULENT), end=3)
    send_pairs(platform_settings, Topic.LEDGER, [("projection", encode(mine.to_avro())), ("projection", b"rubbish")])
    flow = KafkaFlow(platform_settings, reader)
    bounds = flow.bounds([Topic.LEDGER])[Topic.LEDGER]
    (filled,) = [number for number, (_, end) in bounds.items() if end]
    first, second = flow.ledger({filled: 0}, {filled: 2})
    assert first.entry == entry(end=3)
    assert (first.partition, first.offset, second.offset, second.entry) == (filled, 0, 1, None)
    assert flow.count(Topic.LEDGER, {filled: 1}, {filled: 2}) == {filled: 1}
    assert flow.committed(PROJECTION) == {}
    assert flow.ledger_id() in ids_of(platform_settings, [Topic.LEDGER], "the ledger").values()


@pytest.mark.services
def test_rows_of_a_topic_are_those_that_a_sink_can_store_up_to_the_cut(
    platform_settings: Settings, reader: AvroReader
) -> None:
    from fraud_platform.runtime.drain import drain
    from fraud_platform.topology import DOCUMENTS

    send(platform_settings, Topic.RESULT, [result(f"t-{n}") for n in range(5)])
    send_bytes(platform_settings, Topic.RESULT, [b"rubbish", None])
    topic = KafkaRows(platform_settings, Topic.RESULT, reader)
    assert topic.cut().records == 0
    assert list(topic.rows()) == []
    drain(platform_settings, DOCUMENTS)
    cut = topic.cut()
    assert sum(cut.documents.ends.values()) == 7
    assert sum(cut.lake.ends.values()) == 0
    found = {row.id: row for row in topic.rows()}
    assert found.keys() == {f"t-{n}" for n in range(5)}
    assert found["t-0"].fields == plain_fields(result("t-0"))
    assert found["t-0"].hour.startswith("dt=20")
    assert len(topic.dead("documents")) == 2
    assert topic.dead("lake") == set()
    assert topic.tops() == dict(cut.documents.ends)


@pytest.mark.services
def test_documents_are_found_by_name_and_by_the_id_in_their_fields(platform_settings: Settings) -> None:
    settings = platform_settings.model_copy(update={"mongodb_database": f"{platform_settings.mongodb_database}_b"})
    store = MongoStore(settings)
    store.write("decisions", [Document("validation:t-1", 1, 2, decision("t-1"))])
    stranger, nameless = ObjectId(), ObjectId()
    store._database["decisions"].insert_many([{"_id": stranger, **decision("$t-1")}, {"_id": nameless}])
    rows = MongoRows(settings, Topic.DECISIONS)
    assert {(row.id, row.name, row.position) for row in rows.rows()} == {
        ("validation:t-1", "validation:t-1", (1, 2)),
        ("validation:$t-1", str(stranger), (-1, -1)),
        ("", str(nameless), (-1, -1)),
    }
    assert {row.name for row in rows.by_ids(["validation:$t-1", "other:t-1"])} == {str(stranger)}
    assert {row.name for row in rows.by_ids([str(nameless), "validation:t-1"])} == {str(nameless), "validation:t-1"}
    store._client.drop_database(settings.mongodb_database)
    store.close()
