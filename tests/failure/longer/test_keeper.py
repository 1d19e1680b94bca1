"""One consumer per slot, whatever happens to the keeper: two daemons, a daemon killed in a tick, launches by hand."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from dagster import DagsterInstance, DagsterRunStatus
from dagster._core.scheduler.instigation import TickStatus

from fraud_platform.local.stack import Stack, clean_environment
from fraud_platform.orchestration import control, runs
from fraud_platform.orchestration.keeper import SlotRun
from fraud_platform.settings import Settings
from fraud_platform.topology import INGESTION
from tests.failure.arena import SEED
from tests.failure.through_dagster import traffic_for_ingestion, verdict
from tests.orchestration.live import (
    is_replaced,
    most_at_once,
    pid_at_work,
    pid_of,
    run_of_ingestion,
    seconds_until,
    status,
    working,
)
from tests.patience import AT_WORK

# The heaviest trials take turns on one worker.
pytestmark = [
    pytest.mark.services, pytest.mark.long, pytest.mark.timeout(3000), pytest.mark.xdist_group("dagster"),
]  # fmt: skip

OP_BACK_S, CANCELED_S, PATIENCE_S = 30, 10, 180
LINES = 40_000
TWO_LOOKS_S = 25


def dagster(stack: Stack, module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments, "-w", str(stack.folder.root / "dagster" / "workspace.yaml")]


def environment(stack: Stack) -> dict[str, str]:
    own = {"DAGSTER_HOME": str(stack.folder.dagster_home), "FRAUD_DATA_DIR": str(stack.folder.root)}
    return {**clean_environment(), **own}


@contextmanager
def second_daemon(stack: Stack, log: Path) -> Iterator[None]:
    """A stranger's daemon on the same history: each sensor is evaluated by two, each queue read by two."""
    with log.open("wb") as output:
        command = dagster(stack, "dagster._daemon", "run")
        daemon = subprocess.Popen(command, env=environment(stack), stdout=output, stderr=output)
        try:
            seconds_until(lambda: "SensorDaemon" in log.read_text(), PATIENCE_S)
            yield
            assert daemon.poll() is None
        finally:
            daemon.kill()
            daemon.wait()


def launch_by_hand(stack: Stack, home: DagsterInstance) -> SlotRun:
    """`dagster job launch`; the new run."""
    before = {run.run_id for run in runs.in_progress(home, INGESTION)}
    command = dagster(stack, "dagster", "job", "launch", "-l", "fraud_platform", "-j", INGESTION.name)
    done = subprocess.run(command, env=environment(stack), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (extra,) = [run for run in runs.in_progress(home, INGESTION) if run.run_id not in before]
    return extra


def is_in_a_tick(home: DagsterInstance) -> bool:
    state = control.keeper(home, INGESTION)._state()
    ticks = home.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
    return bool(ticks) and ticks[0].status is TickStatus.STARTED


def kill_op(home: DagsterInstance) -> int:
    """kill -9 of the process at work."""
    seconds_until(lambda: pid_at_work(home) is not None, PATIENCE_S)
    victim = pid_at_work(home)
    os.kill(victim, signal.SIGKILL)
    return victim


def seconds_until_filled(home: DagsterInstance, victim: int) -> float:
    """Until another process works in its place, of one open run, which two daemons may have started twice."""
    took = seconds_until(lambda: pid_at_work(home) not in (None, victim), PATIENCE_S)
    assert len(runs.in_progress(home, INGESTION)) == 1
    return took


def kill_under_two_daemons(stack: Stack, home: DagsterInstance, log: Path, times: int) -> list[float]:
    with second_daemon(stack, log):
        return [seconds_until_filled(home, kill_op(home)) for _ in range(times)]


def kill_daemon_in_a_tick(stack: Stack, home: DagsterInstance) -> float:
    """Just when the keeper fills the slot anew; seconds until it is filled nevertheless."""
    victim = kill_op(home)
    seconds_until(lambda: is_in_a_tick(home), PATIENCE_S)
    killed = stack.kill("dagster-daemon")
    took = seconds_until_filled(home, victim)
    stack.wait_restarted("dagster-daemon", killed)
    return took


def launch_beside_the_keeper(stack: Stack, home: DagsterInstance) -> float:
    """The extra run waits as long as the slot is filled, then has it: no run of the keeper's beside it."""
    (run,) = working(home)
    extra = launch_by_hand(stack, home)
    seconds_until(lambda: status(home, extra) is DagsterRunStatus.QUEUED, PATIENCE_S)
    time.sleep(TWO_LOOKS_S)
    assert status(home, extra) is DagsterRunStatus.QUEUED
    os.kill(pid_of(run), signal.SIGKILL)
    took = seconds_until(lambda: is_replaced(home, run), PATIENCE_S)
    assert [each.run_id for each in runs.in_progress(home, INGESTION)] == [extra.run_id]
    return took


def test_a_slot_has_one_consumer_and_repeats_nothing_whatever_befalls_its_keeper(
    stack: Stack, home: DagsterInstance, tmp_path: Path, sized, note
) -> None:
    settings = stack.settings()
    run_of_ingestion(settings, home)
    with most_at_once(settings) as most, traffic_for_ingestion(settings, tmp_path, lines=LINES, seed=SEED):
        by_two = kill_under_two_daemons(stack, home, tmp_path / "daemon.log", sized(5))
        control.restart_stage(settings, INGESTION)  # a run that was started twice must not help in what follows
        in_ticks = [kill_daemon_in_a_tick(stack, home) for _ in range(sized(10))]
        by_hand = launch_beside_the_keeper(stack, home)
    report = verdict(settings, tmp_path)
    note(
        filled_by_two_daemons=len(by_two), daemons_killed_in_a_tick=len(in_ticks), consumers_at_once=most[0],
        longest_s={"two daemons": max(by_two), "killed daemon": max(in_ticks), "by hand": by_hand},
    )  # fmt: skip
    assert most == [1]
    assert report["faults"] == [], f"repeat with FRAUD_FAILURE_SEED={SEED}"


def test_a_killed_op_is_replaced_within_half_a_minute_at_the_95th_percentile(
    live_settings: Settings, home: DagsterInstance, sized, note
) -> None:
    took = []
    for _ in range(sized(20)):
        run = run_of_ingestion(live_settings, home)
        os.kill(pid_of(run), signal.SIGKILL)
        took.append(seconds_until(lambda run=run: is_replaced(home, run), 120))
        assert len(working(home)) == 1
    worst = sorted(took)[int(0.95 * (len(took) - 1))]
    note(kills=len(took), p95_s=round(worst, 1), longest_s=round(max(took), 1))
    assert worst <= AT_WORK * OP_BACK_S


def test_terminated_runs_end_canceled_and_are_not_started_again(
    live_settings: Settings, home: DagsterInstance, sized, note
) -> None:
    took = []
    for _ in range(sized(10)):
        run = run_of_ingestion(live_settings, home)
        home.run_launcher.terminate(run.run_id)
        took.append(seconds_until(lambda run=run: status(home, run) is DagsterRunStatus.CANCELED, 60))
        seconds_until(lambda run=run: not psutil.pid_exists(pid_of(run)), 60)
        seconds_until(lambda: not control.keeper(home, INGESTION).is_on, 60)
        assert runs.in_progress(home, INGESTION) == []
    note(terminations=len(took), longest_s=round(max(took), 1))
    assert max(took) <= AT_WORK * CANCELED_S
