"""`fraud-platform explain`: for every id that the platform has seen, over real topics and MongoDB."""

import io
import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pymongo
import pytest
from pydantic import SecretStr
from rich.console import Console

from fraud_platform.adapters import mongo_client
from fraud_platform.adapters.admin import ensure_topics
from fraud_platform.commands.explain import explain
from fraud_platform.errors import ConfigurationError
from fraud_platform.runtime.drain import drain
from fraud_platform.settings import Settings
from fraud_platform.topology import DOCUMENTS, INGESTION, PROJECTION, VALIDATION, Topic
from tests.adapters.hostile import Seen, decision, hostile, reply
from tests.builders import raw
from tests.conftest import fresh_settings
from tests.stages.flow import send

pytestmark = pytest.mark.services
HIT = {
    "rule_id": "large", "criterion": "HIGH_TRANSACTION_AMOUNT", "observed": "20000", "limit": "10000", "window": None,
    "contributing_count": 1, "late": False, "action": "REVIEW",
}  # fmt: skip
Tell = Callable[..., dict[str, Any]]


def judging(seen: Seen, _: socket.socket) -> bytes:
    """Reviews what is large and says why one rule could not be applied."""
    if seen.method == "GET":
        return reply(200, {"status": "ready"})
    open_question = [{"rule_id": "interval", "reason": "the account's history is not kept here"}]
    verdicts = {True: {"action": "REVIEW", "hits": [HIT], "is_fraudulent_transaction": True}, False: {}}
    return reply(200, {"results": [
        decision(item["transaction_id"], not_evaluable=open_question, **verdicts[float(item["amount"]) >= 10_000])
        for item in seen.json
    ]})  # fmt: skip


@pytest.fixture(scope="module")
def settings(service_endpoints: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A flow that has seen one transfer of each kind, and one that nobody has read yet."""
    with hostile(judging) as validator:
        settings = fresh_settings(service_endpoints, tmp_path_factory.mktemp("data"), FRAUD_VALIDATOR_URL=validator.url)
        ensure_topics(settings, timeout_s=60)
        given = [
            raw("bank-says"), raw("large", evaluation="unidentified", amount=20_000),
            raw("small", evaluation="unidentified"), raw("fine", evaluation="legitimate"), raw("negative", amount=-1),
        ]  # fmt: skip
        send(settings, Topic.BANK_TRANSACTIONS, [("ACC-1", each) for each in given])
        for stage in (INGESTION, PROJECTION, VALIDATION, DOCUMENTS):
            drain(settings, stage)
        send(settings, Topic.BANK_TRANSACTIONS, [("ACC-1", raw("new"))])
        yield settings
    with pymongo.MongoClient[dict[str, Any]](settings.mongodb_address) as client:
        client.drop_database(settings.mongodb_database)


@pytest.fixture
def tell(settings: Settings) -> Tell:
    def ask(transaction_id: str, *, whole: bool = False, **changes: Any) -> dict[str, Any]:
        console = Console(file=io.StringIO(), width=200)
        chosen = settings.model_copy(update=changes)
        assert explain(chosen, transaction_id, console, whole=whole, as_json=True) == 0
        found: dict[str, Any] = json.loads(console.file.getvalue())  # type: ignore[attr-defined]
        assert "ACC-" not in json.dumps(found)
        return found

    return ask


def outcomes(found: dict[str, Any]) -> dict[str, str]:
    return {step["stage"]: step["outcome"] for step in found["way"]}


def test_a_decision_is_told_with_its_reasons_and_its_rule_set(tell: Tell) -> None:
    found = tell("large")
    assert found["verdict"] == ["REVIEW by the rules in validation: large.", "It waits for lake."]
    (made,) = found["decisions"]
    assert (made["rule_set_version"], made["hits"]) == ("v1", [HIT])
    assert made["not_evaluable"] == [{"rule_id": "interval", "reason": "the account's history is not kept here"}]
    assert outcomes(found) == {
        "ingestion": "accepted.unidentified", "validation": "accepted.fraudulent", "documents": "stored",
        "lake": "waiting",
    }  # fmt: skip
    assert found["in_mongodb"] == ["decisions", "fraudulent-transactions-result"]
    assert found["way"][0]["read"]["topic"] == "bank-transactions"


def test_what_the_rules_allow_is_told_too(tell: Tell) -> None:
    found = tell("small")
    assert found["verdict"][0] == "ALLOW by the rules in validation: no rule hit."
    assert outcomes(found)["validation"] == "discarded.legitimate"


def test_what_the_bank_calls_fraudulent_nobody_judged(tell: Tell) -> None:
    found = tell("bank-says")
    assert found["verdict"][0] == "The bank itself calls it fraudulent; no rule was asked."
    assert outcomes(found)["projection"] == "accepted.projected"
    assert found["decisions"] == []


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("fine", "Discarded: the bank calls it legitimate, so nobody had to judge it."),
        ("negative", "It is a dead letter of ingestion: invalid-amount: `$.amount` is negative."),
        ("new", "It waits for ingestion."),
    ],
)
def test_what_mongodb_never_holds_is_found_in_the_topics(tell: Tell, name: str, verdict: str) -> None:
    assert tell(name)["verdict"] == [verdict]


def test_without_mongodb_the_story_is_the_same(tell: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mongo_client, "SELECTION_TIMEOUT_MS", 200)
    away = tell("large", mongodb_uri=SecretStr("mongodb://127.0.0.1:9"))
    assert away["in_mongodb"] is None
    assert away["verdict"] == tell("large")["verdict"]


def test_in_words_a_person_reads_the_way_and_the_reasons(settings: Settings) -> None:
    console = Console(file=io.StringIO(), width=200)
    explain(settings, "large", console, whole=False, as_json=False)
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert "REVIEW by validation, rule set v1, " in said
    assert "large  HIGH_TRANSACTION_AMOUNT  20000     10000  -       1      REVIEW" in said
    assert "not evaluable: interval: the account's history is not kept here" in said
    assert "ACC-" not in said


@pytest.mark.parametrize("name", ["nobody", "larg", "x" * 1025, " "])
def test_an_id_that_nobody_has_seen_is_one_sentence(settings: Settings, name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"No topic holds a transaction of that id|A transaction id has 1 to"):
        explain(settings, name, Console(file=io.StringIO()), whole=False, as_json=False)
