"""Marked people through good and bad times, with every logger at its loudest; then a search everywhere."""

import io
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fastavro
import pymongo
import pytest
import requests

from fraud_platform.settings import Settings
from fraud_platform.topology import RESULT_TOPICS, TOPICS, Topic
from fraud_platform.validator_api import __main__ as validator_api
from tests.adapters.hostile import Seen, decision, hostile, reply
from tests.failure.plain import lake_objects
from tests.failure.slots import environment_of, where_of
from tests.privacy.canaries import marks_in, ssns_in, statement, transfer
from tests.privacy.noisy import HOLDING
from tests.stages.conftest import made
from tests.stages.flow import rows, send
from tests.validator_api import service as validator_service

pytestmark = [pytest.mark.services, pytest.mark.timeout(400)]

PATIENCE_S = 150
GOOD = 60
WITH_SSN = {Topic.BANK_TRANSACTIONS, Topic.DEAD_LETTERS}
DAGSTER_YAML = """
telemetry: {enabled: false}
python_logs:
  python_log_level: DEBUG
  managed_python_loggers: [root, pymongo, botocore, urllib3, fraud_platform]
"""


@dataclass(frozen=True)
class Scene:
    """What is left when all is over."""

    settings: Settings
    folder: Path

    @property
    def said(self) -> dict[str, bytes]:
        """Everything that a process wrote, by file: logs, Dagster's storage, metrics."""
        found = {str(path.relative_to(self.folder)): path for path in self.folder.rglob("*") if path.is_file()}
        return {name: path.read_bytes() for name, path in found.items()}


