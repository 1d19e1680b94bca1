"""A door before the validator that a test shuts in many ways; it counts who knocks meanwhile."""

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import requests

from tests.adapters.hostile import HostileServer, Seen, hostile, reply

CLOSE = "Connection: close"
MEGABYTE = 1024 * 1024
Fault = Callable[[Seen, socket.socket], bytes | None]


def busy(_seen: Seen, _connection: socket.socket) -> bytes:
    return reply(503, {}, CLOSE)


def cut(_seen: Seen, _connection: socket.socket) -> None:
    """As when its process is killed: the connection ends without a word."""


def silent(_seen: Seen, connection: socket.socket) -> None:
    """Half-open: it has accepted, and never says a word."""
    connection.recv(1)


def slow_loris(_seen: Seen, connection: socket.socket) -> None:
    """A byte each 50 ms, for ever: no single read waits long."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        connection.sendall(b" ")
        time.sleep(0.05)


def chunked(_seen: Seen, connection: socket.socket) -> None:
    """10 MB whose length nobody was told."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nA00000\r\n")
    for _ in range(10):
        connection.sendall(b" " * MEGABYTE)


def always(answer: bytes) -> Fault:
    return lambda _seen, _connection: answer


FAULTS: Mapping[str, Fault] = {
    "slow loris": slow_loris,
    "half-open": silent,
    "bad JSON": always(reply(200, b'{"results": [', CLOSE)),
    "wrong schema": always(reply(200, {"results": "all fine"}, CLOSE)),
    "10 MB": always(reply(200, b" " * 10 * MEGABYTE, CLOSE)),
    "10 MB of unknown length": chunked,
    "gzip bomb": always(reply(200, gzip.compress(bytes(100 * MEGABYTE)), CLOSE, "Content-Encoding: gzip")),
}


@dataclass
class Door:
    """Passes on to the validator `behind` it while no fault is set. Times are of `time.monotonic`."""

    behind: str
    fault: Fault | None = None
    knocks: list[float] = field(default_factory=list)
    """When somebody asked in vain."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def behave(self, seen: Seen, connection: socket.socket) -> bytes | None:
        fault = self.fault
        if fault is not None:
            with self._lock:
                self.knocks.append(time.monotonic())
            return fault(seen, connection)
        headers = {"Content-Type": "application/json"}
        answer = requests.request(seen.method, self.behind + seen.path, data=seen.body, headers=headers, timeout=10)
        return reply(answer.status_code, answer.content, CLOSE, "Content-Type: application/json")

    def shut(self, fault: Fault) -> None:
        with self._lock:
            self.knocks.clear()
        self.fault = fault

    def open(self) -> None:
        self.fault = None


@contextmanager
def door_before(behind: str) -> Iterator[tuple[Door, HostileServer]]:
    door = Door(behind)
    with hostile(door.behave) as server:
        yield door, server
