"""What the services of a stack cost: processor time and memory, by service."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil

from fraud_platform.local import process
from fraud_platform.local.process import STACK_MARK
from fraud_platform.settings import read_endpoints

_ADDRESS = "KAFKA_BOOTSTRAP_SERVERS"


def stack_at(endpoints: dict[str, str]) -> Path:
    """The data folder of the running stack that serves these endpoints."""
    for running in psutil.process_iter():
        try:
            folder = running.environ().get(STACK_MARK)
        except psutil.Error:
            continue
        if folder and read_endpoints(Path(folder)).get(_ADDRESS) == endpoints[_ADDRESS]:
            return Path(folder)
    raise SystemExit("The endpoints belong to no stack of this machine.")


def cpu_by_service(root: Path) -> Counter[str]:
    """Processor seconds so far."""
    found: Counter[str] = Counter()
    for name, running in _processes(root):
        found[name] += cpu_of(running)
    return found


def memory_by_service(root: Path) -> Counter[str]:
    """Megabytes, what processes share divided among them (PSS)."""
    found: Counter[str] = Counter()
    for name, running in _processes(root):
        found[name] += running.memory_full_info().pss / 1e6
    return found


def cpu_of(running: psutil.Process) -> float:
    """Processor seconds so far of one process."""
    times = running.cpu_times()
    return float(times.user + times.system)


def _processes(root: Path) -> Iterator[tuple[str, psutil.Process]]:
    for name, running in list(process.of_stack(root)):
        if running.is_running():
            yield name or "other", running
