"""A replay over real Kafka: of what monitoring and validation decided, by the same rules and by others."""

import functools
import io
import json
import random
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import msgspec
import pytest
from rich.console import Console

from fraud_platform.adapters.admin import ensure_topics
from fraud_platform.adapters.avro import AvroWriter
from fraud_platform.adapters.registry import SchemaRegistry
from fraud_platform.commands.replay import run
from fraud_platform.core.statement import canonical_key
from fraud_platform.core.transaction import Transaction, parse_transaction, to_avro
from fraud_platform.errors import ConfigurationError
from fraud_platform.live.change import publish
from fraud_platform.replay import definitions
from fraud_platform.rules import files
from fraud_platform.rules.engine import Engine
from fraud_platform.runtime.drain import drain
from fraud_platform.settings import Settings
from fraud_platform.topology import MONITORING, VALIDATION, Topic
from fraud_platform.validator_api.judging import judge_batch
from fraud_platform.validator_api.wire import BatchReply
from tests.adapters.hostile import Seen, hostile, reply
from tests.builders import raw, raw_line
from tests.conftest import fresh_settings
from tests.stages.flow import HOUR_AGO, send

pytestmark = pytest.mark.services

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
FIRST = """
rules:
  - {id: large, criterion: HIGH_TRANSACTION_AMOUNT, action: REVIEW, parameters: {at_least: 10000}}
  - {id: quick, criterion: SMALL_INTERVAL, action: REVIEW, parameters: {within: 10s}}
"""
SECOND = """
rules:
  - {id: large, criterion: HIGH_TRANSACTION_AMOUNT, action: BLOCK, parameters: {at_least: 1500}}
  - {id: often, criterion: WINDOW_AGGREGATE, action: REVIEW, parameters: {function: COUNT, window: 2h, at_least: 4}}
"""
Ask = Callable[..., dict[str, Any]]


def lines(number: int) -> list[tuple[str, bytes]]:
    """Bursts, large sums, repetitions, late lines, foreign keys, and what is no line."""
    draw = random.Random(number)
    found, sent = [("anyone", b"{")], dict[str, str]()
    for n in range(number * 100, number * 100 + 100):
        account = f"A{draw.randrange(12)}"
        sent[account] = name = sent.get(account, f"t-{n}") if draw.random() < 0.15 else f"t-{n}"
        at = START + timedelta(seconds=n - draw.choice([0, 0, 0, 90, 80_000]))
        key = account if int(account[1:]) < 3 else canonical_key(account, "10").decode()
        amount = draw.choice(["5", "1,500.25", "10,000"])
        found.append((key, raw_line(name, accountNumber=account, transactionTimestamp=f"{at:%F %T}",
                                    withdrawalAmount=amount)))  # fmt: skip
    return found


def judging(seen: Seen, _: socket.socket) -> bytes:
    """Our own service's answers by the first rule set."""
    if seen.method == "GET":
        return reply(200, {"status": "ready"})
    found = judge_batch(json.dumps(seen.json).encode(), Engine(files.checked(FIRST, "first")))
    assert isinstance(found, BatchReply)
    return reply(200, msgspec.to_builtins(found))


def transfer(settings: Settings, name: str, amount: int) -> tuple[str, bytes]:
    """A transfer as ingestion hands it on."""
    found = parse_transaction(raw(name, evaluation="unidentified", amount=amount))
    assert isinstance(found, Transaction)
    encode = AvroWriter(SchemaRegistry(settings)).encoder(Topic.UNIDENTIFIED)
    return "ACC-1", encode(to_avro(found, sender_ssn=None, receiver_ssn=None))


def label(told: tuple[str, bool]) -> tuple[str, bytes]:
    return told[0], json.dumps({"transaction_id": told[0], "is_fraud": told[1]}).encode()


LABELS = [("v-5", False), ("v-5", True), ("v-4", False), ("v-1", True), ("v-2", False), ("somebody-else", True)]
"""The later label of an id holds."""


