"""How a long run ends, as Dagster's own machinery sees it."""

import contextlib
import os
import signal
from collections.abc import Callable

import dagster as dg
import pytest
from dagster import DagsterInstance, DagsterRunStatus

from fraud_platform.errors import BrokerUnavailable, ConfigurationError, Fenced
from fraud_platform.orchestration import tags
from fraud_platform.orchestration.long_run import LongRun, run_until_stopped, slot_name
from fraud_platform.orchestration.stage import long_job
from fraud_platform.settings import Settings
from fraud_platform.topology import LAKE

Work = Callable[[LongRun], None]
Run = Callable[[Work], dg.DagsterRun]


@pytest.fixture
def run(instance: DagsterInstance, settings: Settings) -> Run:
    """Run a job whose op does `work`; returns the stored run."""

    def execute(work: Work) -> dg.DagsterRun:
        @dg.op
        def run_lake(context: dg.OpExecutionContext) -> None:
            run_until_stopped(context, work, settings=lambda: settings)

        with contextlib.suppress(dg.DagsterExecutionInterruptedError):
            long_job(LAKE, run_lake).execute_in_process(instance=instance, raise_on_error=False)
        (record,) = instance.get_run_records(limit=1)
        return record.dagster_run

    return execute


def told_to_stop(run: LongRun) -> None:
    assert run.stop.wait(10)


def test_a_planned_hand_over_ends_in_success(run: Run) -> None:
    assert run(lambda _: None).status is DagsterRunStatus.SUCCESS


def test_a_stop_that_was_asked_for_ends_canceled(run: Run) -> None:
    def work(long_run: LongRun) -> None:
        long_run.context.instance.report_run_canceling(long_run.context.run)
        os.kill(os.getpid(), signal.SIGINT)
        told_to_stop(long_run)

    assert run(work).status is DagsterRunStatus.CANCELED


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_bare_signal_drains_and_ends_in_failure_so_that_the_keeper_goes_on(run: Run, number: signal.Signals) -> None:
    drained: list[bool] = []

    def work(long_run: LongRun) -> None:
        os.kill(os.getpid(), number)
        told_to_stop(long_run)
        drained.append(True)

    ended = run(work)
    assert ended.status is DagsterRunStatus.FAILURE
    assert not ended.tags.get(tags.ENDED_BY)
    assert drained == [True]


def test_a_run_that_was_written_off_meanwhile_stays_so(run: Run) -> None:
    def work(long_run: LongRun) -> None:
        long_run.context.instance.report_run_failed(long_run.context.run)
        long_run.stop.set()

    assert run(work).status is DagsterRunStatus.FAILURE


@pytest.mark.parametrize(
    ("error", "mark"),
    [
        (ConfigurationError("FRAUD_VALIDATOR_URL answers 404."), tags.CONFIGURATION),
        (Fenced("Another process took over this slot."), tags.FENCED),
        (BrokerUnavailable("Kafka does not answer."), ""),
    ],
)
def test_an_error_of_the_platform_is_one_sentence_and_a_mark_for_the_keeper(
    run: Run, instance: DagsterInstance, error: Exception, mark: str
) -> None:
    def work(_: LongRun) -> None:
        raise error

    ended = run(work)
    assert ended.status is DagsterRunStatus.FAILURE
    assert ended.tags.get(tags.ENDED_BY, "") == mark
    assert ended.tags.get(tags.REASON) == (str(error) if mark else None)
    (failure,) = instance.all_logs(ended.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    assert failure.dagster_event.step_failure_data.user_failure_data.description == str(error)


def test_the_signal_handlers_of_before_are_back_afterwards(run: Run) -> None:
    before = signal.getsignal(signal.SIGTERM)
    run(lambda _: None)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    ("tag", "name"), [("lake.0", "0"), ("lake.12", "12"), (None, "0"), ("documents.3", "0"), ("lake.x", "0")]
)
def test_a_run_without_a_proper_slot_fills_the_first(tag: str | None, name: str) -> None:
    assert slot_name(tag, LAKE) == name
