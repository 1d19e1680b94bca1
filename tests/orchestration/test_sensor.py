"""Keepers on a real instance: what they read there, and what they write."""

import json
import time
from collections.abc import Callable

import dagster as dg
import pytest
from dagster import DagsterInstance, DagsterRunStatus

from fraud_platform.definitions import defs
from fraud_platform.errors import ConfigurationError
from fraud_platform.orchestration import tags
from fraud_platform.orchestration.control import keeper
from fraud_platform.orchestration.sensor import keeper_sensor
from fraud_platform.orchestration.switches import OFF_MARK
from fraud_platform.settings import Settings
from fraud_platform.topology import BANKS, LAKE, Stage
from tests.fakes.cluster import FakeCluster
from tests.orchestration.conftest import say, store_run

Evaluate = Callable[..., dg.SensorResult]


@pytest.fixture
def evaluate(instance: DagsterInstance, cluster: FakeCluster, settings: Settings) -> Evaluate:
    """Evaluate a keeper as its daemon would, `later` seconds after the test first did."""
    begun: list[float] = []

    def run(stage: Stage = LAKE, *, later: float = 0.0, cursor: str = "", since: float = 0.0, **changes: str):
        current = settings.model_copy(update=changes)
        begun.append(time.time())
        sensor = keeper_sensor(
            stage,
            defs.resolve_job_def(tags.job_name(stage)),
            settings=lambda: current,
            make_cluster=lambda _: cluster,
            clock=lambda: begun[0] + later,
        )
        context = dg.build_sensor_context(instance=instance, cursor=cursor, last_sensor_start_time=since)
        return sensor(context)

    return run


def status_of(instance: DagsterInstance, run: dg.DagsterRun) -> DagsterRunStatus:
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    return found.status


def slots(result: dg.SensorResult) -> list[str]:
    return [request.tags[tags.SLOT] for request in result.run_requests or []]


def test_an_empty_instance_gets_a_run_per_slot(evaluate: Evaluate) -> None:
    result = evaluate(replicas="3")
    assert slots(result) == ["lake.0", "lake.1", "lake.2"]
    assert len({request.run_key for request in result.run_requests}) == 3


@pytest.mark.parametrize("status", ["NOT_STARTED", "STARTING", "STARTED", "CANCELING"])
def test_a_run_in_progress_keeps_its_slot(instance: DagsterInstance, evaluate: Evaluate, status: str) -> None:
    store_run(instance, LAKE, DagsterRunStatus(status))
    assert slots(evaluate()) == []


def test_a_dead_run_is_reported_failed_and_replaced(instance: DagsterInstance, evaluate: Evaluate) -> None:
    run = store_run(instance, LAKE, DagsterRunStatus.STARTED)
    assert slots(evaluate(later=13)) == ["lake.0"]
    assert status_of(instance, run) is DagsterRunStatus.FAILURE


def test_a_run_with_its_member_lives(instance: DagsterInstance, cluster: FakeCluster, evaluate: Evaluate) -> None:
    run = store_run(instance, LAKE, DagsterRunStatus.STARTED)
    cluster.join(LAKE, "0")
    assert slots(evaluate(later=10_000)) == []
    assert status_of(instance, run) is DagsterRunStatus.STARTED


def test_the_cursor_remembers_when_a_member_was_seen(
    instance: DagsterInstance, cluster: FakeCluster, evaluate: Evaluate
) -> None:
    run = store_run(instance, LAKE, DagsterRunStatus.STARTED)
    cluster.join(LAKE, "0")
    seen = evaluate(later=100)
    assert run.run_id in json.loads(seen.cursor)
    cluster.living.clear()
    assert slots(evaluate(later=110, cursor=seen.cursor)) == []
    assert slots(evaluate(later=113, cursor=seen.cursor)) == ["lake.0"]


@pytest.fixture
def successor(instance: DagsterInstance) -> dg.DagsterRun:
    """It waited for the slot when an operator cancelled the run before it."""
    cancelled = store_run(instance, LAKE, DagsterRunStatus.STARTED)
    waiting = store_run(instance, LAKE, DagsterRunStatus.NOT_STARTED)
    for event in (dg.DagsterEventType.RUN_CANCELING, dg.DagsterEventType.RUN_CANCELED):
        say(instance, cancelled, event)
    return waiting


def test_a_cancel_by_an_operator_ends_the_successor_that_waits(
    instance: DagsterInstance, successor: dg.DagsterRun, evaluate: Evaluate
) -> None:
    result = evaluate()
    assert slots(result) == []
    assert result.skip_reason.skip_message.startswith(f"{OFF_MARK}lake.0 was cancelled by an operator")
    assert not keeper(instance, LAKE).is_on
    assert status_of(instance, successor) is DagsterRunStatus.CANCELED


