"""Whether an address answers at all: asked first, since clients wait long for a port that nobody listens on."""

import socket
from urllib.parse import urlsplit

TIMEOUT_S = 1.0
_PORTS = {"http": 80, "https": 443}


def listens(addresses: str) -> bool:
    """Whether one of the comma-separated `host:port` addresses accepts connections."""
    return any(_connects(address.strip()) for address in addresses.split(",") if address.strip())


def url_listens(url: str) -> bool:
    """Whether the server of an HTTP address accepts connections."""
    parts = urlsplit(url)
    port = parts.port or _PORTS.get(parts.scheme, 80)
    return _connects(f"{parts.hostname}:{port}")


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
