"""The alert sensors on a real instance, with real receivers."""

import time
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance

from fraud_platform.alerts import definitions
from fraud_platform.alerts.book import Entry
from fraud_platform.alerts.problem import Sight
from fraud_platform.alerts.sensor import Look, Scene, State, alert_sensor
from fraud_platform.errors import BrokerUnavailable, ConfigurationError
from fraud_platform.settings import Settings
from tests.alerts.makers import T0, problem, scene, settings
from tests.alerts.receivers import Hook, Mailbox, free_port, running_mail_server


class Trouble:
    """A look that finds what a test puts here."""

    def __init__(self) -> None:
        self.sight = Sight()
        self.fault: Exception | None = None
        self.scenes: list[Scene] = []

    def __call__(self, scene: Scene) -> Sight:
        self.scenes.append(scene)
        if self.fault:
            raise self.fault
        return self.sight


class Ticks:
    """A sensor's evaluations, each with the cursor of the one before."""

    def __init__(self, look: Look, settings: Settings, instance: DagsterInstance) -> None:
        self.now, self.cursor = T0, ""
        self.sensor = alert_sensor("x", "of x.", look, settings=lambda: settings, clock=lambda: self.now)
        self.instance = instance

    def tick(self, after_s: float = 0.0) -> str:
        """What the tick says."""
        self.now += after_s
        result = self.sensor(dg.build_sensor_context(instance=self.instance, cursor=self.cursor))
        assert isinstance(result, dg.SensorResult)
        assert not result.run_requests
        self.cursor = result.cursor
        return result.skip_reason.skip_message

    @property
    def told(self) -> dict[str, Entry]:
        return State.of(self.cursor).book.told


@pytest.fixture
def trouble() -> Trouble:
    return Trouble()


@pytest.fixture
def ticks(trouble: Trouble, hook: Hook, tmp_path: Path, instance: DagsterInstance) -> Ticks:
    return Ticks(trouble, settings(tmp_path, FRAUD_ALERT_WEBHOOK_URL=hook.url), instance)


# From the trouble to the person -----------------------------------------------------------------------


def test_a_trouble_is_told_once_and_so_is_its_end(ticks: Ticks, trouble: Trouble, hook: Hook) -> None:
    assert ticks.tick() == "all is well"
    trouble.sight = Sight(problems=[problem(title="lake is late")])
    assert [ticks.tick(60) for _ in range(3)] == ["lake is late"] * 3
    trouble.sight = Sight()
    assert [ticks.tick(60) for _ in range(3)] == ["lake is late", "all is well", "all is well"]
    assert [post["text"] for post in hook.posts] == [
        "fraud-platform: lake is late",
        "fraud-platform: Over after 4 min: lake is late",
    ]


def test_it_is_told_again_after_the_time_of_the_settings(
    trouble: Trouble, hook: Hook, tmp_path: Path, instance: DagsterInstance
) -> None:
    own = settings(tmp_path, FRAUD_ALERT_WEBHOOK_URL=hook.url, FRAUD_ALERT_REPEAT_MINUTES="5")
    ticks = Ticks(trouble, own, instance)
    trouble.sight = Sight(problems=[problem()])
    for _ in range(11):
        ticks.tick(60)
    assert len(hook.posts) == 3


def test_webhook_and_mail_get_the_same_alert(
    trouble: Trouble, hook: Hook, tmp_path: Path, instance: DagsterInstance
) -> None:
    box = Mailbox()
    with running_mail_server(box) as port:
        mail = {"FRAUD_SMTP_HOST": "127.0.0.1", "FRAUD_SMTP_PORT": str(port), "FRAUD_SMTP_TO": "ops@example.com"}
        own = settings(tmp_path, FRAUD_ALERT_WEBHOOK_URL=hook.url, FRAUD_SMTP_SECURITY="none", **mail)
        trouble.sight = Sight(problems=[problem(title="lake is late")])
        Ticks(trouble, own, instance).tick()
    assert hook.posts[0]["text"] == "fraud-platform: lake is late"
    assert box.mails[0]["Subject"] == "[fraud-platform] lake is late"


