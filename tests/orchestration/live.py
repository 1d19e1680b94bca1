"""A live stack whose only running stage is ingestion, under a real daemon and code server."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from confluent_kafka import KafkaException
from dagster import DagsterInstance, DagsterRunStatus

from fraud_platform.local.stack import Stack, clean_environment, running
from fraud_platform.orchestration import control, runs
from fraud_platform.orchestration.keeper import SlotRun
from fraud_platform.orchestration.processes import is_gone
from fraud_platform.settings import Settings
from fraud_platform.topology import INGESTION, STAGES

SERVICES = ("kafka", "registry", "mongod", "s3", "dagster-code", "dagster-daemon")


@contextmanager
def live_stack(folder: Path, **more: str) -> Iterator[Stack]:
    """Ready inside the block; the keepers of the other stages are off. `more` goes into its environment."""
    environment = {**clean_environment(), "FRAUD_DATA_DIR": str(folder), "FRAUD_PII_KEY": "a key for tests", **more}
    with control.open_instance(Settings.from_environment({"FRAUD_DATA_DIR": str(folder)})) as instance:
        for stage in STAGES.values():
            if stage is not INGESTION:
                control.keeper(instance, stage).off()
    with running(folder, services=SERVICES, environment=environment) as stack:
        yield stack
        control.stop_everything(stack.settings())


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The live stack of a module; directories show these three to their tests by importing them in conftest.py."""
    with live_stack(tmp_path_factory.mktemp("live")) as stack:
        yield stack


@pytest.fixture
def live_settings(stack: Stack) -> Settings:
    return stack.settings()


@pytest.fixture
def home(live_settings: Settings) -> Iterator[DagsterInstance]:
    with control.open_instance(live_settings) as instance:
        yield instance


def run_of_ingestion(settings: Settings, home: DagsterInstance) -> SlotRun:
    """The run that fills the slot, with the keeper on."""
    control.start_stage(settings, INGESTION)
    control.wait_until_consuming(settings, 60)
    seconds_until(lambda: len(working(home)) == 1, 60)  # a run that has just left may still count as a member
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
    """A broker that does not answer yet counts as no."""
    begun = time.monotonic()
    while not _holds(question):
        assert time.monotonic() - begun < limit_s, f"not within {limit_s} s"
        time.sleep(0.1)
    return round(time.monotonic() - begun, 1)


def _holds(question: Callable[[], bool]) -> bool:
    try:
        return question()
    except KafkaException:
        return False


@contextmanager
def most_at_once(settings: Settings) -> Iterator[list[int]]:
    """How many living processes worked for the slot at the same moment, looked at five times a second."""
    most, ended = [0], threading.Event()

    def watch() -> None:
        with control.open_instance(settings) as instance:
            while not ended.wait(0.2):
                most[0] = max(most[0], sum(not is_gone(run.process) for run in working(instance)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield most
    finally:
        ended.set()
        watcher.join()


def is_replaced(home: DagsterInstance, run: SlotRun) -> bool:
    return any(each.run_id != run.run_id for each in working(home))


def status(home: DagsterInstance, run: SlotRun) -> DagsterRunStatus:
    return home.get_run_by_id(run.run_id).status
