"""The supervisor: starts the services of one data folder in order, mends what dies, stops all in order.

Run as `python -m fraud_platform.local.supervisor --data-dir D --services kafka,registry`. It leaves on

* SIGTERM or SIGINT: stops every service, the last started first;
* SIGUSR1: leaves the services running, for the next supervisor to take over.

When it is killed, the services live on; the next supervisor finds them by the state file.
"""

import argparse
import fcntl
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import IO

import psutil

from fraud_platform.errors import FraudPlatformError
from fraud_platform.local import catalogue, downloads, ports, process, registry, state
from fraud_platform.local.catalogue import CATALOGUE, PLATFORM
from fraud_platform.local.folder import Folder, trim
from fraud_platform.local.provision import Step, provision
from fraud_platform.local.service import Service, Site, start_timeout_s, waves
from fraud_platform.local.state import Phase, ServiceState, StackState, Status
from fraud_platform.local.unit import Unit
from fraud_platform.settings import Settings

logger = logging.getLogger(__name__)

NAME = "supervisor"
IDLE_TICK_S = 0.5
BUSY_TICK_S = 0.1
TRIM_EVERY_S = 10.0
ALREADY_RUNS = 3
"""Exit code when another supervisor holds the folder."""


class Supervisor:
    """Keeps the services of one data folder alive."""

    def __init__(
        self, folder: Folder, services: Sequence[Service], step: Step, *, while_pid: int | None = None
    ) -> None:
        self._folder = folder
        self.units = {service.name: Unit(service, folder) for service in services}
        self._waves = waves({service.name: service.needs for service in services})
        self._start_timeout_s = start_timeout_s(services, {PLATFORM: step.needs})
        self._step = step
        self._while = process.born(while_pid) if while_pid else None
        self._phase = Phase.STARTING
        self._wake = threading.Event()
        self._leave: signal.Signals | None = None
        self._written: StackState | None = None
        self._was_ready = False
        self._trim_at = 0.0

    def run(self) -> bool:
        """Keep the services alive until a signal says otherwise.

        Returns:
            False when all was stopped because a stranger took a port before everything was ready for the first
            time: assemble anew, with other ports.
        """
        self.take_over()
        self._write()  # who waits for this supervisor need not wait for the first round, which may format a disk
        while self._leave is None:
            self.tick()
            if self._lost_a_port():
                self.stop()
                return self._leave is not None
            self._wake.wait(IDLE_TICK_S if self._phase is Phase.READY else BUSY_TICK_S)
            if self._while is not None and not self._while.alive:
                logger.warning("the process that asked for this stack is gone")
                self._leave = signal.SIGTERM
        if self._leave is signal.SIGUSR1:
            logger.info("left; the services run on")
        else:
            self.stop()
        return True

    @property
    def asked_to_leave(self) -> signal.Signals | None:
        """The signal that ends `run`, once it came."""
        return self._leave

    def leave(self, number: int, _frame: FrameType | None = None) -> None:
        """Signal handler: end `run` at the next step."""
        self._leave = signal.Signals(number)
        self._wake.set()

    def follow(self, earlier: "Supervisor | None") -> None:
        """Heed a signal that came when the earlier one had ended already."""
        number = earlier and earlier.asked_to_leave
        if number:
            self.leave(number)

    def take_over(self) -> None:
        """Adopt what an earlier supervisor left running; end what nobody knows or wants any more."""
        earlier = state.read(self._folder).services
        adopted = {name for name, unit in self.units.items() if name in earlier and unit.adopt(earlier[name])}
        known = {unit.state.pid for name, unit in self.units.items() if name in adopted}
        for name, stray in process.of_stack(self._folder.root):
            if name in CATALOGUE and stray.pid not in known and process.leads_session(stray):
                logger.warning("%s (process %d) is not wanted any more and is stopped", name, stray.pid)
                _end(stray)
        if adopted:
            logger.info("took over %s", ", ".join(sorted(adopted)))

    def tick(self) -> None:
        """One round: everything that is due now, then the state file when something changed."""
        self._step.tick(self._is_ready)
        for unit in self.units.values():
            unit.tick(self._is_ready)
        all_ready = all(self._is_ready(name) for name in (*self.units, PLATFORM))
        if all_ready and self._phase is Phase.STARTING:
            logger.info("all services are ready")
            self._was_ready = True
        self._phase = Phase.READY if all_ready else Phase.STARTING
        self._trim_logs()
        self._write()

    def stop(self) -> None:
        """Stop every service, those that others need last."""
        self._phase = Phase.STOPPING
        for wave in reversed(self._waves):
            going = [self.units[name] for name in wave]
            while going:
                for unit in going:
                    unit.stop()
                going = [unit for unit in going if not unit.is_over]
                self._write()
                time.sleep(BUSY_TICK_S if going else 0)
        self._phase = Phase.STOPPED
        self._step.state.status = Status.STOPPED
        self._write()
        logger.info("all services are stopped")

    def _trim_logs(self) -> None:
        if time.monotonic() < self._trim_at:
            return
        self._trim_at = time.monotonic() + TRIM_EVERY_S
        for name in (*self.units, NAME):
            try:
                trim(self._folder.log(name))
            except OSError as error:
                logger.warning("the log of %s stays long: %s", name, error.strerror)

    def _lost_a_port(self) -> bool:
        """Whether other ports must be chosen; later nobody would hear of them, so the service waits for its own."""
        if self._was_ready:
            return False
        lost = {name: unit.lost_port for name, unit in self.units.items() if unit.lost_port is not None}
        for name, port in lost.items():
            logger.warning("%s: another program was quicker at port %d; all starts again on other ports", name, port)
        return bool(lost)

    def _is_ready(self, name: str) -> bool:
        if name == PLATFORM:
            return self._step.is_ready
        return name not in self.units or self.units[name].is_ready

    def _write(self) -> None:
        seen: dict[str, ServiceState] = {name: replace(unit.state) for name, unit in self.units.items()}
        now = StackState(
            phase=self._phase,
            start_timeout_s=self._start_timeout_s,
            supervisor_pid=os.getpid(),
            supervisor_created=psutil.Process().create_time(),
            services={**seen, PLATFORM: replace(self._step.state)},
        )
        if now != self._written:
            state.write(self._folder, now)
            self._written = now


