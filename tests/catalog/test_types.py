"""Column types: read, written for each engine, and widened."""

import pytest

from fraud_platform.catalog.types import Scalar, duckdb, hive, parse, trino, widened

NESTED = "array<struct<rule_id:string,limit:decimal(38,9),tags:map<string,array<int>>>>"


@pytest.mark.parametrize("text", ["string", "decimal(38,9)", "array<string>", "map<string,bigint>", NESTED])
def test_a_type_is_read_as_it_was_written(text: str) -> None:
    assert hive(parse(text)) == text


@pytest.mark.parametrize("text", ["", "array<", "struct<a>", "map<int,string>", "string>", "array<string"])
def test_what_is_no_type_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"type|missing"):
        parse(text)


def test_each_engine_has_its_own_names() -> None:
    kind = parse(NESTED)
    assert duckdb(kind) == 'STRUCT("rule_id" VARCHAR, "limit" DECIMAL(38,9), "tags" MAP(VARCHAR, INTEGER[]))[]'
    assert trino(kind) == 'array(row("rule_id" varchar, "limit" decimal(38,9), "tags" map(varchar, array(integer))))'


@pytest.mark.parametrize(
    ("known", "found", "both"),
    [
        ("int", "bigint", "bigint"),
        ("bigint", "int", "bigint"),
        ("float", "double", "double"),
        ("string", "string", "string"),
        ("string", "int", None),
        ("array<int>", "array<bigint>", "array<bigint>"),
        ("array<int>", "int", None),
        ("struct<a:int>", "struct<a:int,b:string>", "struct<a:int,b:string>"),
        ("struct<a:int,b:string>", "struct<a:int>", "struct<a:int,b:string>"),
        ("struct<a:int>", "struct<a:string>", None),
        ("decimal(38,9)", "decimal(38,2)", None),
    ],
)
def test_a_wider_type_holds_both(known: str, found: str, both: str | None) -> None:
    wider = widened(parse(known), parse(found))
    assert (None if wider is None else hive(wider)) == both


def test_a_scalar_names_itself() -> None:
    assert parse("timestamp") == Scalar("timestamp")
