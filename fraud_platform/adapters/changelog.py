"""A stage's changelog, read back from Kafka."""

import contextlib
import time
from collections.abc import Collection, Sequence
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition, murmur2

from fraud_platform.adapters.admin import high_watermarks
from fraud_platform.adapters.kafka_config import client_config, open_client
from fraud_platform.adapters.kafka_errors import is_final, raise_for
from fraud_platform.adapters.ledger import OPEN_TRANSACTION_S
from fraud_platform.core.changelog import Change, Changelog
from fraud_platform.errors import BrokerUnavailable, ConfigurationError
from fraud_platform.settings import Settings
from fraud_platform.topology import MIB, Topic

_POLL_S, _GATHER_S, _CHUNK, _MOST = 0.1, 0.005, 1000, 10_000


class KafkaChangelog(Changelog):
    """See `Changelog`. A bystander of the group: it reads committed records and commits nothing."""

    def __init__(self, settings: Settings, topic: Topic, of: Topic) -> None:
        """`topic` keeps what is remembered of the records on `of`."""
        self._settings = settings
        self._topic, self._of = topic, of
        self._name = settings.naming.topic(topic)
        self._consumer: Consumer | None = None
        self._ends: dict[int, int] = {}
        self._count = 0
        self._moved_at = 0.0

    def begin(self, numbers: Collection[int]) -> None:
        """See `Changelog.begin`."""
        self.close()
        ends = self._watermarks()
        self._ends = {number: ends[number] for number in numbers if ends[number] > 0}
        if self._ends:
            self._consumer = open_client(Consumer, self._config())
            self._consumer.assign([TopicPartition(self._name, number, OFFSET_BEGINNING) for number in self._ends])
            self._moved_at = time.monotonic()

    def read(self, within_s: float) -> Sequence[Change]:
        """See `Changelog.read`."""
        found: list[Change] = []
        until = time.monotonic() + within_s
        while not self.is_whole and len(found) < _MOST and time.monotonic() < until:
            for message in self._consume():
                self._take(message, found)
        if self.is_whole:
            self.close()
        elif time.monotonic() - self._moved_at > OPEN_TRANSACTION_S:
            raise BrokerUnavailable(f"Kafka went silent while {self._name} was read; is it running?")
        return found

    @property
    def is_whole(self) -> bool:
        """See `Changelog.is_whole`."""
        return not self._ends

    def place(self, key: bytes) -> int:
        """See `Changelog.place`: where Java clients and ours put the key."""
        if not self._count:
            raise RuntimeError("nobody has looked yet how many partitions there are")
        number: int = murmur2(key, self._count)
        return number

    def close(self) -> None:
        """See `Changelog.close`."""
        consumer, self._consumer, self._ends = self._consumer, None, {}
        if consumer is not None:
            with contextlib.suppress(KafkaException):
                consumer.close()

    def _watermarks(self) -> dict[int, int]:
        """The high watermark of each partition, once both topics are seen to have the same partitions."""
        found = high_watermarks(self._settings, [self._topic, self._of])
        ends = {number: end for (topic, number), end in found.items() if topic is self._topic}
        inputs = len(found) - len(ends)
        if len(ends) != inputs:
            of = self._settings.naming.topic(self._of)
            raise ConfigurationError(
                f"{of} has {inputs} partitions and {self._name} has {len(ends)}: what is remembered of a key lies on"
                " the partition of its records, so give both topics the same number."
            )
        self._count = inputs
        return ends

    def _config(self) -> dict[str, Any]:
        return {
            **client_config(self._settings),
            # librdkafka wants a name even from one that joins no group; nothing is ever stored under it.
            "group.id": f"{self._settings.prefix}fraud-platform.reader",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "fetch.queue.backoff.ms": 5,
            "fetch.message.max.bytes": 4 * MIB,
            "fetch.wait.max.ms": 100,
        }

    def _consume(self) -> list[Message]:
        if self._consumer is None:
            raise RuntimeError("nothing was begun")
        # Asked for many at once, the client waits for all of them until the time is over.
        messages: list[Message] = self._consumer.consume(1, _POLL_S)
        if messages:
            messages += self._consumer.consume(_CHUNK, _GATHER_S)
        return messages

    def _take(self, message: Message, found: list[Change]) -> None:
        error, number = message.error(), message.partition()
        if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
            if is_final(error):
                raise_for(error, f"read {self._name}")
            return  # a connection that comes back by itself, or silence
        end, offset = self._ends.get(number), message.offset()
        if end is None:
            return
        if error is None:
            self._moved_at = time.monotonic()
            if offset < end:
                found.append(Change(number, message.key() or b"", message.value(), message.timestamp()[1]))
        # Markers alone may lie before the end; then the end of the partition tells that it was reached. Behind an open
        # transaction there is none: the end that is told lies before it, and is told again when it has moved.
        if offset + (error is None) >= end:
            del self._ends[number]
