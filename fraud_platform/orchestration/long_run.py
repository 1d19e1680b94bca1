"""The op that never ends: one slot of a stage inside a Dagster run.

A plain function on purpose: in a generator op a stop can land in Dagster's own frames, and the slot would
not drain. Dagster's interrupt handler is replaced while the slot works: a stop waits for a batch boundary.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import dagster as dg

from fraud_platform.errors import ConfigurationError, Fenced, FraudPlatformError
from fraud_platform.orchestration import runs, tags
from fraud_platform.orchestration.cluster import KafkaCluster
from fraud_platform.orchestration.outputs import Output
from fraud_platform.orchestration.report import Reporter
from fraud_platform.orchestration.samples import Sampler
from fraud_platform.orchestration.watch import RunWatch
from fraud_platform.runtime.stop import StopRequest, stop_on_signals
from fraud_platform.runtime.worker import Progress, State
from fraud_platform.settings import Settings, load
from fraud_platform.topology import Stage

HAND_OVER_S = 24 * 3600.0
STAGGER_S = 600.0
"""Slots hand over one after the other, not all at once."""


@dataclass(frozen=True, slots=True)
class LongRun:
    """What the work of a long run can use."""

    context: dg.OpExecutionContext
    settings: Settings
    stop: StopRequest
    watch: RunWatch


Work = Callable[[LongRun], None]


def run_until_stopped(context: dg.OpExecutionContext, work: Work, *, settings: Callable[[], Settings] = load) -> None:
    """Work until told to stop.

    Raises:
        dagster.DagsterExecutionInterruptedError: stopped from outside; the run ends CANCELED when a person or
            command asked for it, FAILURE after a bare signal.
        dagster.Failure: the platform's error in one sentence; the keeper decides what comes next.
    """
    with stop_on_signals() as stop:
        try:
            with RunWatch(context.instance, context.run_id, stop) as watch:
                work(LongRun(context, settings(), stop, watch))
        except FraudPlatformError as error:
            _note(context, error)
            raise dg.Failure(description=str(error), allow_retries=False) from None
    if stop():
        raise dg.DagsterExecutionInterruptedError


def run_stage(run: LongRun, stage: Stage, outputs: Sequence[Output]) -> None:
    """Run the slot that the run's tags name; the first slot reports while records flow."""
    from fraud_platform.runtime.launch import Slot, run_slot

    name = slot_name(run.context.run.tags.get(tags.SLOT), stage)
    stay_s = max(HAND_OVER_S / 2, HAND_OVER_S - int(name) * STAGGER_S)
    until = time.monotonic() + stay_s
    run.watch.leaves_at(time.time() + stay_s)
    with _reporting(run, stage, outputs, enabled=name == "0") as report:

        def observe(progress: Progress) -> None:
            if progress.state is State.RUNNING:
                run.watch.working(seen_elsewhere=True)
                run.watch.judging_by(progress.rules, progress.coming)
            report(progress)

        slot = Slot(stage=stage, name=name, run_id=run.context.run_id)
        run_slot(
            run.settings, slot, stop=run.watch.should_stop, until=lambda: time.monotonic() > until, observe=observe
        )


def _say_nothing(_: Progress) -> None:
    """The first slot speaks for all."""


@contextmanager
def _reporting(
    run: LongRun, stage: Stage, outputs: Sequence[Output], *, enabled: bool
) -> Iterator[Callable[[Progress], None]]:
    if not enabled:
        yield _say_nothing
        return
    sampler = Sampler(KafkaCluster(run.settings), stage)
    reporter = Reporter(stage, outputs, run.settings, run.context.log_event, samples=lambda: sampler.samples)
    sampler.start()
    try:
        yield reporter.observe
    finally:
        sampler.stop()


def slot_name(tag: str | None, stage: Stage) -> str:
    """The slot's number in a `fraud/slot` tag; a run without a proper one fills the first slot."""
    owner, _, number = (tag or "").rpartition(".")
    return number if owner == stage.name and number.isdigit() else "0"


def _note(context: dg.OpExecutionContext, error: FraudPlatformError) -> None:
    """Tell the keeper what kind of end this is."""
    if isinstance(error, ConfigurationError):
        runs.mark(context.instance, context.run_id, tags.CONFIGURATION, str(error))
    elif isinstance(error, Fenced):
        runs.mark(context.instance, context.run_id, tags.FENCED, str(error))