class Echo:
    """A validator that repeats what it is sent whenever it can: at 5xx, at 422 and in reasons of our own kinds."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, seen: Seen, _connection: object) -> bytes:
        if seen.method == "GET":
            return reply(200)
        self.asked += 1
        fault = {"error": {"type": "schema", "reason": seen.body.decode()}}
        if self.asked == 1:
            return reply(503, seen.body)
        if seen.path.endswith("/batch"):
            return reply(422, fault)
        if seen.json["amount"] % 2:
            return reply(422, fault)
        hit = {"rule_id": "all", "criterion": "ALL", "action": "REVIEW"}
        changes = {"is_fraudulent_transaction": True, "action": "REVIEW", "hits": [hit]}
        return reply(200, decision(seen.json["transaction_id"], **changes))


def transfers() -> list[bytes]:
    good = [transfer(n, ("fraudulent", "unidentified", "QzxCanary1")[n % 3]) for n in range(GOOD)]
    bad = [
        transfer(1_000, "fraudulent", amount=-1),
        transfer(1_001, "fraudulent", transfer_date="QzxCanary"),
        transfer(1_002, "fraudulent", amount="QzxCanary"),
        transfer(1_003, "fraudulent", sender_details="QzxCanary 987-65-0001"),
        transfer(1_004, "fraudulent").replace(b"{", b'{"amount": 1, ', 1),
        transfer(1_005, "fraudulent")[:-1],
        transfer(1_006, "fraudulent")[:-1] + b',"note":"\xff"}',
        transfer(1_007, "fraudulent")[:-1] + b',"note":' + b"[" * 10_000,
    ]
    return [*good, *bad]


def statements() -> list[bytes]:
    good = [statement(n) for n in range(20)]
    bad = [
        statement(1_000, withdrawalAmount="QzxCanary"),
        statement(1_001, transactionTimestamp="QzxCanary"),
        statement(1_002, transactionTimestamp="2999-01-01"),
        statement(1_003)[:-1],
    ]
    return [*good, *bad]


def run(environment: dict[str, str], log: Path, *arguments: str) -> int:
    """A noisy process until its end; what it says goes to `log`."""
    command = [sys.executable, "-m", "tests.privacy.noisy", *arguments]
    with log.open("wb") as out:
        return subprocess.run(
            command, env=environment, stdout=out, stderr=out, timeout=PATIENCE_S, check=False
        ).returncode


def kill_in_the_middle(environment: dict[str, str], log: Path) -> None:
    """SIGKILL for a process with a batch in hand."""
    command = [sys.executable, "-m", "tests.privacy.noisy", "hang", "ingestion"]
    with (
        log.open("wb") as err,
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=err) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline().decode().strip() == HOLDING
        process.kill()
    assert process.returncode == -signal.SIGKILL


def ask_our_validator(folder: Path) -> None:
    """Good and bad questions about marked people; its log and its metrics are kept."""
    command = [sys.executable, "-m", validator_api.__name__.removesuffix(".__main__"), "--port", "0"]
    with (
        (folder / "validator.log").open("wb") as err,
        subprocess.Popen(command, env=validator_service.environment(), stdout=subprocess.PIPE, stderr=err) as process,
    ):
        assert process.stdout is not None
        address = process.stdout.readline().decode().split()[-1]
        for body in transfers():
            value = json.loads(transfer(7, "unidentified"))
            details = json.dumps(value["receiver_details"])
            question = {
                **{name: value[name] for name in ("transaction_id", "sender_bank_account")},
                "sender_bank": None,
            }
            good = json.dumps({**question, "receiver_details": details, "amount": 20_000}).encode()
            for asked in (body, good, good.replace(b"20000", b"-1")):
                requests.post(f"{address}/validate", data=asked, timeout=20)
        (folder / "metrics.txt").write_bytes(requests.get(f"{address}/metrics", timeout=20).content)
        process.terminate()


@pytest.fixture(scope="module")
def scene(service_endpoints: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("said")
    home = folder / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_text(DAGSTER_YAML)
    with hostile(Echo()) as validator:
        settings = made(service_endpoints, tmp_path_factory.mktemp("data"), FRAUD_VALIDATOR_URL=validator.url)
        quieter = {**environment_of(settings, service_endpoints), "DAGSTER_HOME": str(home)}
        environment = {**quieter, "KAFKA_DEBUG": "msg,protocol,topic,eos,fetch"}
        send(settings, Topic.BANK_TRANSACTIONS, [(f"QzxCanary-{n}", each) for n, each in enumerate(transfers())])
        # Keys of their own: most lie on another partition than their account's.
        send(settings, Topic.STATEMENTS, [(f"QzxCanary-{n}", each) for n, each in enumerate(statements())])
        kill_in_the_middle(environment, folder / "killed.log")
        # Dagster keeps each line as an event: librdkafka's thousands would take minutes.
        assert run(quieter, folder / "dagster.log", "dagster") == 0
        stages = ["projection", "validation", "monitoring", "monitoring", "lake", "documents"]  # re-keyed, then judged
        assert run(environment, folder / "stages.log", "drain", *stages) == 0
        ask_our_validator(folder)
        yield Scene(settings, folder)


def test_the_marked_people_have_been_everywhere(scene: Scene) -> None:
    """What follows would find nothing if nothing had happened."""
    assert b"[False, True]" in scene.said["dagster.log"]
    died = {row.headers["stage"] for row in rows(scene.settings, Topic.DEAD_LETTERS)}
    assert died == {"ingestion", "validation", "monitoring"}
    assert any(marks_in(row.key or b"") for row in rows(scene.settings, Topic.MONITORING_STATE))
    nameless = {Topic.LABELS, Topic.LEDGER, Topic.DECISIONS, Topic.RULE_SETS, Topic.MONITORING_STATE}
    for topic in set(TOPICS) - nameless:
        assert any(marks_in(row.value or b"") for row in rows(scene.settings, topic)), topic
    for topic in WITH_SSN:
        assert any(ssns_in(row.value or b"") for row in rows(scene.settings, topic))
    assert len(lake_objects(where_of(scene.settings), Topic.USERS)) > 0
    assert len(documents(scene.settings)["users"]) == GOOD // 3 * 2 + GOOD // 6 * 2


def test_the_logs_were_loud(scene: Scene) -> None:
    said = scene.said
    assert b"urllib3" in said["stages.log"]
    assert b"DEBUG" in said["dagster.log"]
    assert b"ProduceRequest" in said["stages.log"] or b"Produce" in said["stages.log"]
    assert b"defect of the platform (ValueError at privacy/noisy.py" in said["dagster.log"]
    assert any(name.startswith("dagster/") and b"defect of the platform" in data for name, data in said.items())


def test_an_ssn_is_in_no_topic_but_the_two(scene: Scene) -> None:
    for topic in set(TOPICS) - WITH_SSN:
        for row in rows(scene.settings, topic):
            assert ssns_in(repr(row.headers).encode() + (row.key or b"") + (row.value or b"")) == [], topic


def test_headers_hold_no_personal_data(scene: Scene) -> None:
    for topic in TOPICS:
        for row in rows(scene.settings, topic):
            said = repr(row.headers).encode()
            assert ssns_in(said) == marks_in(said) == []


def test_s3_holds_no_ssn_and_its_keys_nothing_personal(scene: Scene) -> None:
    for topic in RESULT_TOPICS:
        for key, body in lake_objects(where_of(scene.settings), topic).items():
            content = repr(list(fastavro.reader(io.BytesIO(body)))).encode()
            assert ssns_in(body) == ssns_in(content) == []
            assert ssns_in(key.encode()) == marks_in(key.encode()) == []


def documents(settings: Settings) -> dict[str, list[dict[str, Any]]]:
    with pymongo.MongoClient[dict[str, Any]](settings.mongodb_address) as client:
        database = client[settings.mongodb_database]
        return {name: list(database[name].find()) for name in database.list_collection_names()}


def test_mongodb_holds_no_ssn(scene: Scene) -> None:
    for name, found in documents(scene.settings).items():
        assert ssns_in(repr(found).encode()) == [], name


def test_logs_metrics_and_dagsters_storage_hold_nothing_personal(scene: Scene) -> None:
    said = scene.said
    assert {"killed.log", "dagster.log", "stages.log", "validator.log", "metrics.txt"} <= said.keys()
    for name, data in said.items():
        assert ssns_in(data) == [], name
        assert marks_in(data) == [], name
