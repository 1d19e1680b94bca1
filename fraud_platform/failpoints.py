"""Named points of the exactly-once loop at which a test makes a process stand still; off unless asked for.

`python -m fraud_platform.runtime lake --stop-at after_plan:3` stops itself (SIGSTOP) the third time it comes by.
The test looks around, then kills the process or lets it go on. No setting and no environment variable arms a
point, so nothing can inherit one; a point that is not armed costs one comparison.
"""

import os
import signal
import threading
from dataclasses import dataclass, field
from enum import StrEnum


class Point(StrEnum):
    """Where a process can be stopped, in the order of a transaction."""

    IN_REBALANCE = "in_rebalance"
    AFTER_CONSUME = "after_consume"
    AFTER_VALIDATE = "after_validate"
    AFTER_MONGO_WRITE = "after_mongo_write"
    AFTER_PLAN = "after_plan"
    AFTER_S3_PUT = "after_s3_put"
    AFTER_PRODUCE = "after_produce"
    BEFORE_COMMIT = "before_commit"
    AFTER_SEND_OFFSETS = "after_send_offsets"
    AFTER_COMMIT = "after_commit"


@dataclass
class FailPoint:
    """Stops this process when it reaches `point` for the `nth` time, once."""

    point: Point
    nth: int = 1
    _seen: int = field(default=0, compare=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, compare=False)

    @classmethod
    def parse(cls, text: str) -> "FailPoint":
        """`after_plan` or `after_plan:3`.

        Raises:
            ValueError: no such point, or no such number.
        """
        name, _, number = text.partition(":")
        nth = int(number or 1)
        if nth < 1:
            raise ValueError("the first time is number 1")
        return cls(Point(name), nth)

    def reach(self, point: Point) -> None:
        """Count a pass of `point`; stand still when it is the one."""
        if point is not self.point:
            return
        with self._lock:  # several writers of the lake pass at once
            self._seen += 1
            is_it = self._seen == self.nth
        if is_it:
            os.kill(os.getpid(), signal.SIGSTOP)


_armed: FailPoint | None = None


def arm(point: FailPoint | None) -> None:
    """Let the next passes count; None disarms."""
    global _armed  # noqa: PLW0603 - one per process, like the signal that it sends
    _armed = point


def reach(point: Point) -> None:
    """The process is at `point` now."""
    if _armed is not None:
        _armed.reach(point)
