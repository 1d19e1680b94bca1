"""How many transfers are due: a rate in transfers per second against a monotonic clock."""

CATCH_UP_S = 1.0
_UNLIMITED = 1 << 30
_ROUNDING = 1e-6
"""Of an event; a wait that ends a rounding error early must not leave nothing due and no time to wait."""


class Pace:
    """Spreads `rate` events a second evenly; None = no limit.

    After a pause at most one second's worth is made up for, so that a broker that was away is not
    flooded when it returns. All times in seconds of one monotonic clock.
    """

    def __init__(self, rate: float | None, now: float) -> None:
        if rate is not None and rate <= 0:
            raise ValueError(f"rate must be above 0, got {rate}")
        self._rate = rate
        self._since = now
        self._taken = 0

    def due(self, now: float) -> int:
        """Events that may happen now; the first is due at once."""
        if self._rate is None:
            return _UNLIMITED
        # Too far behind: move the whole schedule, as if the missed ones had been taken.
        behind = now - self._next()
        self._since += max(0.0, behind - CATCH_UP_S)
        earned = int((now - self._since) * self._rate + 1 + _ROUNDING)
        return max(0, earned - self._taken)

    def take(self, number: int) -> None:
        """Count `number` events as done."""
        self._taken += number

    def wait(self, now: float) -> float:
        """Seconds until the next event is due; 0 when one is."""
        return 0.0 if self._rate is None else max(0.0, self._next() - now)

    def _next(self) -> float:
        """When the next event is due; without a rate, always."""
        return self._since if self._rate is None else self._since + self._taken / self._rate
