"""Validation over real Kafka, registry and fraud-validator-api, fed by ingestion."""

import socket
import time
from collections.abc import Iterator

import pytest

from fraud_platform.errors import ConfigurationError, ValidatorUnavailable
from fraud_platform.runtime import worker
from fraud_platform.runtime.drain import drain
from fraud_platform.runtime.launch import Slot, run_slot
from fraud_platform.runtime.worker import State
from fraud_platform.settings import Settings
from fraud_platform.topology import INGESTION, VALIDATION, Topic
from tests.adapters.hostile import Seen, hostile, reply
from tests.builders import party, raw
from tests.ports import free_port
from tests.stages.flow import (
    HOUR_AGO,
    has_progress,
    has_read_all,
    ledger_of,
    rows,
    send,
    slot,
    values,
    wait_for,
)
from tests.validator_api.rule_sets import LARGE_AND_LISTED, MULE, compiled, saved
from tests.validator_api.service import running_validator, started_validator

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def validator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_validator(rules=saved(tmp_path_factory.mktemp("rules"))) as address:
        yield f"{address}/validate"


def ask(settings: Settings, address: str, **changes: object) -> Settings:
    return settings.model_copy(update={"validator_url": address, **changes})


def ingest(settings: Settings, *transfers: bytes) -> None:
    """Transfers without a verdict, brought to validation's topic by ingestion."""
    send(settings, Topic.BANK_TRANSACTIONS, [("ACC-1", transfer) for transfer in transfers], at_ms=HOUR_AGO)
    drain(settings, INGESTION)


def open_transfer(name: str, **changes: object) -> bytes:
    return raw(name, evaluation="unidentified", **changes)


def test_the_validator_decides_and_every_decision_is_kept(settings: Settings, validator: str) -> None:
    ingest(
        settings,
        open_transfer("small", amount="9999.99"),
        open_transfer("large", amount="10000"),
        open_transfer("mule", receiver_bank_account=MULE),
    )
    report = drain(ask(settings, validator), VALIDATION)
    assert dict(report.outcomes) == {"accepted.fraudulent": 2, "discarded.legitimate": 1}
    assert report.written == {"fraudulent-transactions-result": 2, "users": 4, "decisions": 3}
    results = {value["TRANSACTION_ID"]: value for value in values(settings, Topic.RESULT)}
    assert results.keys() == {"large", "mule"}
    assert {(r["EVALUATION"], r["SOURCE_PROCESS"]) for r in results.values()} == {("fraudulent", "validation")}
    assert [user["SOURCE_PROCESS"] for user in values(settings, Topic.USERS)] == ["validation"] * 4
    decisions = {value["transaction_id"]: value for value in values(settings, Topic.DECISIONS)}
    assert {name: each["action"] for name, each in decisions.items()} == {
        "small": "ALLOW", "large": "REVIEW", "mule": "BLOCK",
    }  # fmt: skip
    assert [hit["criterion"] for hit in decisions["large"]["hits"]] == ["HIGH_TRANSACTION_AMOUNT"]
    assert {each["stage"] for each in decisions.values()} == {"validation"}
    version = compiled(LARGE_AND_LISTED).rule_set.version
    assert {each["rule_set_version"] for each in decisions.values()} == {version}


def test_rows_are_keyed_by_their_ids_and_carry_the_time_of_the_transfer(settings: Settings, validator: str) -> None:
    ingest(settings, open_transfer("t-1", amount=20_000))
    drain(ask(settings, validator), VALIDATION)
    for topic, keys in ((Topic.RESULT, {b"t-1"}), (Topic.DECISIONS, {b"t-1"}), (Topic.USERS, {b"u-1", b"u-2"})):
        assert {row.key for row in rows(settings, topic)} == keys
        assert {row.timestamp_ms for row in rows(settings, topic)} == {HOUR_AGO}


def test_an_item_that_the_validator_cannot_use_is_dead_lettered_alone(settings: Settings, validator: str) -> None:
    endless = party("u-2", address="canary street " * 6_000)
    bad = open_transfer("bad", receiver_details=endless)
    ingest(settings, open_transfer("a"), bad, open_transfer("b", amount=20_000))
    report = drain(ask(settings, validator), VALIDATION)
    assert dict(report.outcomes) == {"accepted.fraudulent": 1, "discarded.legitimate": 1, "dead-lettered": 1}
    (letter,) = rows(settings, Topic.DEAD_LETTERS)
    (source,) = [row for row in rows(settings, Topic.UNIDENTIFIED) if b"canary" in (row.value or b"")]
    assert (letter.key, letter.value) == (source.key, source.value)
    assert letter.headers["topic"] == settings.naming.topic(Topic.UNIDENTIFIED)
    assert (letter.headers["stage"], letter.headers["error_type"]) == ("validation", "too-large")
    assert (letter.headers["partition"], letter.headers["offset"]) == (str(source.partition), str(source.offset))
    assert "canary" not in repr(letter.headers)


