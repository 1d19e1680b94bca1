"""`start`, `stop` and `restart` of a stage, and what `up` and `down` ask of Dagster."""

import os
import time
from collections.abc import Iterator, Sequence

import psutil
from rich.console import Console

from fraud_platform.commands.stack import Stages
from fraud_platform.errors import ConfigurationError
from fraud_platform.local import catalogue
from fraud_platform.local.folder import Folder
from fraud_platform.local.process import STACK_MARK
from fraud_platform.settings import Settings, read_endpoints
from fraud_platform.topology import BANKS, STAGES, Stage

WORKING_WITHIN_S = 60.0
HEARTBEAT_LIMIT_S = 90.0
"""Dagster's daemons say that they live about every 30 s."""


def hooks(demo: bool | None) -> Stages:
    """What `up` and `down` ask of Dagster.

    Args:
        demo: whether the demo banks send; None = as before, and at first on an embedded Kafka only.
    """
    from fraud_platform.orchestration import control

    def begin(settings: Settings, _: bool) -> None:
        embedded = kafka_is_embedded(settings)
        # Invented payments never reach a foreign Kafka by habit: there only `--demo` asks for them.
        wish = demo if embedded else bool(demo)
        control.start_keepers(settings, wish, demo_by_default=embedded)

    def waiting_for(settings: Settings) -> Sequence[str]:
        states = control.stage_states(settings)
        return [state.name for state in states if state.keeper_on and not control.is_working(state, settings)]

    def off(settings: Settings) -> Sequence[str]:
        states = control.stage_states(settings)
        return [_with_reason(state.name, state.why_off) for state in states if not state.keeper_on]

    def stop(settings: Settings) -> None:
        control.stop_everything(settings)

    return Stages(begin=begin, waiting_for=waiting_for, off=off, stop=stop)


def kafka_is_embedded(settings: Settings) -> bool:
    """Whether Kafka is the one that the platform starts itself."""
    return "kafka" not in catalogue.external(settings, read_endpoints(settings.data_dir))


# One stage ------------------------------------------------------------------------------------------


def start(settings: Settings, name: str, console: Console) -> None:
    """Switch the stage on and wait until it works.

    Raises:
        ConfigurationError: no such stage, Dagster does not run, or the stage does not come up.
    """
    stage = find(name)
    if stage is BANKS and not kafka_is_embedded(settings):
        console.print("[yellow]The demo banks write invented transactions to a Kafka of yours.[/]")
    from fraud_platform.orchestration import control

    _require_daemon(settings)
    control.start_stage(settings, stage)
    _await(settings, stage, console)


def stop(settings: Settings, name: str, console: Console) -> None:
    """Drain the stage; it stays down until it is started again.

    Raises:
        ConfigurationError: no such stage, or the platform has never been started here.
    """
    stage = find(name)
    _require_home(settings)
    from fraud_platform.orchestration import control

    with console.status(f"{stage.name}: draining"):
        given_up = control.stop_stage(settings, stage)
    _tell_given_up(stage, given_up, console)
    console.print(
        f"{stage.name} is stopped; `fraud-platform start {stage.name}` starts it again.",
        highlight=False,
        soft_wrap=True,
    )


def restart(settings: Settings, name: str, console: Console) -> None:
    """Drain the stage and start it anew, with the present settings and code.

    Raises as `start`.
    """
    stage = find(name)
    from fraud_platform.orchestration import control

    _require_daemon(settings)
    with console.status(f"{stage.name}: draining"):
        given_up = control.restart_stage(settings, stage)
    _tell_given_up(stage, given_up, console)
    _await(settings, stage, console)


def find(name: str) -> Stage:
    """The stage of this name.

    Raises:
        ConfigurationError: there is none; the sentence lists them.
    """
    if name not in STAGES:
        raise ConfigurationError(f"There is no stage {name!r}; the stages are {', '.join(STAGES)}.")
    return STAGES[name]


def _await(settings: Settings, stage: Stage, console: Console) -> None:
    from fraud_platform.orchestration import control

    began = time.monotonic()
    with console.status(f"{stage.name}: starting"):
        while True:
            state = next(each for each in control.stage_states(settings) if each.name == stage.name)
            took_s = time.monotonic() - began
            if not state.keeper_on:
                raise ConfigurationError(f"{_with_reason(stage.name, state.why_off)} was switched off again.")
            if control.is_working(state, settings):
                break
            if took_s > WORKING_WITHIN_S:
                raise ConfigurationError(
                    f"{stage.name} does not work after {took_s:.0f} s; its runs in the Dagster UI and"
                    " `fraud-platform logs dagster-code` say why."
                )
            time.sleep(0.5)
    console.print(
        f"{stage.name} works: {state.working} of {state.slots_wanted} slots, after {took_s:.0f} s.", highlight=False
    )


def _with_reason(name: str, why: str) -> str:
    return f"{name} ({why.rstrip('.')})" if why else name


def _tell_given_up(stage: Stage, given_up: Sequence[str], console: Console) -> None:
    if given_up:
        console.print(f"[yellow]{stage.name}: {len(given_up)} of its runs did not leave in time and were given up.[/]")


def _require_home(settings: Settings) -> None:
    if not Folder(settings.data_dir).dagster_home.exists():
        raise ConfigurationError("The platform has never been started here; `make up` starts it.")


def _require_daemon(settings: Settings) -> None:
    _require_home(settings)
    age_s = daemon_age_s(settings)
    if age_s is None or age_s > HEARTBEAT_LIMIT_S:
        raise ConfigurationError("Dagster does not run, so nothing would start the stage; run `make up` first.")


def daemon_age_s(settings: Settings) -> float | None:
    """Seconds since the last sign of life of Dagster's sensor daemon; None when there never was one."""
    from fraud_platform.orchestration import control

    with control.open_instance(settings) as instance:
        heartbeat = instance.get_daemon_heartbeats().get("SENSOR")
    return None if heartbeat is None else max(0.0, time.time() - heartbeat.timestamp)


# A `dagster dev` of the user's own ------------------------------------------------------------------


def end_foreign_runs(settings: Settings, console: Console) -> None:
    """End the runs of a `dagster dev` that the user started on this data folder, before the broker goes."""
    owned = {pid for pid, _ in foreign_processes(settings)}
    if not owned:
        return
    from fraud_platform.orchestration import control

    with console.status("stopping the stages of your own Dagster"):
        control.stop_everything(settings)
    left = [str(pid) for pid, is_daemon in foreign_processes(settings) if is_daemon]
    if left:
        console.print(
            f"Your own `dagster dev` (daemon process {', '.join(left)}) runs on; Ctrl-C in its terminal ends it.",
            soft_wrap=True,
        )


def foreign_processes(settings: Settings) -> Iterator[tuple[int, bool]]:
    """Processes on this data folder's Dagster history that the platform did not start: pid, is it a daemon.

    A shell after `eval "$(fraud-platform env)"` and its other programs do not count.
    """
    home = str(Folder(settings.data_dir).dagster_home)
    for found in psutil.process_iter():
        try:
            environment = found.environ()
            if environment.get("DAGSTER_HOME") != home or STACK_MARK in environment or found.pid == os.getpid():
                continue
            command = " ".join(found.cmdline())
        except (psutil.Error, OSError):
            continue
        if any(part in command for part in _DAGSTER_PARTS):
            yield found.pid, _DAEMON in command


_DAEMON = "dagster._daemon"
# Daemon, code server, and the process of an op.
_DAGSTER_PARTS = (_DAEMON, "dagster api grpc", "multiprocessing.spawn", "dagster api execute_run")
