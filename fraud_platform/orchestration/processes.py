"""Which process fills a run, and whether it still lives, as far as this machine can tell."""

import os
import signal
import socket
from pathlib import Path

import psutil

_PID_NAMESPACE = "/proc/self/ns/pid"
_START_TICKS = 19  # field 22 of proc_pid_stat(5), counted after the program's name


def own_process() -> str:
    """This process as a tag: place, pid and birth, so that a reused pid is no mistake."""
    return f"{_here()}:{os.getpid()}:{_birth(psutil.Process())}"


def is_gone(tag: str) -> bool:
    """Whether the process is known to have ended; False when it lives elsewhere or nothing is known."""
    host, _, _ = _parts(tag)
    return host == _here() and _find(tag) is None


def interrupt(tag: str) -> bool:
    """Send SIGINT to the process if it lives on this machine; whether it was sent."""
    found = _find(tag)
    if found is None:
        return False
    try:
        found.send_signal(signal.SIGINT)
    except psutil.NoSuchProcess:
        return False
    return True


def _here() -> str:
    """Host and pid namespace: two containers may share a host's name, and neither sees the other's processes."""
    try:
        namespace = os.readlink(_PID_NAMESPACE).partition("[")[2].rstrip("]")
    except OSError:
        namespace = ""
    return f"{socket.gethostname()}/{namespace}"


def _find(tag: str) -> psutil.Process | None:
    host, pid, created = _parts(tag)
    if host != _here():
        return None
    try:
        found = psutil.Process(pid)
        same = created in (_birth(found), _birth_time(found)) and found.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return None
    return found if same else None


def _birth(process: psutil.Process) -> str:
    """Ticks between boot and its start where the system tells; the time of its start moves when the clock is set."""
    try:
        # Bytes: a program's name is cut wherever its 15th byte ends.
        return Path(f"/proc/{process.pid}/stat").read_bytes().rpartition(b")")[2].split()[_START_TICKS].decode()
    except OSError:
        return _birth_time(process)


def _birth_time(process: psutil.Process) -> str:
    """Unix time of its start; tags of before hold this."""
    return f"{process.create_time():.2f}"


def _parts(tag: str) -> tuple[str, int, str]:
    host, pid, created = (["", "", *tag.rsplit(":", 2)])[-3:]
    return (host, int(pid), created) if pid.isdigit() else ("", 0, "")