def test_a_webhook_that_is_away_is_asked_again_and_loses_nothing(ticks: Ticks, trouble: Trouble, hook: Hook) -> None:
    hook.status = 503
    trouble.sight = Sight(problems=[problem(title="lake is late")])
    assert ticks.tick() == "lake is late; 1 messages wait for the webhook: it answers with status 503"
    ticks.tick(10)
    assert len(hook.posts) == 1
    trouble.sight = Sight()
    ticks.tick(50)
    hook.status = 200
    assert ticks.tick(120) == "all is well"
    assert hook.posts[-1]["text"] == "fraud-platform: lake is late; Over after 3 min: lake is late"


def test_a_webhook_that_is_away_holds_no_tick_up(trouble: Trouble, tmp_path: Path, instance: DagsterInstance) -> None:
    own = settings(tmp_path, FRAUD_ALERT_WEBHOOK_URL=f"http://127.0.0.1:{free_port()}/s3cret")
    ticks = Ticks(trouble, own, instance)
    trouble.sight = Sight(problems=[problem()])
    said = ticks.tick()
    assert "no connection" in said
    assert "s3cret" not in said + ticks.cursor


def test_what_a_look_remembers_comes_back_to_it(ticks: Ticks, trouble: Trouble) -> None:
    trouble.sight = Sight(memory="here")
    ticks.tick()
    ticks.tick(60)
    assert [scene.memory for scene in trouble.scenes] == ["", "here"]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (BrokerUnavailable("Kafka does not answer."), "could not look: Kafka does not answer.; lake is late"),
        (RuntimeError("the value 900-12-3456"), "failed on a defect of the platform (RuntimeError"),
    ],
)
def test_a_look_that_fails_forgets_and_ends_nothing(
    ticks: Ticks, trouble: Trouble, fault: Exception, said: str
) -> None:
    trouble.sight = Sight(problems=[problem(title="lake is late")], memory="here")
    ticks.tick()
    trouble.fault = fault
    for _ in range(5):
        heard = ticks.tick(60)
    assert said in heard
    assert "900-12-3456" not in heard
    assert set(ticks.told) == {"lag:lake"}
    assert trouble.scenes[-1].memory == "here"


def test_while_it_cannot_look_it_delivers_what_waits(ticks: Ticks, trouble: Trouble, hook: Hook) -> None:
    hook.status = 500
    trouble.sight = Sight(problems=[problem()])
    ticks.tick()
    hook.status, trouble.fault = 200, BrokerUnavailable("Kafka does not answer.")
    ticks.tick(60)
    assert len(hook.posts) == 2


@pytest.mark.parametrize(
    ("fault", "severity"),
    [(BrokerUnavailable("Kafka does not answer."), "warning"), (ConfigurationError("Kafka refuses us."), "error")],
)
def test_a_sensor_that_cannot_look_for_long_is_a_problem_until_it_can(
    ticks: Ticks, trouble: Trouble, hook: Hook, fault: Exception, severity: str
) -> None:
    trouble.fault = fault
    for _ in range(5):
        ticks.tick(60)
    assert hook.posts == []
    ticks.tick(60)
    assert [post["text"] for post in hook.posts] == [f"fraud-platform: alert_x cannot look: {str(fault)[:-1]}"]
    assert ticks.told["blind:x"].severity == severity
    trouble.fault = None
    assert [ticks.tick(60), ticks.tick(60)][-1] == "all is well"
    assert "Over after" in hook.posts[-1]["text"]


def test_a_part_of_the_picture_is_remembered_but_tells_nothing(ticks: Ticks, trouble: Trouble) -> None:
    trouble.sight = Sight(problems=[problem()], memory="here")
    ticks.tick()
    trouble.sight = Sight(blind="too much", memory="there")
    assert ticks.tick(60).startswith("could not look: too much; ")
    assert set(ticks.told) == {"lag:lake"}
    ticks.tick(60)
    assert trouble.scenes[-1].memory == "there"


