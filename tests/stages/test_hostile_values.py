"""Values that other software stumbles over stay what they are, byte for byte, in every topic, store and output."""

import io
import json
from collections.abc import Iterator
from typing import Any

import fastavro
import pymongo
import pytest
from rich.console import Console

from fraud_platform.commands.query import query
from fraud_platform.commands.topic import topic as show_topic
from fraud_platform.core.privacy import Tokenizer
from fraud_platform.runtime.drain import drain
from fraud_platform.settings import Settings
from fraud_platform.topology import DOCUMENTS, INGESTION, LAKE, PROJECTION, VALIDATION, Topic
from tests.adapters.hostile import HostileServer, Seen, decision, hostile, reply
from tests.failure.plain import lake_objects
from tests.failure.slots import where_of
from tests.stages.conftest import made
from tests.stages.flow import rows, send, values

pytestmark = pytest.mark.services

TEXTS = {
    "lines": "one\ntwo\r\nthree\rfour",
    "quotes": "\"double\" 'single' `back` \\ \\\\n",
    "nul": "before\x00after",
    "control": "\x1b[31m\x07\x7f\x85",
    "operator": '{"$gt":""}',
    "dollar": "$where",
    "dots": "a.b.$[].c",
    "path": "../../x",
    "formula": "=cmd()|'/C calc'!A0",
    "markup": "[bold]<script>alert(1)</script>",
    "emoji": "🦊 é \u202e\ufeff\u2028",
    "blank": "  ",
    "proto": "__proto__",
    "long": "ß🦊" * 1_700 + "$.\n",
}
NAMES = list(TEXTS)
FREE = ("name", "address", "email", "phone_number", "job", "company", "blood_group", "username")
TOKEN = Tokenizer(["a key for tests"]).token


def someone(text: str, side: str) -> dict[str, Any]:
    """A customer all of whose values are `text`; the id says which side, to tell the two apart."""
    named = dict.fromkeys(FREE, text) | {"website": [text, text], "bank_account": text, "ssn": text}
    return {"id": text + side, "birthdate": "1990-05-17", **named}


def transfer(name: str, verdict: str) -> dict[str, Any]:
    text = TEXTS[name]
    return {
        "transaction_id": text + verdict,
        "sender_bank_account": text,
        "sender_details": someone(text, f"-s-{verdict}"),
        "receiver_bank_account": text,
        "receiver_details": someone(text, f"-r-{verdict}"),
        "amount": 1,
        "status": text,
        "evaluation": verdict,
        "transfer_date": "2026-01-01",
        "sender_bank": text,
    }


TRANSFERS = [transfer(name, verdict) for name in NAMES for verdict in ("fraudulent", "unidentified")]


def suspicious(seen: Seen, _connection: object) -> bytes:
    """A validator that wants to look at every transfer."""
    hit = {"rule_id": "all", "criterion": "ALL", "action": "REVIEW"}
    changes = {"is_fraudulent_transaction": True, "action": "REVIEW", "hits": [hit]}
    items = seen.json if seen.method == "POST" else []
    return reply(200, {"results": [decision(item["transaction_id"], **changes) for item in items]})


@pytest.fixture(scope="module")
def flow(
    service_endpoints: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Settings, HostileServer]]:
    """All transfers brought through all stages; the validator's side of it."""
    with hostile(suspicious) as validator:
        settings = made(service_endpoints, tmp_path_factory.mktemp("hostile"), FRAUD_VALIDATOR_URL=validator.url)
        encodings = [json.dumps(each, ensure_ascii=n % 4 < 2).encode() for n, each in enumerate(TRANSFERS)]
        send(settings, Topic.BANK_TRANSACTIONS, [("k", each) for each in encodings])
        for stage in (INGESTION, PROJECTION, VALIDATION, LAKE, DOCUMENTS):
            drain(settings, stage)
        assert rows(settings, Topic.DEAD_LETTERS) == []
        yield settings, validator


@pytest.fixture(scope="module")
def settings(flow: tuple[Settings, HostileServer]) -> Settings:
    return flow[0]


def result_of(sent: dict[str, Any]) -> dict[str, Any]:
    source = {"fraudulent": "projection", "unidentified": "validation"}[sent["evaluation"]]
    return {
        "TRANSACTION_ID": sent["transaction_id"],
        "SENDER_BANK_ACCOUNT": sent["sender_bank_account"],
        "SENDER_ID": sent["sender_details"]["id"],
        "RECEIVER_BANK_ACCOUNT": sent["receiver_bank_account"],
        "RECEIVER_ID": sent["receiver_details"]["id"],
        "STATUS": sent["status"],
        "SENDER_BANK": sent["sender_bank"],
        "TRANSFER_DATE": sent["transfer_date"],
        "EVALUATION": "fraudulent",
        "SOURCE_PROCESS": source,
    }


