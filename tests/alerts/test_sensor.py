"""The alert sensors on a real instance, with real receivers; and what they find there."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster import DagsterInstance, DagsterRunStatus

from fraud_platform.alerts import definitions, failed_runs, failing_checks, slots, validator
from fraud_platform.alerts.book import Entry
from fraud_platform.alerts.problem import Sight
from fraud_platform.alerts.sensor import Look, Scene, State, alert_sensor
from fraud_platform.errors import BrokerUnavailable, ConfigurationError
from fraud_platform.orchestration import tags
from fraud_platform.orchestration.control import keeper
from fraud_platform.settings import Settings
from fraud_platform.topology import BANKS, LAKE, VALIDATION
from tests.alerts.makers import T0, problem
from tests.alerts.receivers import Hook, Mailbox, free_port, running_hook, running_mail_server
from tests.orchestration.conftest import store_run


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[DagsterInstance]:
    """An instance on disk, which knows sensors' switches too."""
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        yield instance


@pytest.fixture
def hook() -> Iterator[Hook]:
    with running_hook() as hook:
        yield hook


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


def settings(tmp_path: Path, **environment: str) -> Settings:
    return Settings.from_environment({"FRAUD_DATA_DIR": str(tmp_path), **environment}, embedded={})


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


# What they find on the instance -----------------------------------------------------------------------


def scene(instance: DagsterInstance, tmp_path: Path, **changes: Any) -> Scene:
    usual = {"settings": settings(tmp_path), "instance": instance, "now": time.time()}
    return Scene(**usual | changes)


def found(sight: Sight) -> list[str]:
    return sorted(each.key for each in sight.problems)


def test_a_slot_whose_run_failed_is_found_until_its_successor_works(stored: DagsterInstance, tmp_path: Path) -> None:
    store_run(stored, LAKE, DagsterRunStatus.FAILURE, **{tags.REASON: "FRAUD_LAKE_BUCKET names no bucket."})
    sight = failed_runs.look(scene(stored, tmp_path))
    assert found(sight) == ["run:lake.0"]
    assert "(FRAUD_LAKE_BUCKET names no bucket)" in sight.problems[0].title
    store_run(stored, LAKE, DagsterRunStatus.STARTED)
    later = scene(stored, tmp_path, now=time.time() + 600)
    assert found(failed_runs.look(later)) == ["run:lake.0"]
    store_run(stored, LAKE, DagsterRunStatus.STARTED, **{tags.WORKING: f"{time.time():.0f}"})
    assert found(failed_runs.look(later)) == []


def test_stopped_and_cancelled_runs_are_no_failures(stored: DagsterInstance, tmp_path: Path) -> None:
    for status in (DagsterRunStatus.SUCCESS, DagsterRunStatus.CANCELED):
        store_run(stored, LAKE, status)
    assert found(failed_runs.look(scene(stored, tmp_path))) == []


def test_a_failure_that_was_made_good_stays_so_after_a_stop(stored: DagsterInstance, tmp_path: Path) -> None:
    later = scene(stored, tmp_path, now=time.time() + 600)
    store_run(stored, LAKE, DagsterRunStatus.FAILURE)
    store_run(stored, LAKE, DagsterRunStatus.CANCELED, **{tags.WORKING: f"{time.time():.0f}"})
    store_run(stored, LAKE, DagsterRunStatus.STARTED)
    assert found(failed_runs.look(later)) == []


def test_a_slot_that_was_stopped_before_it_worked_is_no_failure_any_more(
    stored: DagsterInstance, tmp_path: Path
) -> None:
    store_run(stored, LAKE, DagsterRunStatus.FAILURE)
    store_run(stored, LAKE, DagsterRunStatus.CANCELED, **{tags.ENDED_BY: tags.PLATFORM})
    assert found(failed_runs.look(scene(stored, tmp_path, now=time.time() + 600))) == []


def test_what_nobody_wants_any_more_is_no_trouble(stored: DagsterInstance, tmp_path: Path) -> None:
    for stage, slot in ((LAKE, 0), (LAKE, 1), (VALIDATION, 0)):
        store_run(stored, stage, DagsterRunStatus.FAILURE, slot=slot)
    keeper(stored, VALIDATION).off()
    known = scene(stored, tmp_path, told=["run:lake.1", "run:nightly"], jobs=["lake"])
    assert found(failed_runs.look(known)) == ["run:lake.0"]


def test_wrong_settings_of_a_slot_are_told_by_its_stage_alone(stored: DagsterInstance, tmp_path: Path) -> None:
    store_run(stored, LAKE, DagsterRunStatus.FAILURE, **{tags.ENDED_BY: tags.CONFIGURATION})
    assert found(failed_runs.look(scene(stored, tmp_path))) == []


def test_ad_hoc_work_is_told_by_what_it_is_about_and_for_a_day(instance: DagsterInstance, tmp_path: Path) -> None:
    is_broken = True

    @dg.asset
    def users() -> None:
        if is_broken:
            raise dg.Failure

    @dg.asset
    def results() -> None:
        raise dg.Failure

    by_hand = dg.Definitions(assets=[users, results]).resolve_implicit_global_asset_job_def()

    def materialize(asset: dg.AssetsDefinition) -> None:
        by_hand.execute_in_process(instance=instance, asset_selection=[asset.key], raise_on_error=False)

    materialize(users)
    materialize(results)
    later = scene(instance, tmp_path, now=time.time() + 600)
    assert found(failed_runs.look(later)) == ["run:ad-hoc:results", "run:ad-hoc:users"]
    is_broken = False
    materialize(users)
    assert found(failed_runs.look(later)) == ["run:ad-hoc:results"]
    tomorrow = scene(instance, tmp_path, now=time.time() + 86500, told=["run:ad-hoc:results"])
    assert found(failed_runs.look(tomorrow)) == []


