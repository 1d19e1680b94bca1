"""Stopping at a batch boundary: the first SIGINT or SIGTERM asks, the loop answers."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """Set by a signal or by anyone who holds it; the loop looks at it between batches."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.by_signal = False

    def __call__(self) -> bool:
        """Whether to stop."""
        return self._event.is_set()

    def set(self) -> None:
        """Ask to stop."""
        self._event.set()

    def wait(self, timeout_s: float) -> bool:
        """Wait for the request at most `timeout_s`; whether it came."""
        return self._event.wait(timeout_s)


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """A `StopRequest` that SIGINT and SIGTERM set while the context lasts; main thread only."""
    request = StopRequest()

    def on_signal(number: int, frame: FrameType | None) -> None:
        del number, frame
        request.by_signal = True
        request.set()

    previous: dict[int, Callable[..., object] | int | None] = {
        number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield request
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