def _end(stray: psutil.Process) -> None:
    try:
        stray.terminate()
        stray.wait(5)
    except psutil.TimeoutExpired:
        stray.kill()
        stray.wait(5)
    except psutil.NoSuchProcess:
        pass


def lock(folder: Folder) -> IO[str] | None:
    """Hold the folder's lock as long as the returned file is open; None when another supervisor holds it."""
    folder.make()
    file = folder.lock.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def assemble(
    folder: Folder,
    names: Sequence[str],
    environment: Mapping[str, str],
    *,
    claims: ports.Claims,
    prefer_defaults: bool = True,
    while_pid: int | None = None,
) -> Supervisor:
    """A supervisor for these services: ports chosen, endpoints written, settings read again with them.

    Raises:
        FraudPlatformError: a setting is wrong, a program is missing, no port is free.
    """
    living = _living(folder)
    chosen = ports.settle(
        folder,
        catalogue.ports_of(names),
        claims=claims,
        in_use=catalogue.ports_of(living),
        prefer_defaults=prefer_defaults,
    )
    catalogue.write_endpoints(folder, chosen, names)
    settings = Settings.from_environment({**environment, "FRAUD_DATA_DIR": str(folder.root)})
    site = Site(folder=folder, ports=chosen, settings=settings, cache=downloads.cache_dir())
    services = [CATALOGUE[name].describe(site) for name in names]
    step = Step(
        lambda: _provision(settings, site, with_registry="registry" in names),
        needs=frozenset(names) & {"kafka", "registry"},
        about="topics and schemas",
    )
    return Supervisor(folder, services, step, while_pid=while_pid)


def _provision(settings: Settings, site: Site, *, with_registry: bool) -> None:
    provision(settings)
    if with_registry:
        registry.keep_copy(site.folder, site.ports[registry.NAME])


def _living(folder: Folder) -> list[str]:
    services = state.read(folder).services
    return [
        name
        for name, seen in services.items()
        if name in CATALOGUE and seen.pid and seen.created and process.find(seen.pid, seen.created)
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the supervisor of one data folder; returns the exit code."""
    given = _parse(arguments)
    folder = Folder(given.data_dir.absolute())
    held = lock(folder)
    if held is None:
        print(f"A supervisor already runs for {folder.root}; `make down` stops it.", file=sys.stderr)
        return ALREADY_RUNS
    _log_to_stdout()
    try:
        with held:
            _supervise(given, folder)
    except FraudPlatformError as error:
        logger.error("%s", error)  # noqa: TRY400 - a sentence for a person, not a traceback
        return 1
    return 0


def _supervise(given: argparse.Namespace, folder: Folder) -> None:
    claims = ports.Claims()  # held until this process ends
    supervisor: Supervisor | None = None
    is_done = False
    while not is_done:
        before = supervisor
        supervisor = assemble(
            folder,
            given.services,
            os.environ,
            claims=claims,
            prefer_defaults=not given.any_ports,
            while_pid=given.while_pid,
        )
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            signal.signal(number, supervisor.leave)
        supervisor.follow(before)
        # Its terminal may close; the services must not notice.
        signal.signal(signal.SIGHUP, lambda *_: None)
        is_done = supervisor.run()


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fraud_platform.local.supervisor", description="Keeps services alive.")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--services", type=_names, default=list(CATALOGUE), help="comma-separated")
    parser.add_argument("--any-ports", action="store_true", help="choose free ports, not the well-known ones")
    parser.add_argument("--while-pid", type=int, help="stop everything when this process is gone")
    return parser.parse_args(arguments)


def _names(text: str) -> list[str]:
    names: Iterable[str] = [name for name in text.split(",") if name]
    unknown = [name for name in names if name not in CATALOGUE]
    if unknown:
        raise argparse.ArgumentTypeError(f"no such service: {', '.join(unknown)}")
    return [name for name in CATALOGUE if name in names]


def _log_to_stdout() -> None:
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(
        stream=sys.stdout, level=logging.INFO, format="%(asctime)sZ %(levelname)s %(message)s", force=True
    )


if __name__ == "__main__":
    sys.exit(main())
