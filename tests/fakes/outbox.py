"""An outbox in memory; `tests/banks/test_outbox.py` holds it to the same contract as the real producer."""

from collections import Counter

from fraud_platform.topology import Topic


class FakeOutbox:
    """Confirms what was sent at the next poll; `deaf` makes it a broker that does not answer."""

    def __init__(self, *, deaf: bool = False) -> None:
        self.delivered: Counter[Topic] = Counter()
        self.failed: Counter[Topic] = Counter()
        self.records: list[tuple[Topic, bytes | None, bytes]] = []
        self.deaf = deaf
        self._open: list[Topic] = []

    def send(self, topic: Topic, key: bytes | None, value: bytes) -> None:
        self.records.append((topic, key, value))
        self._open.append(topic)

    def poll(self, timeout_s: float = 0.0) -> None:
        if not self.deaf:
            self.delivered.update(self._open)
            self._open.clear()

    @property
    def backlog(self) -> int:
        return len(self._open)

    def close(self, timeout_s: float = 4.0) -> int:
        self.poll()
        still_open = len(self._open)
        self.failed.update(self._open)
        self._open.clear()
        return still_open
