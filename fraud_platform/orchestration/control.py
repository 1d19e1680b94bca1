"""Starting and stopping stages from outside of Dagster; needs its storage only, no webserver or code server."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

from fraud_platform.local.dagster import make_home
from fraud_platform.local.folder import Folder, read_json, write_json
from fraud_platform.orchestration import runs, tags
from fraud_platform.orchestration.keeper import SlotRun
from fraud_platform.orchestration.processes import interrupt, is_gone
from fraud_platform.orchestration.switches import Switch, switch_off, switch_on
from fraud_platform.settings import Settings
from fraud_platform.topology import BANKS, STAGES, Stage

STOP_TIMEOUT_S = 12.0
_POLL_S = 0.25
_QUIET_LOOKS = 3
"""A keeper's tick that was under way may still submit a run; this many looks without one, and all is quiet."""
_MEMORY = "keepers.json"


@dataclass(frozen=True, slots=True)
class StageState:
    """One stage as commands show it. `why_off` is what the keeper said when it switched itself off."""

    name: str
    keeper_on: bool
    why_off: str
    slots_wanted: int
    runs: tuple[SlotRun, ...]

    @property
    def working(self) -> int:
        """Slots that read their partitions, or send."""
        return len({run.slot for run in self.runs if _works(run)})

    @property
    def judges_by(self) -> dict[str, str]:
        """The version of the rule set by each slot that works and judges."""
        return {run.slot: run.rules for run in self.runs if run.rules and _works(run)}

    @property
    def makes_ready(self) -> dict[str, str]:
        """The version that each such slot makes ready to judge, and how far that is."""
        return {run.slot: run.rules_coming for run in self.runs if run.rules_coming and _works(run)}


@contextmanager
def open_instance(settings: Settings) -> Iterator[DagsterInstance]:
    """The Dagster instance of the settings' data folder, made when missing."""
    folder = Folder(settings.data_dir)
    make_home(folder)
    with DagsterInstance.from_config(str(folder.dagster_home)) as instance:
        yield instance


# All stages -----------------------------------------------------------------------------------------


def stop_everything(settings: Settings, timeout_s: float = STOP_TIMEOUT_S) -> list[str]:
    """Switch the keepers off, remember which were on, and end every run; returns those that had to be given up.

    A run that was given up is CANCELED in the history; its process, should it live, is for the caller to end.
    """
    if not Folder(settings.data_dir).dagster_home.exists():
        return []
    with open_instance(settings) as instance:
        _remember(settings, instance)
        switch_off(keeper(instance, stage) for stage in STAGES.values())
        return _end_runs(instance, timeout_s)


def start_keepers(settings: Settings, demo: bool | None = None, *, demo_by_default: bool = False) -> None:
    """Give each keeper the state that it had before `stop_everything`.

    Args:
        settings: whose stages.
        demo: whether the demo banks run; None = as before.
        demo_by_default: what holds for the banks when there is no before.
    """
    memory = read_json(_memory(settings))
    with open_instance(settings) as instance:
        wanted = {name for name, was_on in memory.items() if name in STAGES and was_on}
        first_time = BANKS.name not in memory and not keeper(instance, BANKS).was_touched
        if demo or (demo is None and first_time and demo_by_default):
            wanted.add(BANKS.name)
        elif demo is False:
            wanted.discard(BANKS.name)
            _stop(instance, BANKS)
        switch_on(keeper(instance, STAGES[name]) for name in wanted)
    _memory(settings).unlink(missing_ok=True)


def wait_until_consuming(
    settings: Settings, timeout_s: float, on_progress: Callable[[list[StageState]], object] = len
) -> list[StageState]:
    """Wait until every stage whose keeper is on has its slots at work; returns the states seen last."""
    deadline = time.monotonic() + timeout_s
    with open_instance(settings) as instance:
        while True:
            states = [_state(instance, settings, stage) for stage in STAGES.values()]
            on_progress(states)
            if all(is_working(state, settings) for state in states if state.keeper_on):
                return states
            if time.monotonic() > deadline:
                return states
            time.sleep(_POLL_S)


def is_working(state: StageState, settings: Settings) -> bool:
    """Whether each slot that can have a partition is at work."""
    return state.working >= min(state.slots_wanted, settings.partitions)


