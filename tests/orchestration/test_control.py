"""Stopping and starting from outside, on a real instance in a data folder; the ops are real processes."""

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from dagster import DagsterInstance, DagsterRunStatus

from fraud_platform.orchestration import control, runs, tags
from fraud_platform.settings import Settings
from fraud_platform.topology import BANKS, INGESTION, LAKE, STAGES
from tests.orchestration.conftest import store_run
from tests.orchestration.test_watch import becomes

PATIENCE_S = 60

OP = """
import sys, signal
from dagster import DagsterInstance
from fraud_platform.orchestration import tags
from fraud_platform.orchestration.watch import RunWatch
from fraud_platform.runtime.stop import stop_on_signals
# Dagster's run process holds back a signal that comes when the op has left already; so does this one.
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
with DagsterInstance.from_config(sys.argv[1]) as instance, stop_on_signals() as stop:
    with RunWatch(instance, sys.argv[2], stop, check_s=0.2) as watch:
        watch.working(seen_elsewhere=True)
        watch.judging_by("7b6c4fd75b261df2", "5f8f14ea6a2fb595 (35 %)")
        stop.wait(60)
    run = instance.get_run_by_id(sys.argv[2])
    if run.status.value == "CANCELING" and "obey" in sys.argv:
        instance.report_run_canceled(run)
    elif "obey" not in sys.argv:
        signal.pause()
"""


@pytest.fixture
def home(settings: Settings) -> Iterator[DagsterInstance]:
    with control.open_instance(settings) as instance:
        yield instance


@pytest.fixture
def op(settings: Settings, home: DagsterInstance) -> Iterator[subprocess.Popen[bytes]]:
    """A stored run of the lake and the process that fills it."""
    run = store_run(home, LAKE, DagsterRunStatus.STARTED)
    with subprocess.Popen([sys.executable, "-c", OP, home.root_directory, run.run_id, "obey"]) as process:
        wait_for_work(settings)
        yield process
        process.kill()


def wait_for_work(settings: Settings) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while control.stage_state(settings, LAKE).working != 1:
        assert time.monotonic() < deadline, "the op never said that it works"
        time.sleep(0.2)


def state_of(settings: Settings, name: str) -> control.StageState:
    return next(state for state in control.stage_states(settings) if state.name == name)


def test_a_fresh_home_has_every_keeper_on_but_the_banks(settings: Settings) -> None:
    on = [state.name for state in control.stage_states(settings) if state.keeper_on]
    assert on == [name for name in STAGES if name != "banks"]


def test_without_a_home_there_is_nothing_to_stop(settings: Settings) -> None:
    assert control.stop_everything(settings) == []
    assert not settings.data_dir.exists()


def test_stop_everything_ends_the_op_without_webserver_or_code_server(
    settings: Settings, home: DagsterInstance, op: subprocess.Popen[bytes]
) -> None:
    begun = time.monotonic()
    assert control.stop_everything(settings, PATIENCE_S) == []
    assert time.monotonic() - begun < 30
    assert op.wait(PATIENCE_S) == 0
    last = runs.last_ended(home, "lake.0")
    assert (last.status, last.ended_by) == (DagsterRunStatus.CANCELED, tags.PLATFORM)
    assert not any(state.keeper_on for state in control.stage_states(settings))


def test_a_run_whose_process_is_gone_is_cleared_at_once(
    settings: Settings, home: DagsterInstance, op: subprocess.Popen[bytes]
) -> None:
    op.kill()
    op.wait()
    assert state_of(settings, "lake").working == 0
    begun = time.monotonic()
    assert control.stop_everything(settings, PATIENCE_S) == []
    assert time.monotonic() - begun < 15
    assert runs.last_ended(home, "lake.0").status is DagsterRunStatus.CANCELED


def test_a_run_that_does_not_leave_is_given_up_in_time(settings: Settings, home: DagsterInstance) -> None:
    run = store_run(home, LAKE, DagsterRunStatus.STARTED)
    assert control.stop_everything(settings, timeout_s=1) == [run.run_id]
    assert home.get_run_by_id(run.run_id).status is DagsterRunStatus.CANCELED


def test_a_run_that_never_started_is_cancelled(settings: Settings, home: DagsterInstance) -> None:
    run = store_run(home, LAKE, DagsterRunStatus.NOT_STARTED)
    assert control.stop_everything(settings, PATIENCE_S) == []
    assert home.get_run_by_id(run.run_id).status is DagsterRunStatus.CANCELED


def test_starting_again_restores_each_keepers_state(settings: Settings, home: DagsterInstance) -> None:
    control.keeper(home, LAKE).off()
    control.keeper(home, BANKS).on()
    control.stop_everything(settings)
    control.start_keepers(settings)
    off = [state.name for state in control.stage_states(settings) if not state.keeper_on]
    assert off == ["lake"]


def test_a_second_stop_forgets_nothing(settings: Settings, home: DagsterInstance) -> None:
    control.stop_everything(settings)
    control.stop_everything(settings)
    control.start_keepers(settings)
    assert control.keeper(home, INGESTION).is_on


@pytest.mark.parametrize(
    ("demo", "by_default", "banks_on"),
    [(None, True, True), (None, False, False), (True, False, True), (False, True, False)],
)
def test_the_demo_runs_as_asked(
    settings: Settings, home: DagsterInstance, demo: bool | None, by_default: bool, banks_on: bool
) -> None:
    control.start_keepers(settings, demo, demo_by_default=by_default)
    assert control.keeper(home, BANKS).is_on is banks_on


def test_an_operators_wish_outlives_the_default(settings: Settings, home: DagsterInstance) -> None:
    control.start_keepers(settings, demo_by_default=True)
    control.keeper(home, BANKS).off()
    control.stop_everything(settings)
    control.start_keepers(settings, demo_by_default=True)
    assert not control.keeper(home, BANKS).is_on


def test_stopping_one_stage_leaves_the_others(settings: Settings, home: DagsterInstance) -> None:
    other = store_run(home, INGESTION, DagsterRunStatus.STARTED)
    control.stop_stage(settings, LAKE)
    assert not control.keeper(home, LAKE).is_on
    assert home.get_run_by_id(other.run_id).status is DagsterRunStatus.STARTED


def test_a_restarted_stage_has_its_keeper_on_and_its_old_run_ended(
    settings: Settings, home: DagsterInstance, op: subprocess.Popen[bytes]
) -> None:
    assert control.restart_stage(settings, LAKE, PATIENCE_S) == []
    assert op.wait(PATIENCE_S) == 0
    assert control.keeper(home, LAKE).is_on


def test_waiting_ends_in_time_and_says_who_is_late(settings: Settings, home: DagsterInstance) -> None:
    states = control.wait_until_consuming(settings, 0.1)
    late = [state.name for state in states if state.keeper_on and not control.is_working(state, settings)]
    assert "ingestion" in late


def test_waiting_counts_a_working_op_which_tells_by_which_rules_it_judges(
    settings: Settings, op: subprocess.Popen[bytes]
) -> None:
    assert control.is_working(state_of(settings, "lake"), settings)
    assert becomes(lambda: control.stage_state(settings, LAKE).judges_by == {"lake.0": "7b6c4fd75b261df2"})
    assert control.stage_state(settings, LAKE).makes_ready == {"lake.0": "5f8f14ea6a2fb595 (35 %)"}