def test_the_ledger_balances_and_a_second_drain_changes_nothing(settings: Settings, validator: str) -> None:
    asking = ask(settings, validator)
    ingest(settings, *(open_transfer(f"t-{n}", amount=n * 100) for n in range(150)))
    send(settings, Topic.UNIDENTIFIED, [("k", b"rubbish")])
    assert dict(drain(asking, VALIDATION).outcomes) == {
        "discarded.legitimate": 100, "accepted.fraudulent": 50, "dead-lettered": 1,
    }  # fmt: skip
    entries = ledger_of(settings, VALIDATION)
    for entry in entries:
        assert sum(i["count"] for i in entry["inputs"]) == sum(entry["outcomes"].values())
    assert sum(sum(entry["outcomes"].values()) for entry in entries) == 151
    before = {topic: rows(settings, topic) for topic in Topic}
    assert drain(asking, VALIDATION).read == 0
    assert {topic: rows(settings, topic) for topic in Topic} == before


def test_while_the_validator_is_down_the_stage_waits_and_loses_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "PROBE_S", 0.2)
    port = free_port()
    ingest(settings, *(open_transfer(f"t-{n}") for n in range(20)))
    with slot(ask(settings, f"http://127.0.0.1:{port}/validate"), VALIDATION) as seen:
        wait_for(lambda: bool(seen) and seen[-1].state is State.PAUSED)
        assert "validator" in seen[-1].paused_because
        assert rows(settings, Topic.DEAD_LETTERS) == rows(settings, Topic.DECISIONS) == []
        assert not has_progress(settings, VALIDATION)
        with started_validator(port=port):
            wait_for(lambda: has_read_all(settings, VALIDATION))
        assert rows(settings, Topic.DEAD_LETTERS) == []
    found = sorted(value["transaction_id"] for value in values(settings, Topic.DECISIONS))
    assert found == sorted(f"t-{n}" for n in range(20))


def test_a_drain_without_a_validator_ends_in_one_sentence(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fraud_platform.runtime.drain.PATIENCE_S", 1.0)
    monkeypatch.setattr(worker, "PROBE_S", 0.2)
    ingest(settings, open_transfer("t-1"))
    with pytest.raises(ValidatorUnavailable, match="validator") as raised:
        drain(settings, VALIDATION)
    assert "\n" not in str(raised.value)
    assert not has_progress(settings, VALIDATION)
    assert rows(settings, Topic.DEAD_LETTERS) == []


def test_a_validator_that_refuses_the_key_stops_the_slot(settings: Settings) -> None:
    ingest(settings, open_transfer("t-1"))
    with running_validator(api_key="the right key") as address:
        asking = ask(settings, f"{address}/validate")
        with pytest.raises(ConfigurationError, match="FRAUD_VALIDATOR_API_KEY"):
            run_slot(asking, Slot(stage=VALIDATION, name="0"), stop=lambda: False)
    assert not has_progress(settings, VALIDATION)
    assert rows(settings, Topic.DEAD_LETTERS) == rows(settings, Topic.DECISIONS) == []


@pytest.mark.parametrize(
    ("status", "setting"),
    [(401, "FRAUD_VALIDATOR_API_KEY"), (403, "FRAUD_VALIDATOR_API_KEY"), (404, "FRAUD_VALIDATOR_URL")],
)
def test_a_validator_that_a_person_must_set_right_stops_the_slot_within_5_s_in_one_sentence(
    settings: Settings, status: int, setting: str
) -> None:
    ingest(settings, *(open_transfer(f"t-{n}") for n in range(20)))
    refused_at: list[float] = []

    def refuse(_seen: Seen, _connection: socket.socket) -> bytes:
        refused_at.append(time.monotonic())
        return reply(status)

    with hostile(refuse) as server, pytest.raises(ConfigurationError, match=setting) as raised:
        run_slot(ask(settings, server.url), Slot(stage=VALIDATION, name="0"), stop=lambda: False)
    assert time.monotonic() - refused_at[0] < 15  # three times what is promised: other tests work beside this one
    assert "\n" not in str(raised.value)
    assert not has_progress(settings, VALIDATION)
    assert rows(settings, Topic.DEAD_LETTERS) == rows(settings, Topic.DECISIONS) == []
