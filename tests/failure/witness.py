"""A reader of committed data that looks on while everything happens."""

import threading
from collections import Counter

from confluent_kafka import Consumer, TopicPartition

from tests.failure.evidence import RESULT
from tests.failure.plain import Position, Topics, Where
from tests.failure.watching import seconds_until

POLL_S = 0.2


class Witness:
    """Notes what it sees of the results, as any reader of that topic would get it."""

    def __init__(self, where: Where) -> None:
        self._where = where
        self._seen: Counter[Position] = Counter()
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)
        self._thread.start()

    def _look_on(self) -> None:
        consumer = Consumer(
            {
                "bootstrap.servers": self._where.bootstrap,
                "group.id": "nobody",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "log_level": 0,
            }
        )
        with Topics(self._where) as topics:
            partitions = topics.partitions(RESULT)
        consumer.assign([TopicPartition(each.topic, each.partition, 0) for each in partitions])
        while not self._enough.is_set():
            message = consumer.poll(POLL_S)
            if message is not None and message.error() is None:
                self._seen[message.partition(), message.offset()] += 1
        consumer.close()

    def differences(self) -> int:
        """Records that are there in the end and were not seen, seen and not there, or seen twice."""
        with Topics(self._where) as topics:
            there = Counter(row.position for row in topics.read(RESULT))
        seconds_until(lambda: len(self._seen) >= len(there), lambda: "the witness does not see all")
        self.leave()
        return (self._seen - there).total() + (there - self._seen).total()

    def leave(self) -> None:
        self._enough.set()
        self._thread.join()