def test_a_look_has_one_deadline_for_all_that_it_asks(ticks: Ticks, trouble: Trouble, tmp_path: Path) -> None:
    ticks.tick()
    assert 0 < trouble.scenes[0].until - time.monotonic() <= 25
    late = scene(ticks.instance, tmp_path, until=time.monotonic() - 1)
    with pytest.raises(BrokerUnavailable, match="more than 25 s"):
        late.timeout(3.0)
    assert scene(ticks.instance, tmp_path).timeout(3.0) == 3.0


@pytest.mark.parametrize("cursor", ["[broken", '{"book": 5}', "null"])
def test_a_damaged_cursor_is_forgotten(ticks: Ticks, cursor: str) -> None:
    ticks.cursor = cursor
    assert ticks.tick() == "all is well"


def test_wrong_settings_are_a_sentence_and_no_failed_tick(
    instance: DagsterInstance, trouble: Trouble, caplog: pytest.LogCaptureFixture
) -> None:
    def wrong() -> Settings:
        raise ConfigurationError("The settings are wrong: FRAUD_PARTITIONS: must be a number")

    sensor = alert_sensor("x", "of x.", trouble, settings=wrong)
    assert "FRAUD_PARTITIONS" in sensor(dg.build_sensor_context(instance=instance)).skip_message
    assert "ALERT alert_x cannot look: The settings are wrong" in caplog.text


def test_what_a_look_trips_over_is_logged_without_its_text(
    ticks: Ticks, trouble: Trouble, caplog: pytest.LogCaptureFixture
) -> None:
    trouble.fault = RuntimeError("the value 900-12-3456")
    ticks.tick()
    assert "failed on a defect of the platform (RuntimeError" in caplog.text
    assert "900-12-3456" not in caplog.text


def test_the_cursor_stays_small(trouble: Trouble, tmp_path: Path, instance: DagsterInstance) -> None:
    """Everything fails, everywhere, and nobody listens."""
    nobody = f"http://127.0.0.1:{free_port()}/"
    ticks = Ticks(trouble, settings(tmp_path, FRAUD_ALERT_WEBHOOK_URL=nobody), instance)
    for n in range(5):
        trouble.sight = Sight(problems=[problem(f"{n}:{m}", title="t" * 999, text="x" * 9999) for m in range(500)])
        ticks.tick(60)
    assert len(ticks.cursor) < 300_000


# What Dagster shows -----------------------------------------------------------------------------------


def test_the_sensor_knows_every_check_of_its_repository(
    instance: DagsterInstance, trouble: Trouble, tmp_path: Path
) -> None:
    @dg.asset_check(asset=dg.AssetKey(["kafka", "users"]))
    def ids_are_unique() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    sensor = alert_sensor("x", "of x.", trouble, settings=lambda: settings(tmp_path))
    defs = dg.Definitions(asset_checks=[ids_are_unique], sensors=[sensor])
    sensor(dg.build_sensor_context(instance=instance, definitions=defs))
    assert [key.name for key in trouble.scenes[0].checks] == ["ids_are_unique"]


def test_each_kind_of_trouble_has_a_sensor_that_is_on_and_says_what_it_tells() -> None:
    sensors = {sensor.name: sensor for sensor in definitions.SENSORS}
    assert set(sensors) == {
        "alert_failed_runs",
        "alert_slots_down",
        "alert_lag",
        "alert_dead_letters",
        "alert_failing_checks",
        "alert_stale_data",
        "alert_fraud_surge",
        "alert_validator_down",
    }
    assert {sensor.default_status for sensor in sensors.values()} == {dg.DefaultSensorStatus.RUNNING}
    assert all(len(sensor.description) > 40 for sensor in sensors.values())
    assert all(30 <= sensor.minimum_interval_seconds <= 60 for sensor in sensors.values())
