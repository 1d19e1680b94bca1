"""A run's own eye on itself, on a real instance."""

import time
from collections.abc import Callable

import pytest
from dagster import DagsterInstance, DagsterRunStatus

from fraud_platform.orchestration import tags
from fraud_platform.orchestration.code import own_code
from fraud_platform.orchestration.watch import RunWatch
from fraud_platform.runtime.stop import StopRequest
from fraud_platform.topology import LAKE
from tests.orchestration.conftest import store_run


def becomes(question: Callable[[], bool], timeout_s: float = 60.0) -> bool:
    """Whether the answer turns to yes in time."""
    deadline = time.monotonic() + timeout_s
    while not question() and time.monotonic() < deadline:
        time.sleep(0.01)
    return question()


def tag(instance: DagsterInstance, run_id: str, name: str) -> str | None:
    return instance.get_run_by_id(run_id).tags.get(name)


@pytest.mark.parametrize(
    "end", ["report_run_canceling", "report_run_canceled", "report_run_failed"], ids=lambda name: name[11:]
)
def test_a_run_leaves_when_its_stored_status_says_so(instance: DagsterInstance, end: str) -> None:
    run, stop = store_run(instance, LAKE, DagsterRunStatus.STARTED), StopRequest()
    with RunWatch(instance, run.run_id, stop, check_s=0.02):
        assert not stop()
        getattr(instance, end)(run)
        assert stop.wait(60)
    assert not stop.by_signal


def test_a_waiting_run_beats_until_it_is_seen_elsewhere(instance: DagsterInstance) -> None:
    run = store_run(instance, LAKE, DagsterRunStatus.STARTED)
    with RunWatch(instance, run.run_id, StopRequest(), check_s=0.02) as watch:
        assert becomes(lambda: tag(instance, run.run_id, tags.HEARTBEAT) is not None)
        watch.working(seen_elsewhere=True)
        assert becomes(lambda: tag(instance, run.run_id, tags.WORKING) is not None)
        instance.add_run_tags(run.run_id, {tags.HEARTBEAT: "5"})
        time.sleep(0.2)  # ten chances to beat
    assert tag(instance, run.run_id, tags.HEARTBEAT) == "5"


def test_a_run_that_nobody_else_can_see_goes_on_beating(instance: DagsterInstance) -> None:
    run = store_run(instance, LAKE, DagsterRunStatus.STARTED)
    with RunWatch(instance, run.run_id, StopRequest(), check_s=0.02) as watch:
        watch.working(seen_elsewhere=False)
        assert becomes(lambda: tag(instance, run.run_id, tags.WORKING) is not None)
        instance.add_run_tags(run.run_id, {tags.HEARTBEAT: "5"})
        assert becomes(lambda: tag(instance, run.run_id, tags.HEARTBEAT) != "5")


def test_a_re_executed_run_forgets_how_its_parent_ended(instance: DagsterInstance) -> None:
    run = store_run(instance, LAKE, DagsterRunStatus.STARTED, **{tags.ENDED_BY: tags.CONFIGURATION})
    with RunWatch(instance, run.run_id, StopRequest(), check_s=0.02):
        assert becomes(lambda: tag(instance, run.run_id, tags.PROCESS) is not None)
    assert tag(instance, run.run_id, tags.ENDED_BY) == ""


def test_a_history_that_cannot_be_read_stops_nothing(
    instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def locked(run_id: str) -> None:
        asked.append(run_id)
        raise RuntimeError("database is locked")

    monkeypatch.setattr(instance, "get_run_by_id", locked)
    stop = StopRequest()
    with RunWatch(instance, "r1", stop, check_s=0.01):
        assert becomes(lambda: len(asked) > 2)
    assert not stop()


def store_ending(instance: DagsterInstance, *, canceling: bool) -> tuple[str, StopRequest]:
    run = store_run(instance, LAKE, DagsterRunStatus.STARTED)
    if canceling:
        instance.report_run_canceling(run)
    return run.run_id, StopRequest()


@pytest.mark.parametrize(
    ("canceling", "status"), [(True, DagsterRunStatus.CANCELED), (False, DagsterRunStatus.FAILURE)]
)
def test_an_op_that_does_not_leave_is_ended_with_its_run_on_record(
    instance: DagsterInstance, canceling: bool, status: DagsterRunStatus
) -> None:
    run_id, stop = store_ending(instance, canceling=canceling)
    stop.set()
    exits: list[int] = []
    with RunWatch(instance, run_id, stop, check_s=0.02, leave_s=0.1, end_process=exits.append):
        assert becomes(lambda: exits == [1])
    assert instance.get_run_by_id(run_id).status is status


def test_a_loop_that_no_longer_comes_round_is_ended(instance: DagsterInstance) -> None:
    run_id, stop = store_ending(instance, canceling=False)
    exits: list[int] = []
    with RunWatch(instance, run_id, stop, check_s=0.02, stall_s=0.2, end_process=exits.append):
        assert becomes(lambda: exits == [1])
    assert instance.get_run_by_id(run_id).status is DagsterRunStatus.FAILURE


class Clock:
    """Stands still until told otherwise; counts how often it was read."""

    def __init__(self) -> None:
        self.now = 0.0
        self.looks = 0

    def __call__(self) -> float:
        self.looks += 1
        return self.now


def test_a_loop_that_comes_round_lives(instance: DagsterInstance) -> None:
    run_id, stop = store_ending(instance, canceling=False)
    exits: list[int] = []
    clock = Clock()
    with RunWatch(instance, run_id, stop, check_s=0.02, stall_s=3, end_process=exits.append, clock=clock) as watch:
        for _ in range(4):
            clock.now += 2
            assert not watch.should_stop()
            before = clock.looks
            assert becomes(lambda before=before: clock.looks > before)
    assert exits == []


def test_a_run_says_which_code_it_runs_and_when_it_will_leave(instance: DagsterInstance) -> None:
    run = store_run(instance, LAKE, DagsterRunStatus.STARTED)
    with RunWatch(instance, run.run_id, StopRequest(), check_s=0.02) as watch:
        watch.leaves_at(1_700_000_000.4)
        assert becomes(lambda: tag(instance, run.run_id, tags.LEAVES_AT) == "1700000000")
    assert tag(instance, run.run_id, tags.CODE) == own_code()
