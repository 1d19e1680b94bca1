"""`up`, `down` and `logs`: the embedded services from a person's point of view."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import psutil
from rich.console import Console
from rich.live import Live
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from fraud_platform.errors import BrokerUnavailable, ConfigurationError, FraudPlatformError
from fraud_platform.local import catalogue, downloads, process
from fraud_platform.local.catalogue import CATALOGUE, DAGSTER
from fraud_platform.local.folder import Folder
from fraud_platform.local.process import STACK_MARK
from fraud_platform.local.stack import SUPERVISOR, Stack, start_stack
from fraud_platform.local.state import StackState, Status
from fraud_platform.settings import Settings, env_file

CONSUMING_WITHIN_S = 120.0
DOWN_WITHIN_S = 18.0
MEMBERS_GONE_WITHIN_S = 11.0
"""A static member that left still counts as one until its session ends (10 s)."""
TAIL_LINES = 200

_MARKS = {
    Status.READY: "[green]ready[/]",
    Status.STARTING: "[yellow]starting[/]",
    Status.WAITING: "[dim]waiting[/]",
    Status.CRASHED: "[red]crashed[/]",
    Status.HELD: "[red]held down[/]",
    Status.STOPPING: "[yellow]stopping[/]",
    Status.STOPPED: "[dim]stopped[/]",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """What `up` and `down` ask of Dagster; each is called with the settings of the running stack.

    `begin` brings the keepers back to their earlier state (and the demo as asked), `waiting_for` names the
    stages that should consume and do not yet, `off` those whose keeper is switched off, `stop` switches the
    keepers off and terminates the runs, within about 10 s.
    """

    begin: Callable[[Settings, bool], None]
    waiting_for: Callable[[Settings], Sequence[str]]
    off: Callable[[Settings], Sequence[str]]
    stop: Callable[[Settings], None]


# up -------------------------------------------------------------------------------------------------


def up(settings: Settings, *, demo: bool, dagster: bool, console: Console, stages: Stages | None = None) -> Settings:
    """Start what does not run, wait until all of it works, and say where it is. Safe to repeat.

    Args:
        settings: as loaded; services that they place elsewhere are not started.
        demo: whether the demo banks should send.
        dagster: whether to run Dagster's three services too.
        console: where progress and the table go.
        stages: what to ask of Dagster once it runs.

    Returns:
        The settings of the running stack.

    Raises:
        ConfigurationError: something needs a person; one sentence.
    """
    began = time.monotonic()
    names = catalogue.wanted(settings, with_dagster=dagster)
    if dagster:
        _refuse_second_daemon(Folder(settings.data_dir))
    downloaded_s = fetch(names, console)
    if not dagster and stages is not None and _dagster_runs(Stack.of(settings.data_dir).state):
        _stop_stages(settings, stages, console)
    try:
        running = _start(settings, names, console)
        if dagster and stages is not None:
            stages.begin(running, demo)
            _await_stages(running, stages, console)
    except KeyboardInterrupt:
        console.print(
            "\nInterrupted. The services keep starting in the background: "
            "[bold]make up[/] shows their progress again, [bold]make down[/] stops them."
        )
        raise
    _conclude(running, stages if dagster else None, time.monotonic() - began - downloaded_s, downloaded_s, console)
    return running


def fetch(names: Sequence[str], console: Console) -> float:
    """Download what the services need and the cache lacks; returns the seconds that took.

    Raises:
        ConfigurationError: a download failed.
    """
    cache = downloads.cache_dir()
    missing = [bundle for bundle in catalogue.bundles_of(names) if not downloads.is_cached(bundle, cache)]
    if not missing:
        return 0.0
    began = time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        for bundle in missing:
            task = progress.add_task(f"download {bundle.name}", total=bundle.size)
            downloads.ensure(
                bundle,
                cache=cache,
                progress=lambda _, done, __, task=task: progress.update(task, completed=done),  # type: ignore[misc]
            )
            progress.update(task, completed=bundle.size)
    return time.monotonic() - began


def _start(settings: Settings, names: Sequence[str], console: Console) -> Settings:
    environment = {**env_file(), **os.environ, "FRAUD_DATA_DIR": str(settings.data_dir)}
    stack = start_stack(settings.data_dir, services=names, environment=environment)
    progress = _ServiceProgress()
    with Live(console=console, refresh_per_second=4) as live:
        stack.wait_ready(seen=lambda now: live.update(progress.table(now), refresh=False))
        live.update(progress.table(stack.state))
    return Settings.from_environment(environment)


class _ServiceProgress:
    """One line per service: its state, and the seconds until it was ready."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._ready_after: dict[str, float] = {}

    def table(self, now: StackState) -> Table:
        table = Table(box=None, show_header=False, pad_edge=False)
        for name in [*(name for name in CATALOGUE if name in now.services), catalogue.PLATFORM]:
            service = now.services.get(name)
            if service is None:
                continue
            elapsed = time.monotonic() - self._began
            if service.status is Status.READY:
                elapsed = self._ready_after.setdefault(name, elapsed)
            else:
                self._ready_after.pop(name, None)
            table.add_row(f"  {name}", _MARKS[service.status], f"{elapsed:5.1f} s", service.message)
        return table


