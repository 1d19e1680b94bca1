"""Dagster as three supervised services: code server, daemon, webserver."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fraud_platform.local import probes, state
from fraud_platform.local.folder import Folder, write_text
from fraud_platform.local.service import Service, Site
from fraud_platform.settings import CHECKOUT

CODE, DAEMON, WEBSERVER = "dagster-code", "dagster-daemon", "dagster-webserver"
LOCATION = "fraud_platform"
_DAEMON_IS_UP = "Instance is configured with the following daemons"
_SILENCE = timedelta(seconds=90)
"""The daemon writes every 30 s."""
_WORKSPACE = """\
load_from:
  - grpc_server:
      host: 127.0.0.1
      port: {port}
      location_name: {location}
"""


def make_home(folder: Folder) -> None:
    """Fill DAGSTER_HOME: the checkout's dagster.yaml is the source of truth."""
    folder.make("dagster-home")
    source = CHECKOUT / "dagster.yaml"
    if source.exists():
        write_text(folder.dagster_home / "dagster.yaml", source.read_text())


def environment(folder: Folder) -> dict[str, str]:
    """What every Dagster process needs to find this stack's history."""
    return {"DAGSTER_HOME": str(folder.dagster_home), "DAGSTER_DISABLE_TELEMETRY": "yes"}


def code_server(site: Site) -> Service:
    """Serves our definitions and is the parent of the op processes."""
    port = site.ports[CODE]
    return Service(
        name=CODE,
        command=[
            site.python,
            *("-m", "dagster", "api", "grpc", "-m", "fraud_platform.definitions"),
            *("-h", "127.0.0.1", "-p", str(port), "--location-name", LOCATION),
            "--use-python-environment-entry-point",
        ],
        address=site.address(CODE),
        probe=lambda: probes.grpc_serves(port, "DagsterApi"),
        prepare=lambda: make_home(site.folder),
        needs=frozenset({"platform"}),
        environment=environment(site.folder),
        ports=(port,),
        # By then the runs have ended; it logs that it shuts down and then waits for a thread that never ends.
        grace_s=1.5,
    )


def daemon(site: Site) -> Service:
    """Runs sensors, schedules and the run queue."""
    log = site.folder.log(DAEMON)
    return Service(
        name=DAEMON,
        command=[site.python, "-m", "dagster._daemon", "run", "-w", str(_workspace(site.folder))],
        address="-",
        probe=lambda: log.exists() and _DAEMON_IS_UP in log.read_text(errors="replace").rpartition("--- start ")[2],
        alive=lambda: beats(site.folder, since=_started(site.folder)),
        prepare=lambda: _prepare(site),
        needs=frozenset({CODE}),
        environment=environment(site.folder),
        grace_s=4.0,
    )


def _started(folder: Folder) -> float:
    found = state.read(folder).services.get(DAEMON)
    return (found and found.created) or 0.0


def beats(folder: Folder, *, since: float = 0.0) -> bool:
    """Whether the daemon that runs the keepers showed a sign of life lately; yes when its history cannot be read.

    A sign from before `since` (Unix time) is not its own: its history lies elsewhere by now.
    """
    history = folder.dagster_home / "history" / "runs.db"
    try:
        with closing(sqlite3.connect(f"{history.as_uri()}?mode=ro", uri=True, timeout=probes.TIMEOUT_S.get())) as base:
            row = base.execute("SELECT timestamp FROM daemon_heartbeats WHERE daemon_type = 'SENSOR'").fetchone()
        seen = None if row is None else datetime.fromisoformat(row[0]).replace(tzinfo=UTC)
    except (sqlite3.Error, ValueError):
        return True
    return seen is None or seen.timestamp() < since or datetime.now(UTC) - seen < _SILENCE


def webserver(site: Site) -> Service:
    """The Dagster UI, on the loopback interface only: it has no login."""
    port = site.ports[WEBSERVER]
    return Service(
        name=WEBSERVER,
        command=[
            site.python,
            *("-m", "dagster_webserver", "-h", "127.0.0.1", "-p", str(port)),
            *("-w", str(_workspace(site.folder))),
        ],
        address=site.url(WEBSERVER),
        probe=lambda: probes.answers(port, "/server_info"),
        prepare=lambda: _prepare(site),
        needs=frozenset({CODE}),
        environment=environment(site.folder),
        ports=(port,),
        grace_s=4.0,
    )


def _prepare(site: Site) -> None:
    make_home(site.folder)
    write_text(_workspace(site.folder), _WORKSPACE.format(port=site.ports[CODE], location=LOCATION))


def _workspace(folder: Folder) -> Path:
    return folder.root / "dagster" / "workspace.yaml"
