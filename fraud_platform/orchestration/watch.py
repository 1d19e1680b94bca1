"""A run's own eye on itself: leaves when its stored status says so, and shows that it lives.

The normal way to stop is a signal from the code server. When that server is gone, nobody can send one;
then the status in the run storage is the only way left, so each op reads its own every few seconds.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Self

from dagster import DagsterInstance, DagsterRunStatus

from fraud_platform.orchestration import tags
from fraud_platform.orchestration.code import own_code
from fraud_platform.orchestration.processes import own_process
from fraud_platform.runtime.stop import StopRequest

logger = logging.getLogger(__name__)

CHECK_S = 5.0
LEAVING_CHECK_S = 1.0
LEAVE_S = 10.0
"""An op that was asked to leave has this long; its open transaction is aborted by its successor or by Kafka."""
STALL_S = 180.0
"""A loop that has not come round for this long is stuck in a client; Kafka itself would wait 300 s."""
_LEAVE = {
    DagsterRunStatus.CANCELING,
    DagsterRunStatus.CANCELED,
    DagsterRunStatus.FAILURE,
    DagsterRunStatus.SUCCESS,
}


class RunWatch:
    """A thread beside the op, which says in the run's tags what keepers and commands want to know."""

    def __init__(
        self,
        instance: DagsterInstance,
        run_id: str,
        stop: StopRequest,
        *,
        check_s: float = CHECK_S,
        leave_s: float = LEAVE_S,
        stall_s: float = STALL_S,
        end_process: Callable[[int], object] = os._exit,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._instance = instance
        self._run_id = run_id
        self._stop = stop
        self._check_s = check_s
        self._leave_s = leave_s
        self._stall_s = stall_s
        self._end_process = end_process
        self._clock = clock
        self._came_round_at = clock()
        self._asked_at: float | None = None
        self._beating = True
        self._facts = {tags.PROCESS: own_process(), tags.CODE: own_code()}
        self._works = False
        self._wake = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._watch, name="run-watch", daemon=True)

    def __enter__(self) -> Self:
        """Begin to watch."""
        self._guard(self._forget_parent)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Watch no longer."""
        self._ended = True
        self._wake.set()
        self._thread.join(self._check_s)

    def should_stop(self) -> bool:
        """What the loop asks each time it comes round."""
        self._came_round_at = self._clock()
        return self._stop()

    def working(self, *, seen_elsewhere: bool) -> None:
        """The slot does its work now; `seen_elsewhere` = as a group member, so that it needs no heartbeat."""
        if self._works:
            return
        self._works = True
        self._facts = self._facts | {tags.WORKING: f"{time.time():.0f}"}
        self._beating = not seen_elsewhere
        self._wake.set()

    def leaves_at(self, moment: float) -> None:
        """The run will hand its slot over at this Unix time: its keeper has the successor ready by then."""
        self._facts = self._facts | {tags.LEAVES_AT: f"{moment:.0f}"}
        self._wake.set()

    def judging_by(self, version: str, coming: str = "") -> None:
        """The slot judges by this rule set now, and makes that one ready; empty where nothing is judged, or none is."""
        told = {tags.RULES: version, tags.RULES_COMING: coming}
        if version and told.items() - self._facts.items():
            self._facts = self._facts | told
            self._wake.set()

    def _watch(self) -> None:
        while not self._ended:
            self._guard(self._look)
            if why := self._stuck():
                self._guard(partial(self._give_up, why))
                self._end_process(1)
                return
            self._wake.wait(min(self._check_s, LEAVING_CHECK_S) if self._stop() else self._check_s)
            self._wake.clear()

    def _guard(self, step: Callable[[], None]) -> None:
        """A history that cannot be read or written for a moment never ends a stage."""
        try:
            step()
        except Exception:
            logger.warning("the run cannot reach Dagster's history", exc_info=True)

    def _look(self) -> None:
        run = self._instance.get_run_by_id(self._run_id)
        if run is None:
            return
        if run.status in _LEAVE:
            logger.info("leaving: the run is %s", run.status.value)
            self._stop.set()
            return
        # Dagster writes all tags of a run at once, so that a writer beside us can undo ours: look and repeat.
        news = {name: value for name, value in self._facts.items() if run.tags.get(name) != value}
        if self._beating:
            news[tags.HEARTBEAT] = f"{time.time():.0f}"
        if news:
            self._instance.add_run_tags(self._run_id, news)

    def _stuck(self) -> str:
        """Why the loop will not end by itself; empty while it may."""
        now = self._clock()
        if self._ended:
            return ""
        if self._stop():
            self._asked_at = self._asked_at or now
            late_s = now - self._asked_at
            return f"The op did not leave within {late_s:.0f} s." if late_s > self._leave_s else ""
        silent_s = now - self._came_round_at
        return f"The op has been stuck for {silent_s:.0f} s." if silent_s > self._stall_s else ""

    def _give_up(self, why: str) -> None:
        """Write down how the run ended before its process does."""
        logger.error("%s", why)
        run = self._instance.get_run_by_id(self._run_id)
        if run is None or run.is_finished:
            return
        if run.status is DagsterRunStatus.CANCELING:
            self._instance.report_run_canceled(run, message=why)
        else:
            self._instance.report_run_failed(run, message=why)

    def _forget_parent(self) -> None:
        """A re-executed run inherits its parent's tags; how that one ended says nothing about this one."""
        run = self._instance.get_run_by_id(self._run_id)
        if run is not None and run.tags.get(tags.ENDED_BY):
            self._instance.add_run_tags(self._run_id, {tags.ENDED_BY: ""})
