"""Queries as people write them, read without running anything."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from fraud_platform.documents import ready
from fraud_platform.documents.shell import Query, parse
from fraud_platform.errors import ConfigurationError


def value(text: str) -> object:
    return parse(f"db.c.aggregate([{text}])").arguments[0][0]


def test_the_ready_join_is_read_as_it_stands() -> None:
    query = parse(ready.text("transactions-with-users"))
    assert (query.collection, query.operation) == ("transactions", "aggregate")
    (pipeline,) = query.arguments
    assert [next(iter(stage)) for stage in pipeline] == ["$lookup", "$lookup", "$unwind", "$unwind", "$project"]
    assert pipeline[0]["$lookup"] == {
        "from": "users",
        "localField": "RECEIVER_ID",
        "foreignField": "ID",
        "as": "receiver_info",
    }
    assert pipeline[4]["$project"]["RECEIVER_EMAIL"] == "$receiver_info.EMAIL"
    assert len(pipeline[4]["$project"]) == 15


def test_every_ready_query_can_be_read() -> None:
    assert [parse(ready.text(name)).operation for name in ready.names()] == ["aggregate"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{a: 1, 'b': \"x\", $c: [true, false, null,],}", {"a": 1, "b": "x", "$c": [True, False, None]}),
        ("{'it\\'s': 'a \"word\"'}", {"it's": 'a "word"'}),
        ('"\\u00e9\\n"', "é\n"),
        ("-1.5e3", -1500.0),
        (".5", 0.5),
        ("123456789012345678", 123456789012345678),
        ("NumberDecimal('12.50')", Decimal("12.50")),
        ('NumberLong("7")', 7),
        ("ISODate('2026-01-01T12:00:00Z')", datetime(2026, 1, 1, 12, tzinfo=UTC)),
        ("new Date('2026-01-01')", datetime(2026, 1, 1, tzinfo=UTC)),
        ("/* a */ {a: // b\n 1}", {"a": 1}),
    ],
)
def test_relaxed_values_are_understood(text: str, expected: object) -> None:
    assert value(text) == expected


def test_find_takes_filter_projection_and_modifiers() -> None:
    text = "db.users.find({ID: 'u-1'}, {NAME: 1}).sort({ID: -1}).limit(5);"
    arguments = ({"ID": "u-1"}, {"NAME": 1})
    assert parse(text) == Query("users", "find", arguments, (("sort", {"ID": -1}), ("limit", 5)))


def test_a_collection_can_be_named_by_a_call() -> None:
    assert parse("db.getCollection('odd-name').find()").collection == "odd-name"


@pytest.mark.parametrize(
    "text",
    [
        "db.t.aggregate([{$match: {}}, {$out: 'users'}])",
        "db.t.aggregate([{$merge: {into: 'users'}}])",
        "db.t.aggregate([{$unionWith: {coll: 'u', pipeline: [{'$out': 'x'}]}}])",
        "db.t.aggregate([{$project: {x: {$function: {body: 'f', args: [], lang: 'js'}}}}])",
        "db.t.aggregate([{'\\u0024out': 'users'}])",
        "db.t.find({$where: 'sleep(1000)'})",
        "db.t.find({}, {x: {$accumulator: {}}})",
    ],
)
def test_what_writes_or_runs_code_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="writes or runs code"):
        parse(text)


@pytest.mark.parametrize("operation", ["insertOne", "deleteMany", "drop", "updateOne", "mapReduce", "bulkWrite"])
def test_other_operations_are_refused(operation: str) -> None:
    with pytest.raises(ConfigurationError, match="only aggregate and find are allowed"):
        parse(f"db.t.{operation}({{}})")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "db",
        "db.t",
        "db.t.aggregate()",
        "db.t.aggregate({})",
        "db.t.aggregate([], {})",
        "db.t.find({}, {}, {})",
        "db.t.find().limit('x')",
        "db.t.find().sort(5)",
        "db.t.find().skip(1, 2)",
        "db.t.find().limit(true)",
        "db.t.find([])",
        "db.t.find({}) db.u.find({})",
        "db.t.find({}).explain()",
        "db.t.aggregate([]).limit(1)",
        "db.t.find({a: 1",
        "db.t.find({a 1})",
        "db.t.find({a: process.exit()})",
        "db.t.find({a: 'x})",
        "db.t.find({a: '\\q'})",
        "db.t.find({a: NumberDecimal('x')})",
        "db.t.find({a: ISODate('never')})",
        "db.t.find({a: ISODate(5)})",
        "db.t.find({a: £})",
        "db.getCollection(5).find()",
        "db.t.find(" + "{a:" * 200 + "1" + "}" * 200 + ")",
    ],
)
def test_what_cannot_be_read_is_one_sentence_with_its_place(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^The query cannot be read at line \d+, column \d+: [^\n]+\.$"):
        parse(text)


def test_the_place_of_a_fault_is_where_it_is() -> None:
    with pytest.raises(ConfigurationError, match="line 2, column 4"):
        parse("db.t.find({\n a £})")


def test_an_unknown_ready_query_is_none() -> None:
    with pytest.raises(KeyError):
        ready.text("../../secrets")


def test_the_ready_join_is_the_published_text() -> None:
    """Byte for byte: people paste it into their own shell."""
    file = Path(ready.__file__).parent / "queries" / "transactions-with-users.js"
    assert file.read_text().startswith("db.transactions.aggregate([\n  {\n    $lookup: {\n")
    assert file.read_text().endswith('RECEIVER_EMAIL: "$receiver_info.EMAIL"\n    }\n  }\n])\n')