def test_a_failed_job_is_followed_for_as_long_as_a_person_knows_of_it(
    instance: DagsterInstance, tmp_path: Path
) -> None:
    @dg.op
    def fail() -> None:
        raise dg.Failure(description="the row of ada@bank.example")

    @dg.job
    def nightly() -> None:
        fail()

    nightly.execute_in_process(instance=instance, raise_on_error=False)
    sight = failed_runs.look(scene(instance, tmp_path))
    assert found(sight) == ["run:nightly"]
    assert "ada@" not in str(sight)
    in_two_days = time.time() + 2 * 86400
    assert found(failed_runs.look(scene(instance, tmp_path, now=in_two_days))) == []
    known = scene(instance, tmp_path, now=in_two_days, told=["run:nightly"])
    assert found(failed_runs.look(known)) == ["run:nightly"]


def test_a_stage_that_switched_itself_off_is_found_and_one_that_was_stopped_is_not(
    stored: DagsterInstance, tmp_path: Path
) -> None:
    keeper(stored, VALIDATION).off()
    own = settings(tmp_path, FRAUD_REPLICAS="2")
    lake, stopped, banks = (
        slots.stage_slots(stored, own, {"lake": ["lake.0"]}, each) for each in (LAKE, VALIDATION, BANKS)
    )
    assert (lake.wanted, lake.live) == (["lake.0", "lake.1"], ["lake.0"])
    assert not stopped.is_on
    assert not banks.is_on
    assert found(slots.judge([lake, stopped, banks])) == ["slot:lake.1"]


def test_more_slots_than_partitions_stand_by(stored: DagsterInstance, tmp_path: Path) -> None:
    own = settings(tmp_path, FRAUD_REPLICAS="3", FRAUD_PARTITIONS="2")
    assert slots.stage_slots(stored, own, {}, LAKE).wanted == ["lake.0", "lake.1"]


def test_banks_live_by_their_run(stored: DagsterInstance, tmp_path: Path) -> None:
    keeper(stored, BANKS).on()
    own = settings(tmp_path)
    assert found(slots.judge([slots.stage_slots(stored, own, {}, BANKS)])) == ["slot:banks.0"]
    store_run(stored, BANKS, DagsterRunStatus.STARTED, **{tags.WORKING: f"{time.time():.0f}"})
    assert found(slots.judge([slots.stage_slots(stored, own, {}, BANKS)])) == []


def evaluate(instance: DagsterInstance, *, passed: bool, severity: dg.AssetCheckSeverity) -> dg.AssetCheckKey:
    @dg.asset_check(asset=dg.AssetKey(["kafka", "users"]))
    def ids_are_unique() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=passed, severity=severity, description="Look at the newest ids.")

    job = dg.define_asset_job("checks", selection=dg.AssetSelection.all_asset_checks())
    resolved = dg.Definitions(asset_checks=[ids_are_unique], jobs=[job]).resolve_job_def("checks")
    assert resolved.execute_in_process(instance=instance).success
    return ids_are_unique.check_key


Evaluate = Callable[..., dg.AssetCheckKey]


@pytest.mark.parametrize(
    ("severity", "told"), [(dg.AssetCheckSeverity.ERROR, "error"), (dg.AssetCheckSeverity.WARN, "warning")]
)
def test_a_failing_check_is_found_until_it_passes(
    instance: DagsterInstance, tmp_path: Path, severity: dg.AssetCheckSeverity, told: str
) -> None:
    key = evaluate(instance, passed=False, severity=severity)
    look = failing_checks.look(scene(instance, tmp_path, checks=[key]))
    assert found(look) == ["check:kafka/users:ids_are_unique"]
    assert (look.problems[0].severity, look.problems[0].text) == (told, "Look at the newest ids.")
    evaluate(instance, passed=True, severity=severity)
    assert found(failing_checks.look(scene(instance, tmp_path, checks=[key]))) == []


def test_a_check_that_never_ran_is_no_trouble(instance: DagsterInstance, tmp_path: Path) -> None:
    key = dg.AssetCheckKey(dg.AssetKey(["kafka", "users"]), "ids_are_unique")
    assert found(failing_checks.look(scene(instance, tmp_path, checks=[key]))) == []
    assert found(failing_checks.look(scene(instance, tmp_path))) == []


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


def test_the_validator_is_asked_once_and_briefly(instance: DagsterInstance, tmp_path: Path, hook: Hook) -> None:
    def look(**environment: str) -> list[str]:
        return found(validator.look(scene(instance, tmp_path, settings=settings(tmp_path, **environment))))

    assert look() == []
    assert look(FRAUD_VALIDATOR_URL=f"http://127.0.0.1:{free_port()}/validate") == ["validator"]
    there = hook.url.replace("services/s3cret", "validate")
    assert look(FRAUD_VALIDATOR_URL=there) == []
    hook.status = 503
    assert look(FRAUD_VALIDATOR_URL=there) == ["validator"]


# What Dagster shows -----------------------------------------------------------------------------------


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
