"""Calls that may ignore their own timeout, made on a thread that can be left behind."""

import queue
import threading
from collections.abc import Callable

from fraud_platform.errors import BrokerUnavailable

_Answers = queue.SimpleQueue[BaseException | None]
_Tasks = queue.SimpleQueue[tuple[Callable[[], None], _Answers] | None]


class BoundedCalls:
    """Makes calls one at a time on a daemon thread, which is replaced when one of them does not return.

    librdkafka's send_offsets_to_transaction waits for the group coordinator without looking at its timeout
    (librdkafka issues 5456 and 5511): after a broker restart it can hang for ever. The detour costs 35 us.
    """

    def __init__(self) -> None:
        self._tasks: _Tasks | None = None

    def call(self, work: Callable[[], None], timeout_s: float) -> None:
        """Do `work`.

        Raises:
            BrokerUnavailable: it did not return in time; its thread and whatever it holds are given up.
            Exception: whatever `work` raises.
        """
        if self._tasks is None:
            self._tasks = queue.SimpleQueue()
            threading.Thread(target=_serve, args=(self._tasks,), name="bounded-calls", daemon=True).start()
        answers: _Answers = queue.SimpleQueue()
        self._tasks.put((work, answers))
        try:
            error = answers.get(timeout=timeout_s)
        except queue.Empty:
            self.close()
            raise BrokerUnavailable(f"Kafka did not answer within {timeout_s:.0f} s.") from None
        if error is not None:
            raise error

    def close(self) -> None:
        """Let the thread end once it has done what it does; another call begins a new one."""
        tasks, self._tasks = self._tasks, None
        if tasks is not None:
            tasks.put(None)


def call_once(work: Callable[[], None], timeout_s: float) -> None:
    """Do `work` on a thread that ends with it; raises as `BoundedCalls.call`."""
    calls = BoundedCalls()
    try:
        calls.call(work, timeout_s)
    finally:
        calls.close()


def _serve(tasks: _Tasks) -> None:
    while task := tasks.get():
        work, answers = task
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - handed to the caller
            answers.put(error)
        else:
            answers.put(None)
