"""What the service counts about itself: routes, statuses and actions; never an id or an account."""

from collections import Counter as Tally
from collections.abc import Sequence

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest

from fraud_platform.validator_api.wire import ItemFailure, Reply

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """One registry per application, so that two of them in one process never add up."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "fraud_validator_requests_total",
            "Requests by route and status.",
            ("route", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "fraud_validator_request_seconds",
            "Time from the first byte to the whole reply.",
            ("route",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._decisions = Counter(
            "fraud_validator_decisions_total", "Decisions by action.", ("action",), registry=self._registry
        )
        self._rejected = Counter(
            "fraud_validator_rejected_total",
            "Requests and batch items that could not be judged, by fault.",
            ("type",),
            registry=self._registry,
        )

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count one answered request; `route` comes from the fixed list of routes."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def results(self, results: Sequence[Reply | ItemFailure]) -> None:
        """Count what the items of one request became."""
        tally = Tally(item.action if isinstance(item, Reply) else item.error for item in results)
        for kind, count in tally.items():
            if isinstance(kind, str):
                self._decisions.labels(kind.value).inc(count)
            else:
                self.rejected(kind.type, count)

    def rejected(self, error_type: str, count: int = 1) -> None:
        """Count what could not be judged."""
        self._rejected.labels(error_type).inc(count)

    def text(self) -> bytes:
        """The Prometheus text format."""
        return generate_latest(self._registry)