def test_a_person_who_has_just_switched_on_keeps_the_successor(
    instance: DagsterInstance, successor: dg.DagsterRun, evaluate: Evaluate
) -> None:
    keeper(instance, LAKE).off()
    keeper(instance, LAKE).on()
    evaluate(since=1.0)  # a tick that began before the person's click
    assert keeper(instance, LAKE).is_on
    assert status_of(instance, successor) is DagsterRunStatus.NOT_STARTED


def test_a_damaged_cursor_is_forgotten(instance: DagsterInstance, evaluate: Evaluate) -> None:
    store_run(instance, LAKE, DagsterRunStatus.STARTED)
    assert slots(evaluate(cursor="[broken")) == []


def test_a_broker_that_is_away_condemns_nobody(
    instance: DagsterInstance, cluster: FakeCluster, evaluate: Evaluate
) -> None:
    run = store_run(instance, LAKE, DagsterRunStatus.STARTED)
    cluster.is_down = True
    evaluate(later=10_000)
    assert status_of(instance, run) is DagsterRunStatus.STARTED


def test_a_canceling_run_without_a_process_is_cleared_and_the_stage_stays_down(
    instance: DagsterInstance, evaluate: Evaluate
) -> None:
    run = store_run(instance, LAKE, DagsterRunStatus.CANCELING)
    keeper(instance, LAKE).on()
    result = evaluate(later=60)
    assert status_of(instance, run) is DagsterRunStatus.CANCELED
    assert slots(result) == []
    assert not keeper(instance, LAKE).is_on


def test_an_operators_cancel_switches_the_keeper_off_and_says_why(
    instance: DagsterInstance, evaluate: Evaluate
) -> None:
    store_run(instance, LAKE, DagsterRunStatus.CANCELED)
    result = evaluate()
    assert result.skip_reason.skip_message.startswith(f"{OFF_MARK}lake.0 was cancelled by an operator")
    assert not keeper(instance, LAKE).is_on


def test_switching_on_again_fills_the_slot(instance: DagsterInstance, evaluate: Evaluate) -> None:
    store_run(instance, LAKE, DagsterRunStatus.CANCELED)
    evaluate()
    keeper(instance, LAKE).on()
    assert slots(evaluate(since=time.time() + 1)) == ["lake.0"]


def test_a_configuration_error_switches_the_keeper_off(instance: DagsterInstance, evaluate: Evaluate) -> None:
    marks = {tags.ENDED_BY: tags.CONFIGURATION, tags.REASON: "FRAUD_VALIDATOR_URL answers 404."}
    store_run(instance, LAKE, DagsterRunStatus.FAILURE, **marks)
    assert "FRAUD_VALIDATOR_URL answers 404" in evaluate().skip_reason.skip_message
    assert not keeper(instance, LAKE).is_on


def test_after_a_reload_a_run_of_the_old_code_is_asked_to_leave_and_followed(
    instance: DagsterInstance, cluster: FakeCluster, evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = store_run(instance, LAKE, DagsterRunStatus.STARTED, **{tags.CODE: "the code of before"})
    cluster.join(LAKE, "0")
    assert slots(evaluate()) == []  # the keeper's own process is older than the run
    monkeypatch.setattr("fraud_platform.orchestration.sensor.loaded_at", lambda: time.time() + 1)
    (request,) = evaluate().run_requests
    assert request.run_key == f"lake.0:{run.run_id}"
    assert instance.get_run_by_id(run.run_id).tags[tags.ENDED_BY] == tags.KEEPER


def test_runs_of_other_stages_do_not_count(instance: DagsterInstance, evaluate: Evaluate) -> None:
    store_run(instance, BANKS, DagsterRunStatus.STARTED)
    assert slots(evaluate(LAKE)) == ["lake.0"]


def test_banks_live_by_their_heartbeat(instance: DagsterInstance, evaluate: Evaluate) -> None:
    store_run(instance, BANKS, DagsterRunStatus.STARTED, **{tags.HEARTBEAT: f"{time.time():.0f}"})
    assert slots(evaluate(BANKS, later=25)) == []
    assert slots(evaluate(BANKS, later=45)) == ["banks.0"]


def test_wrong_settings_are_a_sentence_and_no_failed_tick(instance: DagsterInstance) -> None:
    def wrong() -> Settings:
        raise ConfigurationError("The settings are wrong: FRAUD_PARTITIONS: must be a number")

    sensor = keeper_sensor(LAKE, defs.resolve_job_def("lake"), settings=wrong)
    result = sensor(dg.build_sensor_context(instance=instance))
    assert "FRAUD_PARTITIONS" in result.skip_message
