"""The JSON Schema of rule sets, made from the criteria: `rule-set.schema.json` is the one of our own.

`python -m fraud_platform.rules.schema` prints the schema of the installed criteria, a user's own included.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from fraud_platform.core.decisions import Action
from fraud_platform.rules import duration
from fraud_platform.rules.registry import Criteria, installed
from fraud_platform.rules.watch_list import WatchList

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ID_PATTERN = "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
MOST_RULES = 10_000
_LIST_REF, _ENTRY_REF = "#/$defs/rule-set.list", "#/$defs/rule-set.entry"  # no class can have such a name
_DURATION = {"type": "string", "pattern": duration.PATTERN, "description": "A duration: 10s, 15m, 24h, 30d, 1h30m."}
_NUMBER = {"type": ["number", "string"], "pattern": r"^-?[0-9]{1,29}(\.[0-9]{1,9})?$"}


def rule_set_schema(criteria: Criteria) -> dict[str, Any]:
    """The schema of rule sets that use these criteria."""
    found = sorted(criteria.items())
    refs, components = msgspec.json.schema_components(
        [criterion for _, criterion in found], schema_hook=_custom, ref_template="#/$defs/{name}"
    )
    return {
        "$schema": DIALECT,
        "title": "Rule set of the fraud platform",
        "type": "object",
        "additionalProperties": False,
        "required": ["rules"],
        "properties": {
            "lateness": _DURATION | {"description": "How late a transaction may be; default 24h."},
            "lists": {
                "type": "object",
                "propertyNames": {"pattern": ID_PATTERN},
                "additionalProperties": {"$ref": _LIST_REF},
            },
            "rules": {"type": "array", "maxItems": MOST_RULES, "items": {"$ref": "#/$defs/rule-set.rule"}},
        },
        "$defs": {
            **{name: _patched(component) for name, component in components.items()},
            "rule-set.list": _LIST,
            "rule-set.entry": _ENTRY,
            "rule-set.rule": _rule([name for name, _ in found], refs),
        },
    }


def _rule(criteria: Sequence[str], refs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["id", "criterion", "parameters", "action"],
        "properties": {
            "id": {"type": "string", "pattern": ID_PATTERN, "description": "Unique; decisions name it."},
            "criterion": {"type": "string", "enum": list(criteria)},
            "parameters": {"type": "object"},
            "action": {"type": "string", "enum": [action.value for action in Action]},
            "enabled": {"type": "boolean", "default": True},
            "description": {"type": "string", "maxLength": 1000, "default": ""},
        },
        "allOf": [
            {
                "if": {"properties": {"criterion": {"const": name}}, "required": ["criterion"]},
                "then": {"properties": {"parameters": ref}},
            }
            for name, ref in zip(criteria, refs, strict=True)
        ],
    }


_ENTRY = {
    "type": ["string", "object"],
    "minLength": 1,
    "additionalProperties": False,
    "required": ["value"],
    "properties": {
        "value": {"type": "string", "minLength": 1},
        "expires": {"type": "string", "description": "ISO 8601; from this moment on it is not listed. UTC by default."},
    },
}
_LIST = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "accounts": {"type": "array", "items": {"$ref": _ENTRY_REF}},
        "names": {"type": "array", "items": {"$ref": _ENTRY_REF}},
    },
}


def _custom(kind: type) -> dict[str, Any]:
    if kind is duration.Duration:
        return dict(_DURATION)
    if kind is WatchList:
        return {"type": "string", "pattern": ID_PATTERN}
    raise NotImplementedError(kind)


def _patched(schema: Any) -> Any:
    """Exact numbers may be written as numbers; unknown parameters are refused; tuples become arrays."""
    if isinstance(schema, list | tuple):
        return [_patched(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    if schema.get("format") == "decimal":
        rest = {name: item for name, item in schema.items() if name not in {"type", "format"}}
        return _NUMBER | rest
    made = {name: _patched(item) for name, item in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        made["additionalProperties"] = False
    return made


if __name__ == "__main__":
    print(msgspec.json.format(msgspec.json.encode(rule_set_schema(installed()))).decode())
