import json
import re
from typing import Any

import msgspec
import pytest
import requests

from fraud_platform.core.questions import Facts, Question, parse_question
from fraud_platform.settings import CHECKOUT
from fraud_platform.validator_api.app import STATIC, create_app
from fraud_platform.validator_api.judging import decide, judge_one
from fraud_platform.validator_api.wire import (
    ActiveRules,
    Expiring,
    Failure,
    Health,
    ItemFailure,
    ListContent,
    Reply,
    RuleContent,
    RuleSetContent,
)
from tests.validator_api.rule_sets import DEFAULT

TYPES = (
    Question, Reply, ItemFailure, Failure, Health, ActiveRules, RuleSetContent, RuleContent, ListContent, Expiring,
)  # fmt: skip


def document(api_key: str | None = None) -> dict[str, Any]:
    described: dict[str, Any] = json.loads(json.dumps(create_app(lambda: DEFAULT, api_key=api_key).openapi()))
    return described


def references(value: object) -> set[str]:
    return set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(value)))


def test_the_page_and_its_parts_are_served(service: str, client: requests.Session) -> None:
    page = client.get(f"{service}/docs")
    assert page.headers["content-type"].startswith("text/html")
    for asset in re.findall(r'(?:href|src)="(docs/[^"]+)"', page.text):
        assert client.get(f"{service}/{asset}").status_code == 200


@pytest.mark.parametrize("name", ["docs.html", "docs.css", "docs.js"])
def test_the_page_needs_no_internet(name: str) -> None:
    assert not re.search(r"https?://|//cdn|@import", (STATIC / name).read_text())


def test_the_page_may_load_nothing_from_elsewhere(service: str, client: requests.Session) -> None:
    policy = client.get(f"{service}/docs").headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")


def test_the_page_shows_what_the_service_describes(service: str, client: requests.Session) -> None:
    described = client.get(f"{service}/openapi.json").json()
    assert set(described["paths"]) == {
        "/validate", "/validate/batch", "/rules", "/healthz", "/readyz", "/metrics",
    }  # fmt: skip


@pytest.mark.parametrize("kind", TYPES)
def test_each_type_is_described_with_its_very_fields(kind: type[msgspec.Struct]) -> None:
    described = document()["components"]["schemas"][kind.__name__]
    assert tuple(described["properties"]) == kind.__struct_fields__
    optional = len(kind.__struct_defaults__)
    assert tuple(described["required"]) == kind.__struct_fields__[: len(kind.__struct_fields__) - optional]


def test_every_reference_leads_somewhere() -> None:
    described = document()
    known = {f"#/components/schemas/{name}" for name in described["components"]["schemas"]}
    assert references(described) <= known


def test_every_reply_is_of_one_described_type() -> None:
    operations = [operation for path in document()["paths"].values() for operation in path.values()]
    for reply in (reply for operation in operations for reply in operation["responses"].values()):
        (content,) = reply["content"].values()
        assert content["schema"]


def test_the_examples_are_good_requests_with_every_field_that_there_is() -> None:
    body = document()["paths"]["/validate"]["post"]["requestBody"]["content"]["application/json"]["example"]
    facts = parse_question(json.dumps(body).encode())
    assert isinstance(facts, Facts)
    assert decide(facts, DEFAULT).is_fraudulent
    assert set(body) == set(Question.__struct_fields__)


def test_the_request_of_the_documentation_gets_the_reply_that_stands_there() -> None:
    text = (CHECKOUT / "docs" / "validator.md").read_text()
    body = re.search(r"/validate -d '(.+?)'\n", text, re.DOTALL)
    reply = re.search(r"```json\n(.+?)```", text, re.DOTALL)
    assert body
    assert reply
    said = json.loads(msgspec.json.encode(judge_one(body[1].encode(), DEFAULT)))
    assert said | {"rule_set_version": "..."} == json.loads(reply[1])


def test_the_key_is_described_only_where_one_is_needed() -> None:
    assert "401" not in document()["paths"]["/validate"]["post"]["responses"]
    guarded = document("key")
    assert guarded["paths"]["/validate"]["post"]["security"] == [{"bearer": []}]
    assert guarded["paths"]["/rules"]["get"]["security"] == [{"bearer": []}]
    assert "security" not in guarded["paths"]["/healthz"]["get"]
