"""A broker whose answer to the end of a transaction comes late, or that hears of the end too late: a TCP proxy."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

END_TRANSACTION, METADATA, FIND_COORDINATOR = 26, 3, 10
What = Literal["request", "reply"]


@dataclass
class LateBroker:
    """`hold` keeps the next EndTxn, or the reply to it, back for some seconds; `held` counts what was kept."""

    broker: tuple[str, int]
    port: int
    held: int = 0
    _armed: tuple[What, float] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def hold(self, what: What, seconds: float) -> None:
        self._armed = (what, seconds)

    def _keep_back(self, what: What) -> None:
        with self._lock:
            armed = self._armed
            if armed is None or armed[0] != what:
                return
            self._armed = None
            self.held += 1
        time.sleep(armed[1])

    def serve(self, client: socket.socket) -> None:
        """Pass on the frames of one connection in both directions."""
        keys: dict[int, int] = {}
        with socket.create_connection(self.broker) as server:
            threading.Thread(target=self._replies, args=(server, client, keys), daemon=True).start()
            with contextlib.suppress(OSError):
                while frame := _frame(client):
                    key, _, correlation = struct.unpack_from(">hhi", frame, 4)
                    keys[correlation] = key
                    if key == END_TRANSACTION:
                        self._keep_back("request")
                    server.sendall(frame)

    def _replies(self, server: socket.socket, client: socket.socket, keys: dict[int, int]) -> None:
        with contextlib.suppress(OSError):
            while frame := _frame(server):
                key = keys.pop(struct.unpack_from(">i", frame, 4)[0])
                if key == END_TRANSACTION:
                    self._keep_back("reply")
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