@pytest.fixture(scope="module")
def settings(service_endpoints: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Two rule sets, one after the other in the middle of the lines; transfers that the first one judged; labels."""
    with hostile(judging) as validator:
        made = fresh_settings(service_endpoints, tmp_path_factory.mktemp("data"), FRAUD_VALIDATOR_URL=validator.url)
        ensure_topics(made, timeout_s=60)
        for number, rules in enumerate((FIRST, SECOND)):
            publish(made, files.checked(rules, "test"), by="ada")
            send(made, Topic.STATEMENTS, lines(number), at_ms=HOUR_AGO + number * 60_000)
            drain(made, MONITORING)
        send(made, Topic.UNIDENTIFIED, [transfer(made, f"v-{n}", n * 4_000) for n in range(1, 6)], at_ms=HOUR_AGO)
        drain(made, VALIDATION)
        told = [
            (name, json.dumps({"transaction_id": name, "is_fraud": is_fraud}).encode()) for name, is_fraud in LABELS
        ]
        send(made, Topic.LABELS, [*told, ("broken", b"{")], at_ms=HOUR_AGO)
        yield made


@pytest.fixture(scope="module")
def ask(settings: Settings) -> Ask:
    @functools.cache
    def asked(**options: Any) -> dict[str, Any]:
        console = Console(file=io.StringIO(), width=200)
        given = {"start": at(0), "last": None, "end": None, "rules": None, "warm": None} | options
        assert run(settings, console, as_json=True, **given) == 0
        found: dict[str, Any] = json.loads(console.file.getvalue())  # type: ignore[attr-defined]
        assert '"A1' not in json.dumps(found)
        return {each["stage"]: each for each in found["stages"]}

    return asked


def at(minutes: int) -> str:
    return datetime.fromtimestamp(HOUR_AGO / 1000 + minutes * 60, UTC).isoformat()


def test_the_same_rules_decide_the_same_to_the_byte_across_a_switch(ask: Ask) -> None:
    found = ask()
    lines_found = found["monitoring"]
    assert lines_found["identical"] == lines_found["outcomes"]["judged"] > 150
    assert lines_found["outcomes"].keys() == {"dead-lettered", "duplicate", "judged", "rekeyed"}
    assert len(lines_found["stored_versions"]) == 2
    assert (lines_found["is_whole"], lines_found["not_compared"], lines_found["outside"]) == (True, {}, 0)
    assert found["validation"]["identical"] == found["validation"]["outcomes"]["judged"] == 5


def test_half_of_the_time_is_warmed_from_the_other(ask: Ask) -> None:
    found = ask(start=at(1))["monitoring"]
    assert found["warmed_records"] > 100
    assert found["identical"] == found["outcomes"]["judged"] > 50


def test_without_its_history_nothing_differs_that_could_be_compared(ask: Ask) -> None:
    found = ask(start=at(1), warm="0")["monitoring"]
    assert not found["is_whole"]
    assert found["different"]["count"] == found["missing"]["count"] == 0
    assert found["not_compared"]


def test_another_rule_set_tells_what_would_change(ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(FIRST.replace("10000", "5000"))
    found = ask(rules=str(path))
    transfers = found["validation"]
    # Of those that are hit then and now the limit that is shown has changed, and nothing that matters.
    assert (transfers["identical"], transfers["changed"]["count"], transfers["reworded"]["count"]) == (1, 1, 3)
    (large,) = (rule for rule in transfers["rules"] if rule["rule"] == "large")
    assert large["newly"] == {"count": 1, "money": "8000", "examples": ["v-2"]}
    assert (large["otherwise"]["count"], large["otherwise"]["money"]) == (3, "48000")
    assert set(large["otherwise"]["examples"]) == {"v-3", "v-4", "v-5"}
    assert [(move["before"], move["now"], move["transactions"]["count"]) for move in transfers["moves"]] == [
        ("ALLOW", "REVIEW", 1)
    ]


def test_labels_make_it_a_back_test(ask: Ask) -> None:
    # The first rule set flags v-3, v-4 and v-5. One hit is fraud, one is not, one has no label; one fraud is missed.
    found = ask()["validation"]
    assert found["labelled_fraud"] == 2
    assert found["score"] == {"fraud": 1, "legitimate": 1, "precision": 0.5, "recall": 0.5}
    (large,) = (rule for rule in found["rules"] if rule["rule"] == "large")
    assert large["score"] == found["score"]
    assert (found["days"], large["hits"]["count"], large["per_day"]) == (0.0417, 3, 72.0)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"start": None}, "exactly one of --from TIME and --last DURATION"),
        ({"last": "1h"}, "exactly one of --from TIME and --last DURATION"),
        ({"start": "soon"}, "--from takes a time of ISO 8601"),
        ({"end": "later"}, "--to takes a time of ISO 8601"),
        ({"start": None, "last": "long"}, "--last takes a duration: "),
        ({"warm": "some"}, "--warm takes a duration, or `all`, or 0: "),
        ({"rules": "ffff"}, "There is no rule set of version 'ffff'"),
        ({"rules": "/nowhere/x.yaml"}, "/nowhere/x.yaml cannot be read"),
        ({"end": "2026-01-01"}, "The time to replay ends before it begins"),
    ],
)
def test_a_mistake_is_one_sentence(ask: Ask, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        ask(**options)


def test_dagster_replays_an_hour_by_a_version_and_checks_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(definitions.replayed.__kwdefaults__, "settings", lambda: settings)
    hour = datetime.fromtimestamp(HOUR_AGO / 1000, UTC).strftime(definitions.HOURS.fmt.replace("%M", "00"))
    first = files.checked(FIRST, "first").version
    done = dg.materialize(
        [definitions.replayed_hours], instance=dg.DagsterInstance.ephemeral(), partition_key=hour,
        run_config={"ops": {"rules__replayed": {"config": {"version": first[:6]}}}},
    )  # fmt: skip
    (event,) = done.get_asset_materialization_events()
    facts = {name: value.value for name, value in event.materialization.metadata.items()}
    assert facts["judged_by"] == first
    assert facts["dagster/row_count"] > facts["identical"] > 50
    assert facts["changed"] > 10
    stages = {record.data["stage"]: record.data for record in facts["stages"].records}
    assert stages["validation"]["identical"] == 5
    rules = {record.data["rule"]: record.data for record in facts["rules"].records}
    assert (rules["often"]["hits"], rules["often"]["newly"]) == (0, "-")
    assert rules["often"]["no_longer"] != "-"
    (checked,) = done.get_asset_check_evaluations()
    assert (checked.check_name, checked.passed) == ("decisions_repeat", True)


def test_dagster_takes_one_rule_set_and_says_what_is_wrong(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(definitions.replayed.__kwdefaults__, "settings", lambda: settings)
    config = {"ops": {"rules__replayed": {"config": {"version": "ffff", "path": "a.yaml"}}}}
    done = dg.materialize(
        [definitions.replayed_hours], instance=dg.DagsterInstance.ephemeral(), partition_key="2026-01-01-00:00",
        run_config=config, raise_on_error=False,
    )  # fmt: skip
    (event,) = done.get_step_failure_events()
    assert "at most one of `version` and `path`" in event.step_failure_data.error_display_string
