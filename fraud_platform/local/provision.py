"""The step between the stores and our own code: topics, rules and schemas exist before anything uses them."""

import logging
import time
from collections.abc import Callable

from fraud_platform.errors import ConfigurationError, FraudPlatformError
from fraud_platform.local.state import ServiceState, Status
from fraud_platform.local.unit import backoff_s
from fraud_platform.settings import Settings

logger = logging.getLogger(__name__)


def provision(settings: Settings) -> None:
    """Create the topics, the first rule set and the schemas that are missing; harmless when repeated.

    Raises:
        FraudPlatformError: the broker or the registry did not answer, or refused.
    """
    if settings.kafka_bootstrap_servers is not None:
        make_topics(settings)
        seed_rules(settings)
    if settings.schema_registry_url is not None:
        register_schemas(settings)


def make_topics(settings: Settings) -> None:
    """Create the topics that are missing; errors as `provision`."""
    from fraud_platform.adapters.admin import ensure_topics
    from fraud_platform.adapters.kafka_access import require_access

    require_access(settings)
    ensure_topics(settings)


def seed_rules(settings: Settings) -> None:
    """Publish the first rule set unless there is one; errors as `provision`."""
    from fraud_platform.adapters.rule_set_topic import seed

    seed(settings)


def register_schemas(settings: Settings) -> None:
    """Register the schemas that are missing, unless the registry has lost what it knew; errors as `provision`."""
    from fraud_platform.adapters.ledger import require_whole
    from fraud_platform.adapters.registry import SchemaRegistry

    registry = SchemaRegistry(settings)
    if settings.kafka_bootstrap_servers is not None:
        require_whole(settings, registry)
    registry.register_all()


class Step:
    """A piece of work that must succeed once, with the same face as a service's `Unit`."""

    def __init__(
        self,
        work: Callable[[], None],
        *,
        needs: frozenset[str],
        about: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.state = ServiceState(address=about)
        self._work = work
        self.needs = needs
        self._clock = clock
        self._next_try = 0.0

    @property
    def is_ready(self) -> bool:
        """Whether the work is done."""
        return self.state.status is Status.READY

    def tick(self, ready: Callable[[str], bool]) -> None:
        """Do the work when it is due."""
        due = not self.is_ready and self._clock() >= self._next_try
        if not due or not all(ready(name) for name in self.needs):
            return
        try:
            self._work()
        except FraudPlatformError as error:
            self._failed(str(error), needs_person=isinstance(error, ConfigurationError))
        else:
            self.state.status, self.state.message, self.state.needs_person = Status.READY, "", False

    def _failed(self, message: str, *, needs_person: bool) -> None:
        self.state.failures += 1
        self.state.status, self.state.message = Status.CRASHED, message
        self.state.needs_person = needs_person
        self._next_try = self._clock() + backoff_s(self.state.failures)
        logger.warning("platform: %s", message)
