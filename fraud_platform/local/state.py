"""What runs, as one file that the supervisor replaces and everybody reads."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from fraud_platform.local.folder import Folder, read_json, write_json


class Status(StrEnum):
    """Where a service is in its life."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    CRASHED = "crashed"
    HELD = "held"
    STOPPING = "stopping"
    STOPPED = "stopped"


class Phase(StrEnum):
    """Where the whole stack is."""

    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(slots=True, kw_only=True)
class ServiceState:
    """One service as seen last.

    `restarts` counts all ends that nobody asked for, `failures` the failed starts since it was ready last;
    `needs_person` says that trying again cannot help.
    """

    status: Status = Status.WAITING
    address: str = "-"
    pid: int | None = None
    created: float | None = None
    restarts: int = 0
    failures: int = 0
    last_exit: int | None = None
    message: str = ""
    needs_person: bool = False


@dataclass(slots=True, kw_only=True)
class StackState:
    """The whole stack as seen last; `start_timeout_s` is how long its services may take to start, one after another."""

    phase: Phase = Phase.STOPPED
    start_timeout_s: float = 0.0
    supervisor_pid: int | None = None
    supervisor_created: float | None = None
    services: dict[str, ServiceState] = field(default_factory=dict)


def read(folder: Folder) -> StackState:
    """The last written state; an empty, stopped one when there is none."""
    found = read_json(folder.state)
    if not found:
        return StackState()
    services = {name: _service(fields) for name, fields in found.get("services", {}).items()}
    return StackState(
        phase=Phase(found.get("phase", Phase.STOPPED)),
        start_timeout_s=found.get("start_timeout_s", 0.0),
        supervisor_pid=found.get("supervisor_pid"),
        supervisor_created=found.get("supervisor_created"),
        services=services,
    )


def _service(fields: Mapping[str, Any]) -> ServiceState:
    known = {name: value for name, value in fields.items() if name in ServiceState.__slots__}
    return ServiceState(**{**known, "status": Status(known.get("status", Status.STOPPED))})


def write(folder: Folder, state: StackState) -> None:
    """Replace the state file in one step."""
    write_json(folder.state, asdict(state))
