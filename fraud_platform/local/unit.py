"""One service's life: start, probe, watch, start again after a crash, stop; moved on by `tick`, never asleep."""

import logging
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from fraud_platform.errors import ConfigurationError, FraudPlatformError
from fraud_platform.local import process
from fraud_platform.local.folder import Folder
from fraud_platform.local.liveness import PATIENCE_S, Liveness, in_thread
from fraud_platform.local.ports import is_free
from fraud_platform.local.process import SERVICE_MARK, STACK_MARK, Process
from fraud_platform.local.service import Service
from fraud_platform.local.state import ServiceState, Status

logger = logging.getLogger(__name__)

FIRST_BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 20.0


def backoff_s(failures: int) -> float:
    """Pause before the next start after this many failures in a row (1 = the first)."""
    return min(LONGEST_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** max(0, failures - 1))


class Unit:
    """A service and the process that runs it now."""

    def __init__(
        self,
        service: Service,
        folder: Folder,
        *,
        clock: Callable[[], float] = time.monotonic,
        beside: Callable[[Callable[[], None]], None] = in_thread,
    ) -> None:
        """`beside` runs a question to the working service without making the supervisor wait."""
        self.service = service
        self.state = ServiceState(address=service.address)
        self._folder = folder
        self._clock = clock
        self._process: Process | None = None
        self._since = clock()
        self._next_start = 0.0
        self._stop_sent = self._killed = self._is_hung = self._was_ready = False
        self._liveness = Liveness(service.alive or service.probe, clock=clock, run=beside)
        self.lost_port: int | None = None
        """The port that another program took before the service could."""

    # What others ask --------------------------------------------------------------------------------

    @property
    def is_ready(self) -> bool:
        """Whether dependents may start."""
        return self.state.status is Status.READY

    @property
    def is_over(self) -> bool:
        """Whether nothing of it runs any more."""
        return self._process is None

    def adopt(self, earlier: ServiceState) -> bool:
        """Take over the process of an earlier supervisor when it still lives."""
        if earlier.pid is None or earlier.created is None:
            return False
        self._process = process.adopt(earlier.pid, earlier.created)
        if self._process is None:
            return False
        self._was_ready = earlier.status is Status.READY
        self.state = replace(earlier, address=self.service.address, message="taken over")
        self._enter(Status.STARTING, "taken over from an earlier supervisor")
        return True

    # The supervisor's clockwork ---------------------------------------------------------------------

    def tick(self, ready: Callable[[str], bool]) -> None:
        """Do what is due now; `ready` tells whether another service is."""
        if self._process is not None and not self._process.alive:
            self._ended()
        if self._held():
            return
        if self._process is None:
            if self._clock() >= self._next_start and all(ready(name) for name in self.service.needs):
                self._start()
        elif self._is_hung:
            self._kill_after_grace()
        elif self.state.status is Status.STARTING:
            self._probe()
        elif self.is_ready and self._liveness.is_hung():
            self._restart()

    def stop(self) -> None:
        """Ask it to end; kill it after its grace. Call again until `is_over`."""
        if self._process is None or not self._process.alive:
            self._process = None
            self._enter(Status.STOPPED, "")
            self.state.pid = self.state.created = None
        elif not self._stop_sent:
            self._stop_sent = True
            self._enter(Status.STOPPING, "")
            self._process.send(self.service.stop_signal)
            self._process.send(signal.SIGCONT)
        else:
            self._kill_after_grace()

    # Steps ------------------------------------------------------------------------------------------

    def _kill_after_grace(self) -> None:
        if self._process is not None and not self._killed and self._clock() - self._since > self.service.grace_s:
            self._killed = True
            logger.warning("%s did not end within %.0f s and is killed", self.service.name, self.service.grace_s)
            if self._is_hung:
                self._process.send(signal.SIGKILL)  # what it started works: Dagster's ops outlive their code server
            else:
                self._process.kill_session()

    def _restart(self) -> None:
        """End a program that hangs; it is started again as after a crash."""
        if self._process is None:
            return
        self._is_hung = True
        message = f"did not answer for {PATIENCE_S:.0f} s and is restarted"
        logger.warning("%s %s", self.service.name, message)
        self._enter(Status.STOPPING, message)
        self._process.send(self.service.stop_signal)

    def _held(self) -> bool:
        if not self._folder.hold(self.service.name).exists():
            if self.state.status is Status.HELD:
                self._enter(Status.WAITING, "")
            return False
        if self._process is None and self.state.status is not Status.HELD:
            self._enter(Status.HELD, "held down on request")
        return self._process is None

    def _start(self) -> None:
        try:
            self.service.prepare()
            taken = next((port for port in self.service.ports if not is_free(port)), None)
            if taken is not None:
                self.lost_port = taken
                self._failed(f"port {taken} is taken by another program; stop that, or `make down` and `make up`")
                return
            self._process = process.spawn(
                self.service.command,
                log=self._folder.log(self.service.name),
                environment=self._environment(),
                working_dir=self._folder.root,
            )
        except (FraudPlatformError, OSError) as error:
            self.state.needs_person = isinstance(error, ConfigurationError)
            self._failed(str(error))
            return
        self._was_ready = False
        self.state.pid, self.state.created = self._process.pid, self._process.created
        self._enter(Status.STARTING, "")

    def _environment(self) -> Mapping[str, str]:
        marks = {STACK_MARK: str(self._folder.root), SERVICE_MARK: self.service.name}
        return {**os.environ, **self.service.environment, **marks}

    def _probe(self) -> None:
        if self._answers():
            logger.info("%s is ready at %s", self.service.name, self.service.address)
            self.state.needs_person, self.state.failures = False, 0
            self._enter(Status.READY, "")
            self._liveness.begin()
        elif self._clock() - self._since > self.service.start_timeout_s and self._process is not None:
            logger.warning("%s was not ready within %.0f s", self.service.name, self.service.start_timeout_s)
            self._process.send(signal.SIGKILL)

    def _answers(self) -> bool:
        """Whether the service works, and it is ours that answers: a stranger may have its port."""
        question = self.service.alive if self._was_ready and self.service.alive else self.service.probe
        try:
            return question() and (self._process is None or process.listens(self._process.pid, self.service.ports))
        except Exception:  # a probe may fail in any way; the other services must not fall with it
            logger.exception("the probe of %s failed", self.service.name)
            return False

    def _ended(self) -> None:
        code = self._process.exit_code if self._process else None
        was_hung, self._is_hung, self._killed = self._is_hung, False, False
        self._process = None
        self.state.pid = self.state.created = None
        self.state.last_exit = code
        if self._folder.hold(self.service.name).exists():
            self._enter(Status.HELD, "held down on request")
            return
        self.state.restarts += 1
        why = f"did not answer for {PATIENCE_S:.0f} s" if was_hung else f"ended by itself ({_how(code)})"
        self._failed(f"{why}; its log: {self._folder.log(self.service.name)}")

    def _failed(self, message: str) -> None:
        self.state.failures += 1
        pause = backoff_s(self.state.failures)
        self._next_start = self._clock() + pause
        logger.warning("%s: %s; next start in %.1f s", self.service.name, message, pause)
        self._enter(Status.CRASHED, message)

    def _enter(self, status: Status, message: str) -> None:
        self.state.status, self.state.message = status, message
        self._since = self._clock()


def _how(code: int | None) -> str:
    if code is None:
        return "exit code unknown"
    if code >= 0:
        return f"exit code {code}"
    named = next((known.name for known in signal.Signals if known == -code), str(-code))
    return f"signal {named}"
