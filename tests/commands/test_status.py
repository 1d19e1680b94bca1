import io
import json
import os
import socket
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from fraud_platform.adapters.rule_set_topic import seed
from fraud_platform.commands import progress, reach, status
from fraud_platform.commands.active_rules import ActiveRules
from fraud_platform.commands.status import ELSEWHERE, NOT_RUNNING, look, service_rows, to_json
from fraud_platform.commands.status_view import show
from fraud_platform.core.ledger import Entry, InputRange
from fraud_platform.live.change import publish
from fraud_platform.live.definitions import looked
from fraud_platform.local import state
from fraud_platform.local.folder import Folder
from fraud_platform.local.state import Phase, ServiceState, StackState, Status
from fraud_platform.rules import files
from fraud_platform.settings import Settings
from fraud_platform.topology import STAGES, Topic
from tests.commands.conftest import Run


def shown(settings: Settings) -> str:
    out = io.StringIO()
    show(look(settings), Console(file=out, width=120))
    return out.getvalue()


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_state(data_dir: Path, **services: ServiceState) -> None:
    me = psutil.Process()
    now = StackState(
        phase=Phase.READY,
        supervisor_pid=me.pid,
        supervisor_created=me.create_time(),
        services=dict(services),
    )
    state.write(Folder(data_dir), now)


def rows(settings: Settings) -> dict[str, tuple[str, int | None]]:
    return {row.name: (row.status, row.pid) for row in service_rows(settings)}


# When things are down -------------------------------------------------------------------------------


def test_before_the_first_start_status_says_how_to_start(run: Run):
    result = run("status")
    assert result.exit_code == 0
    assert "Nothing of this platform runs here; make up starts it." in result.stdout


def test_a_kafka_that_is_away_is_one_sentence_and_the_rest_is_shown(data_dir: Path):
    away = f"127.0.0.1:{closed_port()}"
    text = shown(Settings.from_environment({"FRAUD_DATA_DIR": str(data_dir), "KAFKA_BOOTSTRAP_SERVERS": away}))
    assert text.count("does not answer") == 1
    assert all(name in text for name in STAGES)
    assert "Dead letters: ?" in text


def test_a_broken_dagster_history_is_one_sentence(data_dir: Path):
    (data_dir / "dagster-home").mkdir(parents=True)
    (data_dir / "dagster-home" / "history").write_text("a file where a folder must be")
    report = look(Settings.from_environment({"FRAUD_DATA_DIR": str(data_dir)}))
    assert [problem for problem in report.problems if problem.startswith("Dagster's history cannot be read")]
    assert all(stage.keeper_on is None for stage in report.stages)


# Services -------------------------------------------------------------------------------------------


def test_a_living_service_shows_its_process(data_dir: Path):
    me = psutil.Process()
    write_state(data_dir, kafka=ServiceState(status=Status.READY, pid=me.pid, created=me.create_time()))
    settings = Settings.from_environment({"FRAUD_DATA_DIR": str(data_dir)})
    found = rows(settings)
    assert found["kafka"] == ("ready", os.getpid())
    assert found["supervisor"] == ("ready", os.getpid())
    assert found["mongod"] == (NOT_RUNNING, None)


def test_a_state_that_is_older_than_the_crash_of_all_deceives_nobody(data_dir: Path):
    write_state(data_dir, kafka=ServiceState(status=Status.READY, pid=os.getpid(), created=1.0))
    assert rows(Settings.from_environment({"FRAUD_DATA_DIR": str(data_dir)}))["kafka"] == (NOT_RUNNING, None)


def test_services_of_the_user_s_own_are_shown_without_their_passwords(data_dir: Path):
    settings = Settings.from_environment({
        "FRAUD_DATA_DIR": str(data_dir),
        "SCHEMA_REGISTRY_URL": "https://me:s3cret@registry.example.com/api",
        "MONGODB_URI": "mongodb://me:s3cret@127.0.0.1:1/",
    })  # fmt: skip
    found = {row.name: row for row in service_rows(settings)}
    assert (found["registry"].status, found["registry"].url) == (ELSEWHERE, "https://registry.example.com/api")
    assert found["mongod"].url == "as set by you"
    assert "s3cret" not in json.dumps(to_json(look(settings)))


