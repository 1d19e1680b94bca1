"""Ports: the well-known one when free, another free one when taken, and the same ones ever after."""

import errno
import random
import socket
from collections.abc import Callable, Iterable, Mapping

from fraud_platform.errors import ConfigurationError
from fraud_platform.local.folder import Folder, read_json, write_json

LOOPBACK = "127.0.0.1"
DEFAULTS: Mapping[str, int | None] = {
    "kafka": 9092,
    "kafka-controller": None,
    "registry": 8081,
    "registry-management": None,
    "mongod": 27017,
    "s3": 9000,
    "glue": 5000,
    "validator": 8000,
    "dagster-code": None,
    "dagster-webserver": 3000,
}
# Below the range that the system hands to outgoing connections, so that none of those takes a chosen port.
_OTHERS = range(20_000, 32_000)
_TRIES = 200


def is_free(port: int) -> bool:
    """Whether a service of ours could listen on the port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the services do it: a connection in TIME_WAIT does not take the port, a listener does.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


class Claims:
    """Ports that belong to this process's services, whether they listen already or not.

    Seconds lie between the choice of a port and the service that listens on it, and another clone that starts at
    the same time would find it free too. So each port is claimed by the name of an abstract socket, which only one
    process of the machine can have and which is gone with that process.
    """

    def __init__(self) -> None:
        self._held: dict[int, socket.socket] = {}

    def take(self, port: int) -> bool:
        """Claim the port; False when another supervisor has claimed it, or somebody listens on it."""
        if not self.hold(port):
            return False
        if is_free(port):
            return True
        claim = self._held.pop(port, None)
        if claim is not None:
            claim.close()
        return False

    def hold(self, port: int) -> bool:
        """Claim the port of a service of ours that may listen on it already; False when another has claimed it."""
        if port in self._held:
            return True
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            claim.bind(f"\0fraud-platform/port/{port}")
        except OSError as error:
            claim.close()
            return error.errno != errno.EADDRINUSE  # a system without such sockets has no claims either
        self._held[port] = claim
        return True


def choose(
    names: Iterable[str],
    *,
    kept: Mapping[str, int],
    in_use: Iterable[str] = (),
    prefer_defaults: bool = True,
    free: Callable[[int], bool] = is_free,
) -> dict[str, int]:
    """A port for each name: the kept one, else the default one, else any that is free.

    Args:
        names: what needs a port (keys of `DEFAULTS`).
        kept: ports of an earlier start.
        in_use: names whose kept port is taken by the very service that we keep it for.
        prefer_defaults: whether to try the well-known port when none is kept.
        free: tells whether a port is free.

    Raises:
        ConfigurationError: no port is free.
    """
    chosen: dict[str, int] = {name: port for name, port in kept.items() if name in set(in_use)}
    for name in names:
        if name in chosen:
            continue
        wished = [kept.get(name), DEFAULTS[name] if prefer_defaults else None]
        others = random.sample(_OTHERS, _TRIES)
        taken = set(chosen.values()) | {port for other, port in kept.items() if other != name}
        candidates = (port for port in (*wished, *others) if port is not None)
        port = next((port for port in candidates if port not in taken and free(port)), None)
        if port is None:
            raise ConfigurationError(f"No free port was found for {name}; stop some programs and try again.")
        chosen[name] = port
    return chosen


def settle(
    folder: Folder,
    names: Iterable[str],
    *,
    claims: Claims,
    in_use: Iterable[str] = (),
    prefer_defaults: bool = True,
) -> dict[str, int]:
    """Choose the ports of `names`, claim them and keep them in the data folder."""
    kept = {str(name): int(port) for name, port in read_json(folder.ports).items() if name in DEFAULTS}
    living = [name for name in in_use if name in kept]
    for name in living:
        claims.hold(kept[name])
    chosen = choose(names, kept=kept, in_use=living, prefer_defaults=prefer_defaults, free=claims.take)
    if chosen.items() - kept.items():
        write_json(folder.ports, {**kept, **chosen})
    return chosen