def stage_states(settings: Settings) -> list[StageState]:
    """Every stage's keeper and runs, in flow order."""
    with open_instance(settings) as instance:
        return [_state(instance, settings, stage) for stage in STAGES.values()]


def stage_state(settings: Settings, stage: Stage) -> StageState:
    """The stage's keeper and runs."""
    with open_instance(settings) as instance:
        return _state(instance, settings, stage)


# One stage ------------------------------------------------------------------------------------------


def start_stage(settings: Settings, stage: Stage) -> None:
    """Switch the stage's keeper on; it fills the slots within seconds."""
    with open_instance(settings) as instance:
        keeper(instance, stage).off()
        keeper(instance, stage).on()


def stop_stage(settings: Settings, stage: Stage, timeout_s: float = STOP_TIMEOUT_S) -> list[str]:
    """Switch the stage's keeper off and end its runs; returns the runs that had to be given up."""
    with open_instance(settings) as instance:
        return _stop(instance, stage, timeout_s)


def restart_stage(settings: Settings, stage: Stage, timeout_s: float = STOP_TIMEOUT_S) -> list[str]:
    """End the stage's runs and switch its keeper on, so that new runs read settings and code anew."""
    with open_instance(settings) as instance:
        given_up = _stop(instance, stage, timeout_s)
        keeper(instance, stage).on()
        return given_up


def keeper(instance: DagsterInstance, stage: Stage) -> Switch:
    """The switch of the stage's keeper."""
    return Switch(instance, tags.keeper_name(stage), on_by_default=stage.consumes)


def _stop(instance: DagsterInstance, stage: Stage, timeout_s: float = STOP_TIMEOUT_S) -> list[str]:
    keeper(instance, stage).off()
    return _end_runs(instance, timeout_s, job=tags.job_name(stage))


def _state(instance: DagsterInstance, settings: Settings, stage: Stage) -> StageState:
    switch = keeper(instance, stage)
    is_on = switch.is_on
    return StageState(
        name=stage.name,
        keeper_on=is_on,
        why_off="" if is_on else switch.last_words,
        slots_wanted=settings.slots(stage),
        runs=tuple(runs.in_progress(instance, stage)),
    )


def _works(run: SlotRun) -> bool:
    is_started = run.status is DagsterRunStatus.STARTED
    return is_started and run.working_since > 0 and not is_gone(run.process)


# Ending runs ----------------------------------------------------------------------------------------


def _end_runs(instance: DagsterInstance, timeout_s: float, job: str | None = None) -> list[str]:
    """Ask every run to leave, also those that appear meanwhile, until none is left or time is up."""
    deadline = time.monotonic() + timeout_s
    asked: set[str] = set()
    quiet = 0
    while quiet < _QUIET_LOOKS:
        left = _open_runs(instance, job)
        quiet = 0 if left else quiet + 1
        for run in left:
            if run.run_id not in asked:
                asked.add(run.run_id)
                _ask(instance, run)
            elif is_gone(run.process):
                runs.end(instance, run.run_id, DagsterRunStatus.CANCELED, "The process of this run is gone.")
        if time.monotonic() > deadline:
            return _give_up(instance, left)
        time.sleep(_POLL_S)
    return []


def _open_runs(instance: DagsterInstance, job: str | None) -> list[SlotRun]:
    wanted = RunsFilter(job_name=job, statuses=list(runs.IN_PROGRESS))
    return [runs.slot_run(record) for record in instance.get_run_records(wanted)]


def _ask(instance: DagsterInstance, run: SlotRun) -> None:
    if not runs.ask_to_leave(instance, run.run_id, tags.PLATFORM):
        interrupt(run.process)


def _give_up(instance: DagsterInstance, left: list[SlotRun]) -> list[str]:
    for run in left:
        runs.end(instance, run.run_id, DagsterRunStatus.CANCELED, "The run did not leave in time.")
    return [run.run_id for run in left]


# Memory ---------------------------------------------------------------------------------------------


def _remember(settings: Settings, instance: DagsterInstance) -> None:
    """Which keepers are on now; one that an earlier, unfinished stop had switched off still counts as on."""
    earlier: Mapping[str, object] = read_json(_memory(settings))
    now = {stage.name: keeper(instance, stage).is_on or bool(earlier.get(stage.name)) for stage in STAGES.values()}
    write_json(_memory(settings), now)


def _memory(settings: Settings) -> Path:
    return settings.data_dir / _MEMORY
