"""Starting, watching and stopping a stack from Python: what the commands and the tests use."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from fraud_platform.errors import ConfigurationError
from fraud_platform.local import catalogue, downloads, process, state
from fraud_platform.local.catalogue import CATALOGUE, STORES
from fraud_platform.local.folder import Folder, rotate
from fraud_platform.local.process import STACK_MARK
from fraud_platform.local.state import Phase, StackState, Status
from fraud_platform.local.supervisor import ALREADY_RUNS, NAME
from fraud_platform.settings import Settings, read_endpoints

SUPERVISOR = NAME
OWN_WORK_S = 150.0
"""What lies between the starts of services: a disk to format, a dead broker to fence, topics and schemas to make."""
SUPERVISOR_TIMEOUT_S = 90.0
"""Its start takes a second; at a load of 50 on two cores 30 s were not enough."""
STOP_TIMEOUT_S = 18.0
GIVE_UP_AFTER = 4
"""Failed starts of one service after which waiting makes no sense."""
_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Stack:
    """A data folder and the supervisor that works for it."""

    folder: Folder

    @classmethod
    def of(cls, data_dir: Path) -> "Stack":
        """The stack of a data folder, running or not."""
        return cls(Folder(data_dir.absolute()))

    @property
    def state(self) -> StackState:
        """What the supervisor saw last."""
        return state.read(self.folder)

    @property
    def endpoints(self) -> Mapping[str, str]:
        """Addresses of the embedded services, under the names that `Settings` reads."""
        return read_endpoints(self.folder.root)

    def settings(self, **more: str) -> Settings:
        """Settings for this stack and nothing else; `more` are environment names, e.g. FRAUD_PREFIX."""
        return Settings.from_environment({**more, "FRAUD_DATA_DIR": str(self.folder.root)})

    @property
    def is_supervised(self) -> bool:
        """Whether a supervisor works for the folder now."""
        now = self.state
        pid, created = now.supervisor_pid, now.supervisor_created
        return pid is not None and created is not None and process.find(pid, created) is not None

    def wait_until(
        self,
        done: Callable[[StackState], bool],
        *,
        timeout_s: float | None = None,
        seen: Callable[[StackState], None] = lambda _: None,
    ) -> StackState:
        """Watch the state until `done`; `seen` is told each look at it.

        Args:
            done: tells from the state whether the wait is over.
            timeout_s: when to give up; default: not before the services themselves may be given up.
            seen: told each look at the state.

        Raises:
            ConfigurationError: a service needs a person, keeps failing, or is not there in time.
        """
        began = time.monotonic()
        while True:
            now = self.state
            limit_s = now.start_timeout_s + OWN_WORK_S if timeout_s is None else timeout_s
            seen(now)
            if done(now):
                return now
            _check(now)
            if time.monotonic() - began > limit_s:
                raise ConfigurationError(_late(now, limit_s, self.folder))
            if not self.is_supervised:
                raise ConfigurationError(f"The supervisor ended; its log says why: {self.folder.log(SUPERVISOR)}")
            time.sleep(_POLL_S)

    def wait_ready(
        self,
        *names: str,
        timeout_s: float | None = None,
        seen: Callable[[StackState], None] = lambda _: None,
    ) -> StackState:
        """Wait until the named services are ready, or the whole stack when none is named; as `wait_until`."""

        def done(now: StackState) -> bool:
            if not names:
                return now.phase is Phase.READY
            return all(name in now.services and now.services[name].status is Status.READY for name in names)

        return self.wait_until(done, timeout_s=timeout_s, seen=seen)

    # For failure tests ------------------------------------------------------------------------------

    def kill(self, name: str) -> int:
        """Kill the service as `kill -9` does; the supervisor starts it again. Returns the killed pid."""
        pid = self.state.services[name].pid
        if pid is None:
            raise ConfigurationError(f"{name} does not run.")
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_restarted(self, name: str, killed_pid: int, *, timeout_s: float | None = None) -> None:
        """Wait until another process serves in place of the killed one; as `wait_until`."""

        def done(now: StackState) -> bool:
            service = now.services[name]
            return service.status is Status.READY and service.pid not in (None, killed_pid)

        self.wait_until(done, timeout_s=timeout_s)

    @contextmanager
    def held_down(self, name: str) -> Iterator[None]:
        """Kill the service and keep it down inside the block; it comes back after it."""
        mark = self.folder.hold(name)
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
        try:
            self.kill(name)
            self.wait_until(lambda now: now.services[name].status is Status.HELD, timeout_s=60)
            yield
        finally:
            mark.unlink(missing_ok=True)

    # Stopping ---------------------------------------------------------------------------------------

    def park(self, *names: str) -> None:
        """Ask services to end now and leave them down until the next start; does not wait."""
        for name in names:
            service = self.state.services.get(name)
            mark = self.folder.hold(name)
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()
            if service is not None and service.pid is not None and service.created is not None:
                found = process.adopt(service.pid, service.created)
                if found is not None:
                    found.send(signal.SIGTERM)

    def stop(self, *, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Stop the services in order, with or without a supervisor; nothing of the stack runs afterwards."""
        deadline = time.monotonic() + timeout_s
        self._end_supervisor(signal.SIGTERM, deadline)
        sweep(self.folder, deadline)

    def hand_over(self) -> None:
        """End the supervisor and leave the services running."""
        self._end_supervisor(signal.SIGUSR1, time.monotonic() + 10)

    def _end_supervisor(self, number: signal.Signals, deadline: float) -> None:
        now = self.state
        if now.supervisor_pid is None or now.supervisor_created is None:
            return
        found = process.find(now.supervisor_pid, now.supervisor_created)
        if found is None:
            return
        try:
            found.send_signal(number)
            found.wait(max(1.0, deadline - time.monotonic()))
        except psutil.NoSuchProcess:
            return
        except psutil.TimeoutExpired:
            found.kill()


