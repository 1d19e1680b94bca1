"""A broker that hears or answers of the end, or the beginning, of a producer's transactions late: a TCP proxy."""

import contextlib
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

END_TRANSACTION, INIT_PRODUCER, METADATA, FIND_COORDINATOR = 26, 22, 3, 10
What = Literal["request", "reply"]


@dataclass
class LateBroker:
    """`hold` keeps the next request of a kind, or the reply to it, back for some seconds.

    `held` counts what was kept back, `seen` the requests of each kind that came, `came_at` when the last one did.
    """

    broker: tuple[str, int]
    port: int
    held: Counter[int] = field(default_factory=Counter)
    seen: Counter[int] = field(default_factory=Counter)
    came_at: dict[int, float] = field(default_factory=dict)
    _armed: dict[int, tuple[What, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def hold(self, what: What, seconds: float, api: int = END_TRANSACTION) -> None:
        self._armed[api] = (what, seconds)

    def _keep_back(self, what: What, api: int) -> None:
        with self._lock:
            kept, seconds = self._armed.get(api, ("", 0.0))
            if kept != what:
                return
            del self._armed[api]
            self.held[api] += 1
        time.sleep(seconds)

    def serve(self, client: socket.socket) -> None:
        """Pass on the frames of one connection in both directions."""
        keys: dict[int, int] = {}
        with socket.create_connection(self.broker) as server:
            threading.Thread(target=self._replies, args=(server, client, keys), daemon=True).start()
            with contextlib.suppress(OSError):
                while frame := _frame(client):
                    key, _, correlation = struct.unpack_from(">hhi", frame, 4)
                    keys[correlation] = key
                    self.seen[key] += 1
                    self.came_at[key] = time.monotonic()
                    self._keep_back("request", key)
                    server.sendall(frame)

    def _replies(self, server: socket.socket, client: socket.socket, keys: dict[int, int]) -> None:
        with contextlib.suppress(OSError):
            while frame := _frame(server):
                key = keys.pop(struct.unpack_from(">i", frame, 4)[0])
                self._keep_back("reply", key)
                client.sendall(self._as_ours(frame) if key in (METADATA, FIND_COORDINATOR) else frame)
        client.close()

    def _as_ours(self, frame: bytes) -> bytes:
        """The broker's address in a reply, replaced by that of the proxy, or clients would go past it."""
        host, port = self.broker
        return frame.replace(host.encode() + struct.pack(">i", port), host.encode() + struct.pack(">i", self.port))


def _frame(source: socket.socket) -> bytes:
    """One length-prefixed frame, prefix included; empty at the end of the stream."""
    head = _exactly(source, 4)
    return head and head + _exactly(source, struct.unpack(">i", head)[0])


def _exactly(source: socket.socket, count: int) -> bytes:
    found = bytearray()
    while len(found) < count:
        more = source.recv(min(65_536, count - len(found)))
        if not more:
            return b""
        found += more
    return bytes(found)


@contextmanager
def late_broker(bootstrap: str) -> Iterator[LateBroker]:
    """A proxy before the broker of this address."""
    host, _, port = bootstrap.rpartition(":")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = LateBroker((host, int(port)), listener.getsockname()[1])
        threading.Thread(target=_accept, args=(listener, proxy), daemon=True).start()
        try:
            yield proxy
        finally:
            listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, proxy: LateBroker) -> None:
    with contextlib.suppress(OSError):
        while True:
            client, _ = listener.accept()
            threading.Thread(target=proxy.serve, args=(client,), daemon=True).start()
