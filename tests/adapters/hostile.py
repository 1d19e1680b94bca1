"""A tiny HTTP server that answers as a test tells it to, byte for byte."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Seen:
    """One request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


UNHURRIED = {"budget_s": 60.0, "first_answer_s": 60.0, "connect_timeout_s": 60.0, "read_timeout_s": 60.0}
"""A client's limits where an answer is expected: how long it may take is not what the test asks."""

Behaviour = Callable[[Seen, socket.socket], bytes | None]
"""Returns the reply's bytes, or None when it has dealt with the socket itself."""


@dataclass
class HostileServer:
    address: str
    requests: list[Seen] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"{self.address}/validate"

    def paths(self) -> list[str]:
        return [seen.path for seen in self.requests]


@contextmanager
def hostile(behave: Behaviour) -> Iterator[HostileServer]:
    """Serve `behave` until the block ends; each connection has a thread of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = HostileServer(f"http://127.0.0.1:{listener.getsockname()[1]}")
        threading.Thread(target=_accept, args=(listener, server, behave), daemon=True).start()
        try:
            yield server
        finally:
            server.ended.set()
            listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, server: HostileServer, behave: Behaviour) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_serve, args=(connection, server, behave), daemon=True).start()


def _serve(connection: socket.socket, server: HostileServer, behave: Behaviour) -> None:
    with connection, connection.makefile("rb") as stream, suppress(OSError, ValueError):
        while line := stream.readline():
            method, path, _ = line.decode().split(" ")
            headers = dict(_headers(stream))
            seen = Seen(method, path, headers, stream.read(int(headers.get("content-length", 0))))
            server.requests.append(seen)
            reply = behave(seen, connection)
            if reply is None:
                return
            connection.sendall(reply)


def _headers(stream: Any) -> Iterator[tuple[str, str]]:
    while (line := stream.readline().strip()) != b"":
        name, _, value = line.decode("latin-1").partition(":")
        yield name.lower(), value.strip()


def reply(status: int, body: object = None, *headers: str) -> bytes:
    """A whole HTTP reply; a body that is not bytes is encoded as JSON."""
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = [f"HTTP/1.1 {status} X", f"Content-Length: {len(payload)}", *headers]
    return "\r\n".join([*head, "", ""]).encode() + payload


def decision(transaction_id: str, **changes: Any) -> dict[str, Any]:
    """A good reply of our own service's kind."""
    return {
        "transaction_id": transaction_id,
        "is_fraudulent_transaction": False,
        "action": "ALLOW",
        "hits": [],
        "rule_set_version": "v1",
        "not_evaluable": [],
    } | changes


def obliging(seen: Seen, _connection: socket.socket | None = None) -> bytes:
    """Allows whatever it is asked, in batches and singly."""
    if seen.path.endswith("/batch"):
        return reply(200, {"results": [decision(item["transaction_id"]) for item in seen.json]})
    if seen.method == "GET":
        return reply(200, {"status": "ready"})
    return reply(200, decision(seen.json["transaction_id"]))