def sweep(folder: Folder, deadline: float) -> None:
    """End what is left of the stack, dependents first: for a dead supervisor, and against strays."""
    left = list(process.of_stack(folder.root))
    order = [SUPERVISOR, "", *reversed(list(CATALOGUE))]
    for name in order:
        found = [each for owner, each in left if (owner if owner in order else "") == name]
        for each in found:
            _signal(each, signal.SIGTERM)
        _, alive = psutil.wait_procs(found, timeout=max(0.5, min(8.0, deadline - time.monotonic())))
        for each in alive:
            _signal(each, signal.SIGKILL)
    psutil.wait_procs([each for _, each in left], timeout=3)


def _signal(target: psutil.Process, number: signal.Signals) -> None:
    try:
        target.send_signal(number)
    except psutil.NoSuchProcess:
        return


def _check(now: StackState) -> None:
    for name, service in now.services.items():
        if service.needs_person or service.failures >= GIVE_UP_AFTER:
            raise ConfigurationError(f"{name} does not start: {service.message}")


def _late(now: StackState, timeout_s: float, folder: Folder) -> str:
    late = [name for name, service in now.services.items() if service.status is not Status.READY]
    return (
        f"Not ready within {timeout_s:.0f} s: {', '.join(late) or 'the supervisor'};"
        f" the logs are in {folder.log('').parent}."
    )


def start_stack(
    data_dir: Path,
    *,
    services: Sequence[str] = STORES,
    prefer_defaults: bool = True,
    environment: Mapping[str, str] | None = None,
    while_pid: int | None = None,
    progress: downloads.Progress | None = None,
) -> Stack:
    """Start (or take over, or mend) the services of a data folder; returns before they are ready.

    Args:
        data_dir: everything of the stack lives below it.
        services: names of `catalogue.CATALOGUE`.
        prefer_defaults: whether to use the well-known ports when free.
        environment: what the services see; default: none of the platform's settings but the data folder.
        while_pid: the stack ends by itself when this process is gone.
        progress: told the bytes of a download.

    Raises:
        ConfigurationError: a download failed, or the supervisor could not start.
    """
    stack = Stack.of(data_dir)
    stack.folder.make()
    for bundle in catalogue.bundles_of(services):
        downloads.ensure(bundle, progress=progress)
    names = [name for name in CATALOGUE if name in services]
    for name in names:
        stack.folder.hold(name).unlink(missing_ok=True)
    if stack.is_supervised:
        if _supervises(stack.state, names):
            return stack
        stack.hand_over()
    _spawn_supervisor(stack, names, prefer_defaults, environment, while_pid)
    return stack


def _supervises(now: StackState, names: Sequence[str]) -> bool:
    stopping = now.phase in (Phase.STOPPING, Phase.STOPPED)
    return not stopping and {name for name in now.services if name in CATALOGUE} == set(names)


def _spawn_supervisor(
    stack: Stack,
    names: Sequence[str],
    prefer_defaults: bool,
    environment: Mapping[str, str] | None,
    while_pid: int | None,
) -> None:
    log = stack.folder.log(SUPERVISOR)
    rotate(log)
    command = [sys.executable, "-m", "fraud_platform.local.supervisor", "--data-dir", str(stack.folder.root)]
    command += ["--services", ",".join(names), *([] if prefer_defaults else ["--any-ports"])]
    command += ["--while-pid", str(while_pid)] if while_pid else []
    given = clean_environment() if environment is None else environment
    with log.open("ab") as output:
        start = output.tell()
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**given, STACK_MARK: str(stack.folder.root), process.SERVICE_MARK: SUPERVISOR},
            cwd=stack.folder.root,
            start_new_session=True,
        )
    deadline = time.monotonic() + SUPERVISOR_TIMEOUT_S
    while stack.state.supervisor_pid != child.pid:
        if child.poll() == ALREADY_RUNS:
            return  # somebody else was quicker
        if child.poll() is not None or time.monotonic() > deadline:
            raise ConfigurationError(_last_words(log, start))
        time.sleep(_POLL_S / 2)


def _last_words(log: Path, start: int) -> str:
    said = log.read_bytes()[start:].decode(errors="replace").strip().splitlines()
    return f"The supervisor did not start: {said[-1] if said else 'it said nothing'}"


def clean_environment(source: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without anything that `Settings` would read: what tests start services with."""
    names = {
        *Settings.environment_names(),
        "AWS_DEFAULT_REGION",
        STACK_MARK,
        process.SERVICE_MARK,
        "DAGSTER_HOME",
    }
    return {
        name: value
        for name, value in (os.environ if source is None else source).items()
        if name not in names and not name.startswith("KAFKA_")
    }


@contextmanager
def running(
    data_dir: Path,
    *,
    services: Sequence[str] = STORES,
    prefer_defaults: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Stack]:
    """A stack that is ready inside the block and gone after it, even if this process is killed."""
    stack = start_stack(
        data_dir,
        services=services,
        prefer_defaults=prefer_defaults,
        environment=environment,
        while_pid=os.getpid(),
    )
    try:
        stack.wait_ready()
        yield stack
    finally:
        stack.stop()


@contextmanager
def running_stack(
    data_dir: Path,
    *,
    services: Sequence[str] = STORES,
    prefer_defaults: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Mapping[str, str]]:
    """As `running`, for those who need only the addresses (`Stack.of(data_dir)` gives the rest)."""
    with running(data_dir, services=services, prefer_defaults=prefer_defaults, environment=environment) as stack:
        yield stack.endpoints
