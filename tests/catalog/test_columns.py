"""From the schemas of files to the columns of a table."""

from typing import Any

import pytest

from fraud_platform.catalog.columns import Column, columns_of, fingerprint, grown
from fraud_platform.catalog.types import hive
from fraud_platform.core.outcome import Rejected
from fraud_platform.lake.container import row_schema
from fraud_platform.topology import LAKE, Topic


def record(*fields: tuple[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": [{"name": name, "type": kind} for name, kind in fields]}


def columns(*fields: tuple[str, Any]) -> tuple[Column, ...]:
    found = columns_of(record(*fields))
    assert not isinstance(found, Rejected)
    return found


def kinds(found: tuple[Column, ...]) -> dict[str, str]:
    return {column.name: hive(column.type) for column in found}


@pytest.mark.parametrize("topic", LAKE.reads)
def test_every_topic_of_the_lake_makes_a_table(topic: Topic) -> None:
    found = columns_of(row_schema(topic))
    assert not isinstance(found, Rejected)
    assert {"kafka_partition": "int", "kafka_offset": "bigint", "kafka_timestamp": "timestamp"}.items() <= kinds(
        found
    ).items()


def test_names_are_lower_case_and_the_file_s_own_name_is_kept() -> None:
    (column,) = columns(("TRANSACTION_ID", "string"))
    assert (column.name, column.source) == ("transaction_id", "TRANSACTION_ID")


def test_money_stays_exact_and_optional_fields_lose_their_null() -> None:
    money = {"type": "fixed", "size": 16, "name": "Money", "logicalType": "decimal", "precision": 38, "scale": 9}
    assert kinds(columns(("AMOUNT", money), ("OLD", ["null", "Money"]), ("n", ["null", "long"]))) == {
        "amount": "decimal(38,9)",
        "old": "decimal(38,9)",
        "n": "bigint",
    }


def test_decisions_keep_their_hits_as_records() -> None:
    found = columns_of(row_schema(Topic.DECISIONS))
    assert not isinstance(found, Rejected)
    assert kinds(found)["hits"].startswith("array<struct<rule_id:string,criterion:string,observed:string")
    assert kinds(found)["action"] == "string"


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ("string", "no record"),
        (record(("a", ["string", "int"])), "union of several"),
        (record(("a", "int"), ("A", "int")), "share a name: a"),
        (record(("dt", "string")), "share a name: dt"),
        (record(("a", "R")), "contains itself"),
        ({"type": "record", "name": "R", "fields": [{"name": "a"}]}, "not well formed"),
        ({"type": "record", "name": "R"}, "not well formed"),
    ],
)
def test_a_schema_that_makes_no_table_is_told_why(schema: Any, reason: str) -> None:
    found = columns_of(schema)
    assert isinstance(found, Rejected)
    assert reason in found.reason


def test_new_columns_come_last() -> None:
    both = grown(columns(("b", "int"), ("a", "int")), columns(("new", ["null", "string"]), ("a", "int")))
    assert not isinstance(both, Rejected)
    assert [column.name for column in both] == ["b", "a", "new"]


def test_a_column_of_another_kind_is_refused_by_name() -> None:
    both = grown(columns(("amount", "long")), columns(("amount", "string")))
    assert isinstance(both, Rejected)
    assert both.reason == "column amount is string in the file and bigint in the table"


def test_a_fingerprint_tells_columns_apart() -> None:
    one, other = columns(("a", "int")), columns(("A", "int"))
    assert fingerprint(one) == fingerprint(columns(("a", "int")))
    assert fingerprint(one) != fingerprint(other)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ({"type": "bytes", "precision": 38, "scale": 9}, "a decimal of any length"),
        ({"type": "fixed", "name": "f", "size": 20, "precision": 40, "scale": 9}, "not of 1 to 38 digits"),
        ({"type": "fixed", "name": "f", "size": 16, "precision": "many"}, "not of 1 to 38 digits"),
        ({"type": "fixed", "name": "f", "size": 16, "precision": 5, "scale": 6}, "not of 1 to 38 digits"),
    ],
)
def test_decimals_that_an_engine_cannot_read_make_no_table(kind: dict[str, Any], reason: str) -> None:
    field = {"name": "amount", "type": kind | {"logicalType": "decimal"}}
    found = columns_of({"type": "record", "name": "r", "fields": [field]})
    assert isinstance(found, Rejected)
    assert reason in found.reason
