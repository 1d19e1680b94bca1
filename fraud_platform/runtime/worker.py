"""The one loop of every stage: poll, hand over, pause while the outside is away, leave cleanly."""

import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping
from enum import StrEnum

import msgspec

from fraud_platform.core.log import Committed, Log, Partition
from fraud_platform.errors import BrokerUnavailable, FraudPlatformError, InputLost, Restoring, Retryable
from fraud_platform.failpoints import Point, reach
from fraud_platform.runtime.handler import Handler

logger = logging.getLogger(__name__)

POLL_S = 0.2  # signals and stop requests are seen between polls
PROBE_S = 5.0  # a service that is down is asked this often
RESTORE_POLL_S = 0.01
RECONNECT_S = 1.0  # Kafka's own retries back off already
REPEAT_ERROR_S = 60.0


class State(StrEnum):
    """What a worker is doing."""

    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"


class Progress(msgspec.Struct, frozen=True):
    """A worker's own account of itself: records per outcome since its start, offsets, and why it pauses.

    `rules` is the version of the rule set that judges its next record, empty where nothing is judged; `coming` the one
    that is being made ready, and how far that is.
    """

    state: State
    outcomes: Mapping[str, int]
    committed: Mapping[Partition, Committed]
    paused_because: str = ""
    rules: str = ""
    coming: str = ""

    @property
    def records(self) -> int:
        """Records with an outcome since the start of the run."""
        return sum(self.outcomes.values())


class Worker:
    """Drives one slot's log and handler until told to stop.

    `patience_s` bounds how long it waits for a service that is away before it gives up with that error;
    a long-running slot waits for ever. An `eager` worker commits all that it has whenever it has caught up,
    as a drain does.
    """

    def __init__(
        self,
        log: Log,
        handler: Handler,
        *,
        stop: Callable[[], bool],
        patience_s: float = math.inf,
        eager: bool = False,
        observe: Callable[[Progress], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._handler = handler
        self._stop = stop
        self._patience_s = patience_s
        self._eager = eager
        self._observe = observe
        self._clock = clock
        self._generation = -1
        self._pause: _Pause | None = None
        self._last_pause: _Pause | None = None
        self._observed_at = -math.inf

    def run(self, *, until: Callable[[], bool] = lambda: False) -> Progress:
        """Work until `stop` or `until`; commit what was read; leave the group.

        Raises:
            Fenced: another process took over this slot.
            ConfigurationError: a person must change something.
            Retryable: `patience_s` is over.
        """
        try:
            while not self._stop() and not until():
                self._step()
                self._report()
            self._finish()
        finally:
            self._handler.close()
            self._log.close()
        progress = self._progress(State.STOPPED)
        self._observe(progress)
        return progress

    def _step(self) -> None:
        try:
            if self._pause is not None:
                self._wait(self._pause)
                return
            batch = self._log.poll(POLL_S)
            if self._log.generation != self._generation:
                self._generation = self._log.generation
                self._handler.reset()
            if batch.records:
                reach(Point.AFTER_CONSUME)
            self._handler.handle(batch)
            if self._eager and not batch.records:
                self._handler.flush()
        except (Retryable, InputLost) as error:
            if isinstance(error, InputLost) and self._patience_s < math.inf:
                raise  # waiting brings nothing back
            self._begin_pause(error)

    def _wait(self, pause: "_Pause") -> None:
        """Stay in the group without reading; look every few seconds whether the outside is back.

        What a stage remembers is read back in here too, in slices, so that a long restore never costs it its place.
        """
        self._log.poll(RESTORE_POLL_S if isinstance(pause.error, Restoring) else POLL_S)
        now = self._clock()
        if now < pause.probe_at:
            return
        if now - pause.since > self._patience_s:
            raise _Impatient(pause.error)
        pause.probe_at = now + _probe_s(pause.error)
        if isinstance(pause.error, InputLost) or not self._handler.ready():
            return
        self._log.recover()
        logger.info("going on after %.1f s: %s", now - pause.since, pause.error)
        self._pause, self._last_pause = None, pause

    def _begin_pause(self, error: FraudPlatformError) -> None:
        now = self._clock()
        if isinstance(error, _Impatient):
            raise error.reason from None
        if self._pause is None:
            self._pause = self._new_pause(error, now)
            self._log.hold()
        elif isinstance(self._pause.error, Restoring):
            self._pause.since = now  # until now it went on
        self._pause.error = error
        if now - self._pause.since > self._patience_s:
            raise error
        if now - self._pause.said_at >= REPEAT_ERROR_S:
            logger.log(logging.INFO if isinstance(error, Restoring) else logging.WARNING, "paused: %s", error)
            self._pause.said_at = now

    def _new_pause(self, error: FraudPlatformError, now: float) -> "_Pause":
        wait = _probe_s(error)
        done = self._handler.totals.total()
        last = self._last_pause
        if last is None or str(last.error) != str(error) or last.done != done:
            return _Pause(error, since=now, probe_at=now + wait, said_at=-math.inf, done=done)
        # All seemed well again, and it was not: the same pause goes on.
        return _Pause(error, since=last.since, probe_at=now + wait, said_at=last.said_at, done=done)

    def _finish(self) -> None:
        if self._pause is not None or self._log.generation != self._generation:
            return  # the log went back: what the handler holds comes again
        try:
            self._handler.flush()
        except Retryable as error:
            logger.warning("leaving without the last commit, nothing is lost: %s", error)

    def _report(self) -> None:
        if self._clock() - self._observed_at >= 1.0:
            self._observed_at = self._clock()
            self._observe(self._progress(self._state()))

    def _state(self) -> State:
        if self._pause is not None:
            return State.PAUSED
        return State.RUNNING if self._log.committed else State.STARTING

    def _progress(self, state: State) -> Progress:
        reason, handler = str(self._pause.error) if self._pause is not None else "", self._handler
        committed = dict(self._log.committed)
        return Progress(state, Counter(handler.totals), committed, reason, handler.rules, handler.coming)


def _probe_s(error: FraudPlatformError) -> float:
    if isinstance(error, Restoring):
        return 0.0
    return RECONNECT_S if isinstance(error, BrokerUnavailable) else PROBE_S


class _Pause(msgspec.Struct):
    error: FraudPlatformError
    since: float
    probe_at: float
    said_at: float
    done: int


class _Impatient(Retryable):
    """Carries the reason of a pause that lasted too long out of the loop."""

    def __init__(self, reason: FraudPlatformError) -> None:
        super().__init__(str(reason))
        self.reason = reason
