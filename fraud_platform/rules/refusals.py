"""JSON Schema's findings in words for the person who wrote the rule set; lists hold accounts, so no value is quoted."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from jsonschema import Draft202012Validator, ValidationError, validators

from fraud_platform.rules.document import Document, Fault, Path

_TYPES = {
    "object": "a mapping", "array": "a list", "string": "a text", "number": "a number", "integer": "a whole number",
    "boolean": "true or false", "null": "empty",
}  # fmt: skip

_SENTENCES = {
    "minItems": "this must not be empty", "minLength": "this must not be empty", "maxItems": "this is longer than {}",
    "maxLength": "this is longer than {}", "minimum": "this must be at least {}",
    "uniqueItems": "something is there more than once",
}  # fmt: skip


def validator_of(schema: Mapping[str, Any]) -> Draft202012Validator:
    """A validator to which an exact Decimal is a number."""
    checker = Draft202012Validator.TYPE_CHECKER.redefine("number", _is_number)
    return validators.extend(Draft202012Validator, type_checker=checker)(schema)


def faults_of(validator: Draft202012Validator, document: Document) -> Iterator[Fault]:
    """Every fault, each at the line of the innermost thing that it is about."""
    for error in validator.iter_errors(document.data):
        for leaf in _leaves(error):
            yield from _faults(leaf, document)


def _leaves(error: ValidationError) -> Iterator[ValidationError]:
    """Of alternatives (`anyOf`) only what the nearest one says."""
    if not error.context:
        yield error
        return
    deepest = max(len(cause.absolute_path) for cause in error.context)
    nearest = [c for c in error.context if len(c.absolute_path) == deepest and c.validator != "type"]
    if nearest:
        yield from _leaves(nearest[0])
    else:
        yield error


def _faults(error: ValidationError, document: Document) -> Iterator[Fault]:
    path: Path = tuple(error.absolute_path)
    where = _where(path, document)
    if error.validator == "additionalProperties" and isinstance(error.instance, Mapping):
        known = list(error.schema.get("properties", {}))
        for name in error.instance:
            if name not in known:
                yield Fault(document.line((*path, name)), where, f"`{name}` is unknown; {_offer(name, known)}")
        return
    if error.validator == "required" and isinstance(error.instance, Mapping):
        absent = next(name for name in error.validator_value if error.message.startswith(f"{name!r} "))
        yield Fault(document.line(path), where, f"`{absent}` is missing")
        return
    yield Fault(document.line(path), where, _reason(error))


def _reason(error: ValidationError) -> str:
    wanted: Any = error.validator_value
    if error.validator == "type":
        kinds = [wanted] if isinstance(wanted, str) else wanted
        remedy = "; put it in quotes" if "string" in kinds and _is_plain(error) else ""
        return f"this must be {' or '.join(_TYPES.get(kind, kind) for kind in kinds)}{remedy}"
    if error.validator == "enum":
        return f"this is unknown; {_offer(str(error.instance), [str(each) for each in wanted if each is not None])}"
    if error.validator == "pattern":
        return _shape(error.schema, str(wanted))
    return _SENTENCES.get(str(error.validator), "this does not fit").format(wanted)


def _is_plain(error: ValidationError) -> bool:
    """Whether a number or boolean stands where any text would do."""
    shaped = isinstance(error.schema, Mapping) and "pattern" in error.schema
    return isinstance(error.instance, int | Decimal) and not shaped


def _shape(schema: Any, pattern: str) -> str:
    about = schema.get("description", "") if isinstance(schema, Mapping) else ""
    if "ms|m|s" in pattern:
        return "a duration is a number and its unit, such as 10s, 15m, 24h, 30d or 1h30m"
    if "A-Za-z0-9" in pattern:
        return "this must be 1 to 100 letters, digits, dots, hyphens or underscores"
    return f"this must be a plain number with at most 9 digits after the point. {about}".strip()


def _offer(given: str, known: list[str]) -> str:
    near = get_close_matches(given, known, n=1)
    return f"did you mean `{near[0]}`?" if near else f"known: {', '.join(sorted(known)) or 'nothing'}"


def _where(path: Path, document: Document) -> str:
    """The rule by its id where it has one, then the way into it."""
    words = [str(step) for step in path]
    if len(path) > 1 and path[0] == "rules" and isinstance(path[1], int):
        rule = document.data["rules"][path[1]]
        named = rule.get("id") if isinstance(rule, Mapping) else None
        name = f"rule {named}" if isinstance(named, str) else f"rule number {path[1] + 1}"
        return ", ".join([name, ".".join(words[2:])]) if words[2:] else name
    return ".".join(words)


def _is_number(_: object, instance: object) -> bool:
    return isinstance(instance, int | Decimal) and not isinstance(instance, bool)
