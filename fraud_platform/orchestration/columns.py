"""An Avro record schema as the columns that Dagster shows."""

import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

import dagster as dg


def schema_of(name: str) -> Mapping[str, Any]:
    """The schema file `fraud_platform/schemas/<name>.avsc`."""
    text = resources.files("fraud_platform").joinpath("schemas", f"{name}.avsc").read_text()
    found: dict[str, Any] = json.loads(text)
    return found


def avro_columns(schema: Mapping[str, Any]) -> list[dg.TableColumn]:
    """One column per field, nested records as their own name."""
    return [
        dg.TableColumn(
            name=field["name"],
            type=type_name(field["type"]),
            description=field.get("doc"),
            constraints=dg.TableColumnConstraints(nullable=_is_nullable(field["type"])),
        )
        for field in schema["fields"]
    ]


def type_name(avro: Any) -> str:
    """The type in words: `decimal(38,9)`, `timestamp-millis`, `array<string>`, `Hit`."""
    match avro:
        case list():
            words = " | ".join(type_name(each) for each in avro if each != "null")
        case {"logicalType": "decimal", "precision": precision}:
            words = f"decimal({precision},{avro.get('scale', 0)})"
        case {"logicalType": name} | {"type": "record" | "enum" | "fixed", "name": name}:
            words = str(name)
        case {"type": "array", "items": inner} | {"type": "map", "values": inner}:
            words = f"{avro['type']}<{type_name(inner)}>"
        case {"type": name} | name:
            words = str(name)
    return words


def _is_nullable(avro: Any) -> bool:
    return avro == "null" or (isinstance(avro, list) and "null" in avro)
