"""A real daemon, code server and broker: what the keeper promises, measured on the clock."""

import os
import random
import signal
from pathlib import Path

import psutil
import pytest
from dagster import DagsterInstance, DagsterRunStatus

from fraud_platform.local.stack import Stack
from fraud_platform.orchestration import control, runs
from fraud_platform.orchestration.keeper import SlotRun
from fraud_platform.settings import Settings
from fraud_platform.topology import INGESTION
from tests.failure.through_dagster import kill_ingestion_under_traffic, verdict
from tests.orchestration.live import (
    is_replaced,
    pid_at_work,
    pid_of,
    run_of_ingestion,
    seconds_until,
    status,
)
from tests.patience import AT_WORK

pytestmark = [pytest.mark.services, pytest.mark.failure, pytest.mark.timeout(300)]

KILLS = 2


@pytest.fixture
def run(live_settings: Settings, home: DagsterInstance) -> SlotRun:
    """The run that fills the slot; the keeper is on."""
    return run_of_ingestion(live_settings, home)


def test_a_killed_op_is_consuming_again_within_30_s(home: DagsterInstance, run: SlotRun) -> None:
    os.kill(pid_of(run), signal.SIGKILL)
    seconds_until(lambda: is_replaced(home, run), AT_WORK * 30)
    assert status(home, run) is DagsterRunStatus.FAILURE


def test_kills_under_traffic_lose_and_repeat_nothing(
    live_settings: Settings, home: DagsterInstance, run: SlotRun, tmp_path: Path
) -> None:
    """The keeper alone brings the stage back; the verifier knows only inputs, topics and stores."""
    seed = random.SystemRandom().randrange(1_000_000)
    opened = kill_ingestion_under_traffic(live_settings, tmp_path, lambda: pid_at_work(home), kills=KILLS, seed=seed)
    assert len(opened) == KILLS
    assert all(opened)
    assert is_replaced(home, run)
    report = verdict(live_settings, tmp_path)
    assert report["faults"] == [], f"inputs of seed {seed}"
    lines = report["topics"]["transaction.input"] - report["sent_again"]
    assert sum(report["fates"].values()) == report["topics"]["bank-transactions"] + lines >= 1_000


def test_an_op_outlives_its_code_server_and_is_replaced_when_it_dies(
    stack: Stack, home: DagsterInstance, run: SlotRun
) -> None:
    killed = stack.kill("dagster-code")
    stack.wait_restarted("dagster-code", killed)
    assert psutil.pid_exists(pid_of(run))
    assert status(home, run) is DagsterRunStatus.STARTED
    os.kill(pid_of(run), signal.SIGKILL)
    seconds_until(lambda: is_replaced(home, run), AT_WORK * 60)
    assert status(home, run) is DagsterRunStatus.FAILURE


def test_an_orphaned_op_can_still_be_stopped(stack: Stack, home: DagsterInstance, run: SlotRun) -> None:
    killed = stack.kill("dagster-code")
    stack.wait_restarted("dagster-code", killed)
    home.run_launcher.terminate(run.run_id)
    seconds_until(lambda: status(home, run) is DagsterRunStatus.CANCELED, AT_WORK * 10)
    seconds_until(lambda: not psutil.pid_exists(pid_of(run)), AT_WORK * 10)


def test_a_terminated_run_ends_canceled_and_the_stage_stays_down_until_switched_on(
    home: DagsterInstance, run: SlotRun
) -> None:
    home.run_launcher.terminate(run.run_id)
    seconds_until(lambda: status(home, run) is DagsterRunStatus.CANCELED, AT_WORK * 10)
    switch = control.keeper(home, INGESTION)
    seconds_until(lambda: not switch.is_on, AT_WORK * 30)
    seconds_until(lambda: "cancelled by an operator" in switch.last_words, AT_WORK * 10)
    assert runs.in_progress(home, INGESTION) == []
    switch.on()
    seconds_until(lambda: is_replaced(home, run), AT_WORK * 30)


def test_nothing_is_left_after_stop_everything(live_settings: Settings, home: DagsterInstance, run: SlotRun) -> None:
    assert control.stop_everything(live_settings) == []
    seconds_until(lambda: not psutil.pid_exists(pid_of(run)), AT_WORK * 10)
    assert runs.last_ended(home, run.slot).status is DagsterRunStatus.CANCELED
    control.start_keepers(live_settings)
