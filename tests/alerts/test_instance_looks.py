"""What the looks find on a real instance of Dagster, and of a validator."""

import time
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance, DagsterRunStatus

from fraud_platform.alerts import failed_runs, failing_checks, slots, validator
from fraud_platform.orchestration import tags
from fraud_platform.orchestration.control import keeper
from fraud_platform.topology import BANKS, LAKE, VALIDATION
from tests.alerts.makers import found, scene, settings
from tests.alerts.receivers import Hook, free_port
from tests.orchestration.conftest import store_run


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


def test_the_validator_is_asked_once_and_briefly(instance: DagsterInstance, tmp_path: Path, hook: Hook) -> None:
    def look(**environment: str) -> list[str]:
        return found(validator.look(scene(instance, tmp_path, settings=settings(tmp_path, **environment))))

    assert look() == []
    assert look(FRAUD_VALIDATOR_URL=f"http://127.0.0.1:{free_port()}/validate") == ["validator"]
    there = hook.url.replace("services/s3cret", "validate")
    assert look(FRAUD_VALIDATOR_URL=there) == []
    hook.status = 503
    assert look(FRAUD_VALIDATOR_URL=there) == ["validator"]
