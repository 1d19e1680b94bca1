"""What the command line says of alerts."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import DagsterInstance
from dagster._core.scheduler.instigation import InstigatorStatus, SensorInstigatorData

from fraud_platform.alerts.book import Book, Entry
from fraud_platform.alerts.definitions import SENSORS
from fraud_platform.alerts.outbox import Queue
from fraud_platform.alerts.problem import Severity
from fraud_platform.alerts.sensor import State
from fraud_platform.orchestration.control import open_instance
from fraud_platform.orchestration.switches import Switch
from fraud_platform.settings import Settings
from tests.alerts.makers import message
from tests.alerts.receivers import Hook, Mailbox, free_port, running_hook, running_mail_server
from tests.commands.conftest import Run


@pytest.fixture
def instance(data_dir: Path) -> Iterator[DagsterInstance]:
    with open_instance(Settings.from_environment({"FRAUD_DATA_DIR": str(data_dir)})) as instance:
        yield instance


@pytest.fixture
def hook() -> Iterator[Hook]:
    with running_hook() as hook:
        yield hook


def remember(instance: DagsterInstance, sensor: str, state: State) -> None:
    """As the daemon does after a tick."""
    known = Switch(instance, sensor)._empty().with_status(InstigatorStatus.DECLARED_IN_CODE)
    instance.add_instigator_state(known.with_data(SensorInstigatorData(cursor=state.cursor)))


def told(minutes: float, title: str, severity: Severity = Severity.ERROR) -> Entry:
    since = time.time() - 60 * minutes
    return Entry(title=title, text="Do this.", severity=severity, since=since, told_at=since)


@pytest.fixture
def trouble(instance: DagsterInstance) -> None:
    lag = {
        "lag:lake": told(5, "lake is late"),
        "lag:x": Entry(title="new", text="", severity=Severity.ERROR, since=1.0),
    }
    queues = {"webhook": Queue(waiting=(message(),), why="no connection"), "log": Queue()}
    remember(instance, "alert_lag", State(book=Book(entries=lag), queues=queues))
    letters = {"dead-letters:lake": told(90, "3 dead letters", Severity.WARNING)}
    remember(instance, "alert_dead_letters", State(book=Book(entries=letters)))


@pytest.fixture
def well(instance: DagsterInstance) -> None:
    """All sensors looked a moment ago."""
    for sensor in SENSORS:
        remember(instance, sensor.name, State(book=Book(looked_at=time.time() - 60)))


def test_without_a_history_nothing_is_known(run: Run) -> None:
    result = run("alerts")
    assert result.exit_code == 1
    assert "Not known: Dagster's history: it is not on this machine" in " ".join(result.output.split())
    assert "No alert is open" not in result.output


def test_nothing_is_open_where_all_have_looked_and_found_nothing(run: Run, well: None) -> None:
    result = run("alerts")
    assert (result.exit_code, result.output.strip()) == (0, "No alert is open.")


def test_sensors_that_have_not_looked_lately_are_named(run: Run, instance: DagsterInstance, well: None) -> None:
    def look(sensor: str, state: State) -> None:
        switch = Switch(instance, sensor)
        known = switch._state()
        assert known is not None
        instance.update_instigator_state(known.with_data(SensorInstigatorData(cursor=state.cursor)))

    long_ago, now = time.time() - 3700, time.time()
    look("alert_lag", State())
    look("alert_stale_data", State(book=Book(looked_at=long_ago)))
    look("alert_fraud_surge", State(book=Book(looked_at=now), blind="Kafka is away.", blind_since=long_ago))
    look("alert_slots_down", State(book=Book(looked_at=now), blind="Kafka is away.", blind_since=now - 60))
    result = run("alerts")
    assert (result.exit_code, result.output.splitlines()) == (1, [
        "Not known: alert_lag: it has not looked yet.",
        "Not known: alert_stale_data: its last look was 1 h 1 min ago.",
        "Not known: alert_fraud_surge: its last look was 1 h 1 min ago (Kafka is away).",
        "`fraud-platform status` shows whether Dagster runs.",
    ])  # fmt: skip
    assert set(json.loads(run("alerts", "--json").output)["not_known"]) == {
        "alert_lag", "alert_stale_data", "alert_fraud_surge",
    }  # fmt: skip


def test_open_alerts_are_listed_with_what_to_do_the_oldest_first(run: Run, trouble: None) -> None:
    result = run("alerts")
    assert result.exit_code == 1
    lines = [line.strip() for line in result.output.splitlines()]
    assert lines[1].split(maxsplit=4) == ["1", "h", "30", "min", "3 dead letters"]
    assert lines[2] == "Do this."
    assert lines[3].split(maxsplit=2) == ["5", "min", "lake is late"]
    assert "Messages wait for the webhook: no connection." in result.output
    assert "new" not in result.output


def test_alerts_as_json(run: Run, trouble: None) -> None:
    found = json.loads(run("alerts", "--json").output)
    assert [(each["key"], each["severity"]) for each in found["alerts"]] == [
        ("dead-letters:lake", "warning"), ("lag:lake", "error"),
    ]  # fmt: skip
    assert found["alerts"][0]["since"].endswith("+00:00")
    assert found["waiting"] == {"webhook": "no connection"}
    assert found["switched_off"] == []


def test_a_sensor_that_is_switched_off_is_named(run: Run, instance: DagsterInstance, trouble: None) -> None:
    Switch(instance, "alert_lag").off()
    result = run("alerts")
    assert "alert_lag is switched off" in result.output
    assert "lake is late" not in result.output


def test_a_test_message_goes_through_every_channel(run: Run, hook: Hook) -> None:
    box = Mailbox()
    with running_mail_server(box) as port:
        mail = {"FRAUD_SMTP_HOST": "127.0.0.1", "FRAUD_SMTP_PORT": str(port), "FRAUD_SMTP_TO": "ops@example.com"}
        result = run("alerts", "--test", FRAUD_ALERT_WEBHOOK_URL=hook.url, FRAUD_SMTP_SECURITY="none", **mail)
    assert (result.exit_code, result.output.splitlines()) == (
        0,
        [
            "log: written; the sensors write to the log of dagster-code",
            "webhook: taken by the receiver; see there whether it shows",
            "e-mail: taken by the mail server; see whether it arrives",
        ],
    )
    assert "This is a test of the alerts" in hook.posts[0]["text"]
    assert box.mails[0]["Subject"] == "[fraud-platform] This is a test of the alerts"


def test_a_channel_that_does_not_work_is_one_sentence_without_its_secret(run: Run) -> None:
    result = run("alerts", "--test", FRAUD_ALERT_WEBHOOK_URL=f"http://127.0.0.1:{free_port()}/s3cret")
    assert result.exit_code == 1
    assert "webhook: not delivered, no connection" in result.output
    assert "s3cret" not in result.output


def test_a_defect_of_a_channel_is_one_sentence_and_the_others_are_tried(
    run: Run, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("s3cret")

    monkeypatch.setattr("fraud_platform.alerts.channels.LogChannel.send", fail)
    result = run("alerts", "--test", FRAUD_ALERT_WEBHOOK_URL=hook.url)
    assert result.exit_code == 1
    assert "log: not delivered, sending failed on a defect of the platform (RuntimeError" in result.output
    assert "s3cret" not in result.output
    assert len(hook.posts) == 1


def test_without_channels_the_test_says_what_to_set(run: Run) -> None:
    result = run("alerts", "--test")
    assert result.exit_code == 0
    assert "Only the log is told: set FRAUD_ALERT_WEBHOOK_URL or FRAUD_SMTP_HOST." in result.output