def users_of(sent: dict[str, Any]) -> list[dict[str, Any]]:
    parties = [sent["sender_details"], sent["receiver_details"]]
    return [{name.upper(): value for name, value in each.items()} | {"SSN": TOKEN(each["ssn"])} for each in parties]


RESULTS = {sent["transaction_id"]: result_of(sent) for sent in TRANSFERS}
USERS = {each["ID"]: each for sent in TRANSFERS for each in users_of(sent)}


def chosen(row: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in wanted}


def are_untouched(found: list[dict[str, Any]], wanted: dict[str, dict[str, Any]], key: str) -> bool:
    by_id = {row[key]: row for row in found}
    assert len(found) == len(by_id) == len(wanted)
    assert {name: chosen(by_id[name], each) for name, each in wanted.items()} == wanted
    return True


def test_the_result_topics_hold_them(settings: Settings) -> None:
    assert are_untouched(values(settings, Topic.RESULT), RESULTS, "TRANSACTION_ID")
    assert are_untouched(values(settings, Topic.USERS), USERS, "ID")


def test_record_keys_are_the_very_bytes(settings: Settings) -> None:
    assert {row.key for row in rows(settings, Topic.FRAUDULENT)} == {text.encode() for text in TEXTS.values()}
    assert {row.key for row in rows(settings, Topic.RESULT)} == {name.encode() for name in RESULTS}
    assert {row.key for row in rows(settings, Topic.USERS)} == {name.encode() for name in USERS}


def test_mongodb_holds_them_and_its_ids_are_text(settings: Settings) -> None:
    with pymongo.MongoClient[dict[str, Any]](settings.mongodb_address) as client:
        database = client[settings.mongodb_database]
        (transactions, users, decisions) = (
            list(database[name].find()) for name in ("transactions", "users", "decisions")
        )
    assert are_untouched(transactions, RESULTS, "_id")
    assert are_untouched(users, USERS, "_id")
    unidentified = [sent["transaction_id"] for sent in TRANSFERS if sent["evaluation"] == "unidentified"]
    assert {each["_id"] for each in decisions} == {f"validation:{name}" for name in unidentified}


def test_s3_holds_them_and_no_key_of_an_object_does(settings: Settings) -> None:
    for topic, wanted, key in ((Topic.RESULT, RESULTS, "TRANSACTION_ID"), (Topic.USERS, USERS, "ID")):
        objects = lake_objects(where_of(settings), topic)
        found: list[Any] = [row for body in objects.values() for row in fastavro.reader(io.BytesIO(body))]
        assert are_untouched(found, wanted, key)
        assert not [name for name in objects for text in TEXTS.values() if text.strip() and text in name]


def test_the_validator_is_asked_about_them(flow: tuple[Settings, HostileServer]) -> None:
    questions = [item for seen in flow[1].requests if seen.method == "POST" for item in seen.json]
    sent = {each["transaction_id"]: each for each in TRANSFERS if each["evaluation"] == "unidentified"}
    assert {item["transaction_id"] for item in questions} == sent.keys()
    for item in questions:
        source = sent[item["transaction_id"]]
        assert (item["sender_bank_account"], item["sender_bank"]) == (
            source["sender_bank_account"],
            source["sender_bank"],
        )
        receiver = source["receiver_details"]
        assert json.loads(item["receiver_details"]) == receiver | {"ssn": TOKEN(receiver["ssn"])}


def test_each_is_one_line_of_the_topic_command(settings: Settings) -> None:
    out = io.StringIO()
    options: Any = {"from_beginning": True, "limit": None, "follow": False, "envelope": True}
    show_topic(settings, "fraudulent-transactions-result", **options, out=out)
    lines = [json.loads(line) for line in out.getvalue().removesuffix("\n").split("\n")]
    assert are_untouched([line["value"] for line in lines], RESULTS, "TRANSACTION_ID")
    assert {line["key"] for line in lines} == RESULTS.keys()


def test_the_query_command_prints_them_as_json(settings: Settings) -> None:
    console = Console(file=io.StringIO())
    query(settings, "mongo", "db.transactions.find({})", as_json=True, as_csv=False, limit=None, console=console)
    assert isinstance(console.file, io.StringIO)
    assert are_untouched(json.loads(console.file.getvalue()), RESULTS, "_id")