def _await_stages(settings: Settings, stages: Stages, console: Console) -> None:
    deadline = time.monotonic() + CONSUMING_WITHIN_S
    with console.status("stages: starting") as status:
        while waiting := stages.waiting_for(settings):
            if time.monotonic() > deadline:
                raise ConfigurationError(
                    f"Not consuming after {CONSUMING_WITHIN_S:.0f} s: {', '.join(waiting)};"
                    " on a busy machine `make up` again goes on waiting; the Dagster UI shows their runs."
                )
            status.update(f"stages: waiting for {', '.join(waiting)}")
            time.sleep(0.5)


def _conclude(settings: Settings, stages: Stages | None, took_s: float, downloaded_s: float, console: Console) -> None:
    apart = f" (and {downloaded_s:.0f} s of downloads)" if downloaded_s else ""
    console.print(f"\n[green]The platform is up[/] after {took_s:.0f} s{apart}.\n")
    console.print(url_table(settings))
    off = list(stages.off(settings)) if stages is not None else []
    if off:
        console.print(f"Switched off: {', '.join(off)} (`fraud-platform start STAGE` switches one on).")
    console.print(_next_command(settings, with_dagster=stages is not None), soft_wrap=True)


def url_table(settings: Settings) -> Table:
    """Where everything is, as a table for people; no password in it."""
    services = Stack.of(settings.data_dir).state.services
    dagster = services.get("dagster-webserver")
    mongodb = services.get("mongod")
    base = (settings.validator_url or "").removesuffix("/validate")
    rows: Mapping[str, str | None] = {
        "Dagster": dagster.address if dagster else None,
        "fraud-validator-api": f"{base}/docs" if base else None,
        "Kafka": settings.kafka_bootstrap_servers,
        "Schema Registry": settings.schema_registry_url,
        "MongoDB": mongodb.address if mongodb else "as set by you",
        "S3": settings.s3_endpoint or "AWS",
        "Data folder": str(settings.data_dir),
    }
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, address in rows.items():
        if address:
            table.add_row(f"  [bold]{name}[/]", address)
    return table


def _next_command(settings: Settings, *, with_dagster: bool) -> str:
    program = Path(sys.executable).parent / "fraud-platform"
    shown = program.relative_to(Path.cwd()) if program.is_relative_to(Path.cwd()) else program
    if with_dagster:
        return f"\nNext: [bold]{shown} topic fraudulent-transactions-result --follow[/]"
    return (
        f'\nNext: [bold]eval "$({shown} env)" && {shown.with_name("dagster")} dev[/]'
        f"  (DAGSTER_HOME={Folder(settings.data_dir).dagster_home})"
    )


