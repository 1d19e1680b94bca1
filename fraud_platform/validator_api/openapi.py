"""The service's OpenAPI: schemas from the very types that judge, so that the page cannot disagree."""

from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import PlainTextResponse

from fraud_platform.core.questions import MAX_BATCH, Question, Receiver
from fraud_platform.validator_api.wire import ActiveRules, BatchReply, Failure, Health, ItemFailure, Reply

ABOUT = (
    "Says whether a transfer looks fraudulent, and why. An answer depends on the request and the version of "
    "the rules alone: asking again changes nothing."
)
_JUDGING, _OPERATIONS = "Judging", "Operations"
_REF = "#/components/schemas/{name}"
_EXAMPLE = {
    "transaction_id": "tx-1",
    "sender_bank_account": "GB33BUKB20201555555555",
    "receiver_details": '{"name": "A. Person", "bank_account": "GB68MULE00000000107919"}',
    "sender_bank": "First Example Bank",
    "amount": 12500.5,
    "receiver_bank_account": "GB68MULE00000000107919",
    "transfer_date": "2026-01-31T12:00:00Z",
}
_FAULTS = {
    401: "The bearer key is missing or wrong.",
    408: "The body took more than 10 s.",
    413: "The body is too large: 64 KB for one request; 8 MB or 1,000 items for a batch.",
    422: "The body cannot be judged; the reason never quotes a value.",
}


def _json(schema: dict[str, Any], example: object = None) -> dict[str, Any]:
    return {"application/json": {"schema": schema} | ({"example": example} if example is not None else {})}


def _ref(kind: type) -> dict[str, Any]:
    return {"$ref": _REF.format(name=kind.__name__)}


def _replies(kind: type, about: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"description": about, "content": _json(_ref(kind))}}


def _faults(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"description": _FAULTS[status], "content": _json(_ref(Failure))} for status in statuses}


VALIDATE: dict[str, Any] = {
    "summary": "Judge one transfer",
    "description": (
        "Every rule is applied. One that needs a field which the request lacks, or the account's history, which is not "
        "kept here, is listed in `not_evaluable` with the reason."
    ),
    "tags": [_JUDGING],
    "responses": _replies(Reply, "The decision and its reasons.") | _faults(401, 408, 413, 422),
    "openapi_extra": {"requestBody": {"required": True, "content": _json(_ref(Question), _EXAMPLE)}},
}
VALIDATE_BATCH: dict[str, Any] = {
    "summary": "Judge up to 1,000 transfers",
    "description": "One result per item, in order. A bad item gets an `error`; its neighbours are judged.",
    "tags": [_JUDGING],
    "responses": _replies(BatchReply, "One result or error per item.") | _faults(401, 408, 413, 422),
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "content": _json({"type": "array", "maxItems": MAX_BATCH, "items": _ref(Question)}, [_EXAMPLE]),
        }
    },
}
RULES: dict[str, Any] = {
    "summary": "The rule set in force",
    "description": "Saved as a file, `rule_set` is a rule set of this very `version`.",
    "tags": [_JUDGING],
    "responses": _replies(ActiveRules, "The rule set and its version.") | _faults(401),
}
HEALTHZ: dict[str, Any] = {
    "summary": "Is the process alive?",
    "tags": [_OPERATIONS],
    "responses": _replies(Health, "It is."),
}
READYZ: dict[str, Any] = {
    "summary": "Can it judge?",
    "tags": [_OPERATIONS],
    "responses": _replies(Health, "It can, by this rule set."),
}
METRICS: dict[str, Any] = {
    "summary": "Counters for Prometheus",
    "tags": [_OPERATIONS],
    "response_class": PlainTextResponse,
    "responses": {
        200: {
            "description": "Requests by route and status, their time, decisions by action.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        },
        **_faults(401),
    },
}


def describe(app: FastAPI, *, keyed: bool) -> None:
    """Make `/openapi.json` tell the truth: our components, and the bearer key where one is set."""

    def build() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            document["components"] = {"schemas": _components()}
            for path in document["paths"].values():
                for operation in path.values():
                    _tidy(operation, keyed=keyed)
            if keyed:
                document["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = build  # type: ignore[method-assign]  # the documented way to extend it


def _components() -> dict[str, Any]:
    kinds = (Question, Receiver, Reply, ItemFailure, ActiveRules, Failure, Health)
    _, components = msgspec.json.schema_components(kinds, ref_template=_REF)
    # msgspec describes unions of structs only when they carry a tag; these two differ by their fields.
    components["BatchReply"] = {
        "title": "BatchReply",
        "description": "One result per item, in the order of the request.",
        "type": "object",
        "properties": {"results": {"type": "array", "items": {"anyOf": [_ref(Reply), _ref(ItemFailure)]}}},
        "required": ["results"],
    }
    amount = components["Question"]["properties"]["amount"]
    amount.clear()
    amount.update(
        anyOf=[{"type": "number", "minimum": 0}, {"type": "string", "format": "decimal"}],
        description="Major units; not negative, at most 9 fraction digits. Kept exactly.",
    )
    details = components["Question"]["properties"]["receiver_details"]
    details.update(contentMediaType="application/json", contentSchema=_ref(Receiver))
    components["Question"]["properties"]["transaction_id"]["minLength"] = 1
    components["Question"]["properties"]["transfer_date"]["description"] = "ISO 8601; without a zone it is UTC."
    return components


def _tidy(operation: dict[str, Any], *, keyed: bool) -> None:
    """Say which operations need the key, and drop the 401 where none is set."""
    if "401" not in operation["responses"]:
        return
    if keyed:
        operation["security"] = [{"bearer": []}]
    else:
        del operation["responses"]["401"]
