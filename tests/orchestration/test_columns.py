from typing import Any

import pytest

from fraud_platform.orchestration.columns import avro_columns, schema_of, type_name


@pytest.mark.parametrize(
    ("avro", "name"),
    [
        ("string", "string"),
        (["null", "string"], "string"),
        (["null", "long", "string"], "long | string"),
        ({"type": "long", "logicalType": "timestamp-millis"}, "timestamp-millis"),
        (
            {"type": "fixed", "name": "Money", "size": 16, "logicalType": "decimal", "precision": 38, "scale": 9},
            "decimal(38,9)",
        ),
        ({"type": "array", "items": "string"}, "array<string>"),
        ({"type": "array", "items": {"type": "record", "name": "Hit", "fields": []}}, "array<Hit>"),
        ({"type": "map", "values": "long"}, "map<long>"),
        ({"type": "enum", "name": "Action", "symbols": ["ALLOW"]}, "Action"),
    ],
)
def test_types_in_words(avro: Any, name: str) -> None:
    assert type_name(avro) == name


def test_the_result_schema_as_columns() -> None:
    columns = {column.name: column for column in avro_columns(schema_of("result"))}
    assert columns["AMOUNT"].type == "decimal(38,9)"
    assert not columns["TRANSACTION_ID"].constraints.nullable
