"""A real daemon, code server and broker: what the keeper promises, measured on the clock."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from dagster import DagsterInstance, DagsterRunStatus

from fraud_platform.local.stack import Stack, clean_environment, running
from fraud_platform.orchestration import control, runs
from fraud_platform.orchestration.keeper import SlotRun
from fraud_platform.settings import Settings
from fraud_platform.topology import INGESTION, STAGES
from tests.failure.through_dagster import kill_ingestion_under_traffic, verdict

pytestmark = [pytest.mark.services, pytest.mark.failure, pytest.mark.timeout(300)]

SERVICES = ("kafka", "registry", "mongod", "s3", "dagster-code", "dagster-daemon")
KILLS = 2


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose only live stage is ingestion."""
    folder = tmp_path_factory.mktemp("live")
    environment = {**clean_environment(), "FRAUD_DATA_DIR": str(folder), "FRAUD_PII_KEY": "a key for tests"}
    with control.open_instance(Settings.from_environment({"FRAUD_DATA_DIR": str(folder)})) as instance:
        for stage in STAGES.values():
            if stage is not INGESTION:
                control.keeper(instance, stage).off()
    with running(folder, services=SERVICES, environment=environment) as stack:
        yield stack
        control.stop_everything(stack.settings())


@pytest.fixture
def settings(stack: Stack) -> Settings:
    return stack.settings()


@pytest.fixture
def home(settings: Settings) -> Iterator[DagsterInstance]:
    with control.open_instance(settings) as instance:
        yield instance


@pytest.fixture
def run(settings: Settings, home: DagsterInstance) -> SlotRun:
    """The run that fills the slot; the keeper is on."""
    control.start_stage(settings, INGESTION)
    control.wait_until_consuming(settings, 60)
    (found,) = working(home)
    return found


def working(home: DagsterInstance) -> list[SlotRun]:
    return [run for run in runs.in_progress(home, INGESTION) if run.working_since]


def pid_at_work(home: DagsterInstance) -> int | None:
    """The process of the only run that works; None while there is none that lives."""
    pids = [pid_of(run) for run in working(home)]
    return pids[0] if len(pids) == 1 and psutil.pid_exists(pids[0]) else None


def pid_of(run: SlotRun) -> int:
    return int(run.process.split(":")[-2])


def seconds_until(question: Callable[[], bool], limit_s: float) -> float:
    begun = time.monotonic()
    while not question():
        assert time.monotonic() - begun < limit_s, f"not within {limit_s} s"
        time.sleep(0.1)
    return time.monotonic() - begun


def is_replaced(home: DagsterInstance, run: SlotRun) -> bool:
    return any(each.run_id != run.run_id for each in working(home))


def status(home: DagsterInstance, run: SlotRun) -> DagsterRunStatus:
    return home.get_run_by_id(run.run_id).status


def test_a_killed_op_is_consuming_again_within_30_s(home: DagsterInstance, run: SlotRun) -> None:
    os.kill(pid_of(run), signal.SIGKILL)
    seconds_until(lambda: is_replaced(home, run), 30)
    assert status(home, run) is DagsterRunStatus.FAILURE


def test_kills_under_traffic_lose_and_repeat_nothing(
    settings: Settings, home: DagsterInstance, run: SlotRun, tmp_path: Path
) -> None:
    """The keeper alone brings the stage back; the verifier knows only inputs, topics and stores."""
    seed = random.SystemRandom().randrange(1_000_000)
    opened = kill_ingestion_under_traffic(settings, tmp_path, lambda: pid_at_work(home), kills=KILLS, seed=seed)
    assert len(opened) == KILLS
    assert all(opened)
    assert is_replaced(home, run)
    report = verdict(settings, tmp_path)
    assert report["faults"] == [], f"inputs of seed {seed}"
    assert sum(report["fates"].values()) == report["topics"]["bank-transactions"] >= 1_000


def test_an_op_outlives_its_code_server_and_is_replaced_when_it_dies(
    stack: Stack, home: DagsterInstance, run: SlotRun
) -> None:
    killed = stack.kill("dagster-code")
    stack.wait_restarted("dagster-code", killed)
    assert psutil.pid_exists(pid_of(run))
    assert status(home, run) is DagsterRunStatus.STARTED
    os.kill(pid_of(run), signal.SIGKILL)
    seconds_until(lambda: is_replaced(home, run), 60)
    assert status(home, run) is DagsterRunStatus.FAILURE


def test_an_orphaned_op_can_still_be_stopped(stack: Stack, home: DagsterInstance, run: SlotRun) -> None:
    killed = stack.kill("dagster-code")
    stack.wait_restarted("dagster-code", killed)
    home.run_launcher.terminate(run.run_id)
    seconds_until(lambda: status(home, run) is DagsterRunStatus.CANCELED, 10)
    seconds_until(lambda: not psutil.pid_exists(pid_of(run)), 10)


def test_a_terminated_run_ends_canceled_and_the_stage_stays_down_until_switched_on(
    home: DagsterInstance, run: SlotRun
) -> None:
    home.run_launcher.terminate(run.run_id)
    seconds_until(lambda: status(home, run) is DagsterRunStatus.CANCELED, 10)
    switch = control.keeper(home, INGESTION)
    seconds_until(lambda: not switch.is_on, 30)
    seconds_until(lambda: "cancelled by an operator" in switch.last_words, 10)
    assert runs.in_progress(home, INGESTION) == []
    switch.on()
    seconds_until(lambda: is_replaced(home, run), 30)


def test_nothing_is_left_after_stop_everything(settings: Settings, home: DagsterInstance, run: SlotRun) -> None:
    assert control.stop_everything(settings) == []
    seconds_until(lambda: not psutil.pid_exists(pid_of(run)), 10)
    assert runs.last_ended(home, run.slot).status is DagsterRunStatus.CANCELED
    control.start_keepers(settings)
