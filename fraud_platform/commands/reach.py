"""Whether an address answers at all: asked first, since clients wait long for a port that nobody listens on."""

import socket
from urllib.parse import urlsplit

TIMEOUT_S = 1.0


def listens(addresses: str) -> bool:
    """Whether one of the comma-separated `host:port` addresses accepts connections."""
    return any(_connects(address.strip()) for address in addresses.split(",") if address.strip())


def public(url: str) -> str:
    """The address without user and password."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _connects(address: str) -> bool:
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not port.isdigit():
        host, port = address, "9092"
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=TIMEOUT_S):
            return True
    except OSError:
        return False
