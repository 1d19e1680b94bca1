"""Whether a service that was ready still answers: a program that hangs does not end, and nobody would notice."""

import logging
import threading
import time
from collections.abc import Callable

from fraud_platform.local.probes import TIMEOUT_S

logger = logging.getLogger(__name__)

EVERY_S, ANSWER_S = 15.0, 10.0
PATIENCE_S = 60.0
"""Silence after which a service counts as hung: longer than any pause of a busy machine that was seen."""
FEWEST = 3
"""Questions without an answer, at least: a supervisor that slept itself asked none meanwhile."""


def in_thread(work: Callable[[], None]) -> None:
    """Do the work beside the caller; it may take its time."""
    threading.Thread(target=work, name="liveness", daemon=True).start()


class Liveness:
    """Asks now and then, one question at a time, and never makes its caller wait for the answer."""

    def __init__(
        self,
        question: Callable[[], bool],
        *,
        clock: Callable[[], float] = time.monotonic,
        run: Callable[[Callable[[], None]], None] = in_thread,
    ) -> None:
        self._question = question
        self._clock = clock
        self._run = run
        self.begin()

    def begin(self) -> None:
        """Count afresh: the service is ready now. What was asked before counts no more."""
        self._asked_at = self._clock()
        self._answers: list[bool] | None = None
        self._silent_since: float | None = None
        self._silences = 0

    def is_hung(self) -> bool:
        """Whether there was no good answer for `PATIENCE_S`; asks the next question when it is due."""
        now = self._clock()
        if self._answers:
            self._heard(self._answers[0])
            self._answers = None
        if now - self._asked_at >= EVERY_S:
            if self._answers is not None:
                self._heard(is_well=False)  # the answer is still out
            self._ask(now)
        return self._silences >= FEWEST and self._silent_since is not None and now - self._silent_since >= PATIENCE_S

    def _ask(self, now: float) -> None:
        answers: list[bool] = []
        self._asked_at, self._answers = now, answers

        def ask() -> None:
            waits = TIMEOUT_S.set(ANSWER_S)  # a busy machine is slow, not hung
            try:
                answers.append(self._question())
            except Exception:  # a question may fail in any way, and its thread must not end without an answer
                logger.exception("a question of liveness failed")
                answers.append(False)
            finally:
                TIMEOUT_S.reset(waits)

        self._run(ask)

    def _heard(self, is_well: bool) -> None:
        if is_well:
            self._silent_since, self._silences = None, 0
        else:
            self._silent_since = self._asked_at if self._silent_since is None else self._silent_since
            self._silences += 1