def _refuse_second_daemon(folder: Folder) -> None:
    """Two daemons on one home would run every schedule and sensor twice."""
    for found in psutil.process_iter():
        try:
            environment = found.environ()
            command = " ".join(found.cmdline())
        except (psutil.Error, OSError):
            continue
        same_home = environment.get("DAGSTER_HOME") == str(folder.dagster_home)
        if same_home and STACK_MARK not in environment and "dagster._daemon" in command:
            raise ConfigurationError(
                f"A `dagster dev` of yours (daemon process {found.pid}) already runs on this data folder;"
                " stop it first, or use --no-dagster."
            )


# down -----------------------------------------------------------------------------------------------


def down(settings: Settings, *, console: Console, stages: Stages | None = None) -> None:
    """Stop the stages, then the services; works after a crash of the supervisor too.

    Before the broker goes, no consumer and no open transaction of the platform may be left; who is left is named.
    """
    began = time.monotonic()
    stack = Stack.of(settings.data_dir)
    if not _anything_runs(stack):
        console.print("Nothing of this platform runs.")
        return
    with console.status("stopping the stages"):
        if stages is not None and _dagster_runs(stack.state):
            _stop_stages(settings, stages, console)
        stack.park(*DAGSTER)
        left = await_quiet(settings, stack, timeout_s=MEMBERS_GONE_WITHIN_S)
    if left:
        console.print(f"[yellow]Still at work when the broker stopped:[/] {', '.join(left)}")
    with console.status("stopping the services"):
        stack.stop(timeout_s=max(8.0, DOWN_WITHIN_S - (time.monotonic() - began)))
    console.print(f"Stopped after {time.monotonic() - began:.0f} s; the data stay in {settings.data_dir}.")


def _stop_stages(settings: Settings, stages: Stages, console: Console) -> None:
    try:
        stages.stop(settings)
    except FraudPlatformError as error:
        console.print(f"[yellow]The stages could not be stopped in order:[/] {error}")


def _anything_runs(stack: Stack) -> bool:
    return stack.is_supervised or next(process.of_stack(stack.folder.root), None) is not None


def _dagster_runs(now: StackState) -> bool:
    return any(name in now.services and now.services[name].pid is not None for name in DAGSTER)


def await_quiet(settings: Settings, stack: Stack, *, timeout_s: float) -> list[str]:
    """Wait until no group of ours has a live member and no topic an open transaction; returns what stays.

    An embedded broker that does not run has neither.
    """
    kafka = stack.state.services.get("kafka")
    if kafka is None or kafka.pid is None or settings.kafka_bootstrap_servers is None:
        return []
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            left = list(_at_work(settings))
        except BrokerUnavailable:
            return []
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.2)


def _at_work(settings: Settings) -> Iterator[str]:
    from fraud_platform.adapters.admin import live_members, open_transactions

    for stage, found in live_members(settings, timeout_s=2.0).items():
        yield from (f"{stage} ({member})" for member in found)
    for topic in open_transactions(settings, timeout_s=2.0):
        yield f"a transaction on {topic}"


# logs -----------------------------------------------------------------------------------------------


def logs(
    settings: Settings,
    service: str,
    *,
    follow: bool = False,
    lines: int = TAIL_LINES,
    write: Callable[[str], object] = sys.stdout.write,
) -> None:
    """Write the last lines of a service's log, and those to come when `follow` is set.

    Raises:
        ConfigurationError: there is no such service, or it has never run.
    """
    names = (*CATALOGUE, SUPERVISOR)
    if service not in names:
        raise ConfigurationError(f"There is no service {service}; the services are {', '.join(names)}.")
    path = Folder(settings.data_dir).log(service)
    if not path.exists():
        raise ConfigurationError(f"{service} has not run here yet; `make up` starts it.")
    with path.open(errors="replace") as file:
        for line in file.readlines()[-lines:]:
            write(line)
        while follow:
            write(file.readline() or _pause(file))


def _pause(file: TextIO) -> str:
    """Wait for more; a log that the supervisor has emptied meanwhile goes on at its beginning."""
    time.sleep(0.3)
    if os.fstat(file.fileno()).st_size < file.buffer.tell():
        file.seek(0)
    return ""
