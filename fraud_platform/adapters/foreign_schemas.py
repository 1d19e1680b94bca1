"""Whether values of a writer's schema can be decoded without harm: fastavro trusts it whoever wrote it."""

from collections.abc import Mapping
from typing import Any

Names = frozenset[str]


def trouble(schema: Any) -> str | None:
    """Why no value of the schema is decoded, or None.

    A record within itself nests as deep as a value says, which ends the process for good; an array of items
    without bytes is as long as a value says.
    """
    if not isinstance(schema, Mapping) or schema.get("type") != "record":
        return "is no record"
    if _holds_itself(schema, frozenset()):
        return "holds itself"
    return "has parts without bytes" if _has_empty_parts(schema) else None


def _holds_itself(schema: Any, outer: Names) -> bool:
    if isinstance(schema, str):
        return schema.rpartition(".")[2] in outer
    if isinstance(schema, list):
        return any(_holds_itself(branch, outer) for branch in schema)
    if not isinstance(schema, Mapping):
        return False
    # Without its namespace: two records of one short name count as one, the careful way round.
    named = outer | {str(schema["name"]).rpartition(".")[2]} if "fields" in schema else outer
    return any(_holds_itself(part, named) for part in _parts(schema))


def _has_empty_parts(schema: Any) -> bool:
    if isinstance(schema, list):
        return any(_has_empty_parts(branch) for branch in schema)
    if not isinstance(schema, Mapping):
        return False
    kind = schema.get("type")
    if kind == "record" and all(_is_empty(field["type"]) for field in schema["fields"]):
        return True
    if kind == "array" and _is_empty(schema["items"]):
        return True
    return any(_has_empty_parts(part) for part in _parts(schema))


def _is_empty(schema: Any) -> bool:
    if isinstance(schema, Mapping):
        return schema.get("size") == 0 or _is_empty(schema.get("type"))
    return bool(schema == "null")


def _parts(schema: Mapping[str, Any]) -> list[Any]:
    fields = [field["type"] for field in schema.get("fields", ())]
    kind = schema.get("type")
    inner = [] if isinstance(kind, str) else [kind]
    return [*fields, *inner, *(schema[name] for name in ("items", "values") if name in schema)]
