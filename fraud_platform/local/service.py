"""A service as data, and the order in which services start and stop."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGTERM, Signals

from fraud_platform.local.folder import Folder
from fraud_platform.settings import Settings


def _nothing() -> None:
    """Needs no preparation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One program that the supervisor keeps alive.

    `probe` answers within about a second whether the service works; `alive` is asked instead of it once the
    service was ready, when that is another question; `prepare` runs before each start and
    raises `ConfigurationError` when a person must act; `grace_s` lies between `stop_signal` and a kill.
    """

    name: str
    command: Sequence[str]
    address: str
    probe: Callable[[], bool]
    alive: Callable[[], bool] | None = None
    prepare: Callable[[], None] = _nothing
    needs: frozenset[str] = frozenset()
    environment: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[int, ...] = ()
    stop_signal: Signals = SIGTERM
    grace_s: float = 6.0
    start_timeout_s: float = 150.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What a service needs to know to describe itself."""

    folder: Folder
    ports: Mapping[str, int]
    settings: Settings
    cache: Path
    python: str = sys.executable

    def url(self, service: str) -> str:
        """The HTTP address of the service."""
        return f"http://{self.address(service)}"

    def address(self, service: str) -> str:
        """`host:port` of the service."""
        return f"127.0.0.1:{self.ports[service]}"


def start_timeout_s(services: Sequence[Service], steps: Mapping[str, Iterable[str]]) -> float:
    """How long the services may take to start, those that need each other one after another.

    Args:
        services: what starts.
        steps: what each piece of work between them needs, by its name; its own time is not counted.
    """
    allowed = {service.name: service.start_timeout_s for service in services}
    order = waves({**steps, **{service.name: service.needs for service in services}})
    return sum(max(allowed.get(name, 0.0) for name in wave) for wave in order)


def waves(needs: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Names in the order of their start: each wave needs only earlier ones; names outside are no hindrance.

    Raises:
        ValueError: the needs form a circle.
    """
    left = {name: set(of) & set(needs) for name, of in needs.items()}
    order: list[list[str]] = []
    while left:
        wave = [name for name, of in left.items() if not of]
        if not wave:
            raise ValueError(f"services need each other in a circle: {', '.join(sorted(left))}")
        order.append(wave)
        left = {name: of - set(wave) for name, of in left.items() if of}
    return order