def test_a_slot_that_still_judges_by_other_rules_is_named(data_dir: Path):
    rules = ActiveRules(version="new", number=2, how="published", since=datetime.now(UTC), by="ada")
    slots = {"monitoring.0": "new", "monitoring.1": "old", "monitoring.2": "old"}
    filling = {"monitoring.2": "new (35 %)"}
    stage = status.StageRow(name="monitoring", slots_wanted=2, judges_by=slots, makes_ready=filling)
    out = io.StringIO()
    show(status.Report(services=[], stages=[stage], dead_letters=None, rules=rules), Console(file=out, width=120))
    assert [line for line in out.getvalue().splitlines() if "judges by" in line] == [
        "monitoring.1 still judges by old", "monitoring.2 still judges by old while windows are filled for new (35 %)",
    ]  # fmt: skip


# On real services -----------------------------------------------------------------------------------


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not known in time is a `?`: here the answers count, and other tests work beside this one."""
    monkeypatch.setattr(reach, "TIMEOUT_S", 60)
    monkeypatch.setattr(status, "ANSWER_WITHIN_S", 60)
    monkeypatch.setattr(progress, "dead_letters", partial(progress.dead_letters, within_s=60))


def put_ledger(settings: Settings, committed_at: datetime, count: int) -> None:
    from confluent_kafka import Producer

    from fraud_platform.adapters.avro import AvroWriter
    from fraud_platform.adapters.kafka_config import client_config
    from fraud_platform.adapters.registry import SchemaRegistry

    entry = Entry(
        stage="ingestion",
        slot="0",
        run_id="",
        code_version="",
        committed_at=committed_at,
        inputs=(InputRange("bank-transactions", 0, 0, count, count),),
        outcomes={"accepted.fraudulent": count},
    )
    producer = Producer(client_config(settings))
    value = AvroWriter(SchemaRegistry(settings)).encoder(Topic.LEDGER)(entry.to_avro())
    producer.produce(settings.naming.topic(Topic.LEDGER), value, b"ingestion")
    producer.produce(settings.naming.topic(Topic.DEAD_LETTERS), b"{", headers={"stage": "ingestion"})
    producer.produce(settings.naming.topic(Topic.BANK_TRANSACTIONS), b"{}")
    assert producer.flush(60) == 0


@pytest.mark.services
def test_rates_lag_and_dead_letters_come_from_the_topics(platform_settings: Settings, unhurried: None):
    at = datetime.now(UTC).replace(microsecond=0)
    put_ledger(platform_settings, at - timedelta(minutes=5), 500)
    put_ledger(platform_settings, at, 120)
    report = look(platform_settings)
    ingestion = next(stage for stage in report.stages if stage.name == "ingestion")
    assert (ingestion.rate, ingestion.last_ledger, ingestion.lag, ingestion.slots_live) == (2.0, at, 2, 0)
    assert report.dead_letters is not None
    assert (report.dead_letters.count, dict(report.dead_letters.by_stage)) == (2, {"ingestion": 2})
    assert report.problems == ["Rules: No rule set was ever published here; run `make up`, or publish one."]


@pytest.mark.services
def test_the_active_rule_set_stands_in_one_line_as_dagster_shows_it(platform_settings: Settings, unhurried: None):
    first = seed(platform_settings)
    assert first is not None
    made = publish(platform_settings, files.checked("rules: []", "a text"), by="ada", note="quiet [for] now")
    line = next(line for line in shown(platform_settings).splitlines() if line.startswith("Rules: "))
    assert line == f"Rules: {made.version} (number 2), published by ada at {made.at:%F %T}Z: quiet [for] now"
    dagster = looked(settings=lambda: platform_settings).metadata or {}
    told = to_json(look(platform_settings))["rules"]
    assert (told["version"], told["number"], told["how"], told["by"], told["note"]) == tuple(
        dagster[name] for name in ("version", "number", "how", "published_by", "note")
    )


@pytest.mark.services
def test_json_holds_everything_as_one_object(platform_settings: Settings, unhurried: None):
    report = json.loads(json.dumps(to_json(look(platform_settings))))
    assert report.keys() == {"services", "stages", "dead_letters", "rules", "problems"}
    assert [stage["name"] for stage in report["stages"]] == list(STAGES)
