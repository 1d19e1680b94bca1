"""Processes that outlive their starter: spawned in a session of their own, found again by pid and birth."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from fraud_platform.local.folder import rotate

STACK_MARK = "FRAUD_STACK"
"""Environment name that every process of a stack carries; its value is the data folder."""
SERVICE_MARK = "FRAUD_SERVICE"
_SAME_BIRTH_S = 1.5


@dataclass(slots=True)
class Process:
    """A running program: our child, or one that an earlier supervisor left behind."""

    pid: int
    created: float
    _child: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def alive(self) -> bool:
        """Whether it still runs (a zombie does not)."""
        if self._child is not None:
            return self._child.poll() is None
        return find(self.pid, self.created) is not None

    @property
    def exit_code(self) -> int | None:
        """How it ended, negative for a signal; None while it runs, and when it was not our child."""
        return self._child.poll() if self._child is not None else None

    def send(self, number: signal.Signals) -> None:
        """Signal the program, if it still runs."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill_session(self) -> None:
        """Kill the program and all that it started in its process group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)


def spawn(command: Sequence[str], *, log: Path, environment: Mapping[str, str], working_dir: Path) -> Process:
    """Start a program in a session of its own, its output appended to `log`.

    The caller must handle SIGINT and SIGTERM (not ignore them): handled signals are reset to their default in
    the program, ignored ones would stay ignored, and Dagster could never be stopped.
    """
    rotate(log)
    with log.open("ab") as output:
        output.write(f"--- start {Path(command[0]).name}\n".encode())
        output.flush()
        child = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=working_dir,
            start_new_session=True,
        )
    return Process(child.pid, born(child.pid).created, child)


def born(pid: int) -> Process:
    """The process that has this pid now; one that has ended already counts as born at 0."""
    try:
        return Process(pid, float(psutil.Process(pid).create_time()))
    except psutil.NoSuchProcess:
        return Process(pid, 0.0)


def find(pid: int, created: float) -> psutil.Process | None:
    """The process with this pid and birth time, unless it ended."""
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - created) < _SAME_BIRTH_S
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def adopt(pid: int, created: float) -> Process | None:
    """Take over a program that runs; None when it ended."""
    return Process(pid, created) if find(pid, created) else None


def listens(pid: int, ports: Collection[int]) -> bool:
    """Whether the program, or one that it started, listens on each of the TCP ports; True when it cannot be told."""
    try:
        program = psutil.Process(pid)
        found = {
            each.laddr.port
            for one in (program, *program.children(recursive=True))
            for each in one.net_connections(kind="tcp")
            if each.status == psutil.CONN_LISTEN
        }
    except psutil.AccessDenied:
        return True
    except psutil.NoSuchProcess:
        return False
    return found >= set(ports)


def of_stack(root: Path) -> Iterator[tuple[str, psutil.Process]]:
    """Every living process of the stack with the name of its service, children of services included."""
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            marks = process.environ()
            if marks.get(STACK_MARK) == str(root) and process.status() != psutil.STATUS_ZOMBIE:
                yield marks.get(SERVICE_MARK, ""), process
        except (psutil.Error, OSError):
            continue


def leads_session(process: psutil.Process) -> bool:
    """Whether the process is a service itself, not a child of one."""
    try:
        return os.getsid(process.pid) == process.pid
    except ProcessLookupError:
        return False
