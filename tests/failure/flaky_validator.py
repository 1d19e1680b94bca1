"""A validator that fails now and then in three ways: 503, a cut connection, a reply that is two seconds late."""

import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import requests

from tests.adapters.hostile import HostileServer, Seen, hostile, reply

DELAY_S = 2.0
CLOSE = "Connection: close"


@dataclass
class FlakyValidator:
    """Passes on to a real one, or does not. `asked` and `answered` count questions."""

    behind: str
    share: float
    dice: random.Random
    asked: int = 0
    answered: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def behave(self, seen: Seen, connection: socket.socket) -> bytes | None:
        """Answer, or fail."""
        if seen.method != "POST":
            return self._answer(seen)
        count = len(seen.json) if isinstance(seen.json, list) else 1
        fault = self._fault(count)
        if fault == "busy":
            return reply(503, {}, CLOSE)
        if fault == "cut":
            connection.shutdown(socket.SHUT_RDWR)
            return None
        if fault == "late":
            time.sleep(DELAY_S)
        return self._answer(seen)

    def _fault(self, count: int) -> str:
        with self._lock:
            fault = self.dice.choice(["busy", "cut", "late"]) if self.dice.random() < self.share else ""
            self.asked += count
            self.answered += count if fault in ("", "late") else 0
            return fault

    def _answer(self, seen: Seen) -> bytes:
        headers = {"Content-Type": "application/json"}
        address = self.behind + seen.path
        answer = requests.request(seen.method, address, data=seen.body, headers=headers, timeout=10)
        return reply(answer.status_code, answer.content, CLOSE, "Content-Type: application/json")


@contextmanager
def flaky_validator(behind: str, *, share: float, seed: int) -> Iterator[tuple[FlakyValidator, HostileServer]]:
    """A service that fails for this share of the requests."""
    validator = FlakyValidator(behind, share, random.Random(seed))
    with hostile(validator.behave) as server:
        yield validator, server
