"""The plain producer of everything that enters the platform: the demo banks and `send`.

Idempotent, not transactional: nothing here is derived from another topic.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from fraud_platform.adapters.kafka_config import client_config, open_client
from fraud_platform.errors import BrokerUnavailable, ConfigurationError
from fraud_platform.settings import Settings
from fraud_platform.topology import MIB, Topic

_FULL_QUEUE_POLL_S = 0.1


class InputProducer:
    """Sends records to input topics; counts what the broker confirmed and what it did not.

    One thread owns it. `delivery_timeout_s` bounds how long a record waits for its confirmation.
    """

    def __init__(self, settings: Settings, *, delivery_timeout_s: float = 120.0) -> None:
        self._names = {topic: settings.naming.topic(topic) for topic in Topic}
        self._callbacks = {topic: self._count(topic) for topic in Topic}
        self._delivery_timeout_s = delivery_timeout_s
        self._sent: Counter[Topic] = Counter()
        self.delivered: Counter[Topic] = Counter()
        self.failed: Counter[Topic] = Counter()
        config = {
            **client_config(settings),
            "enable.idempotence": True,
            "acks": "all",
            # Java clients place keys so; librdkafka's own default would put most accounts elsewhere.
            "partitioner": "murmur2_random",
            "linger.ms": 3,
            "compression.type": "lz4",
            # Above librdkafka's 1 MB, so that the topic's own limit decides.
            "message.max.bytes": 8 * MIB,
            "message.timeout.ms": int(delivery_timeout_s * 1000),
        }
        self._producer: Producer = open_client(Producer, config)

    def require_topics(self, topics: Iterable[Topic], timeout_s: float = 10.0) -> None:
        """See that the broker answers and has the topics, before a user waits for a progress bar.

        Raises:
            BrokerUnavailable: no answer within `timeout_s`.
            ConfigurationError: a topic does not exist.
        """
        try:
            there = self._producer.list_topics(timeout=timeout_s).topics
        except KafkaException as error:
            raise BrokerUnavailable(f"Kafka does not answer ({_name(error.args[0])}); is it running?") from None
        missing = [self._names[topic] for topic in topics if self._names[topic] not in there]
        if missing:
            raise ConfigurationError(f"Kafka has no topic {', '.join(missing)}; run `make up` to create it.")

    def send(self, topic: Topic, key: bytes | None, value: bytes) -> None:
        """Queue one record; waits while the queue is full.

        Raises:
            BrokerUnavailable: the queue stays full for the delivery timeout, or the record is refused.
        """
        if self._queued(topic, key, value):
            return
        deadline = time.monotonic() + self._delivery_timeout_s
        while not self._queued(topic, key, value):
            if time.monotonic() > deadline:
                raise BrokerUnavailable("Kafka takes no records: the send queue stays full.")
            self._producer.poll(_FULL_QUEUE_POLL_S)

    def poll(self, timeout_s: float = 0.0) -> None:
        """Take confirmations, waiting at most `timeout_s` for the first."""
        self._producer.poll(timeout_s)

    @property
    def backlog(self) -> int:
        """Records that are queued or on their way (`len(producer)` counts log lines too)."""
        return self._sent.total() - self.delivered.total() - self.failed.total()

    def close(self, timeout_s: float = 4.0) -> int:
        """Flush, give up what is still open (it counts as failed), and return how many that were."""
        self._producer.flush(timeout_s)
        still_open = self.backlog
        if still_open:
            self._producer.purge()
            # Not every purged record reports back in time; what the broker did not confirm has failed.
            self.failed = self._sent - self.delivered
        return still_open

    def _queued(self, topic: Topic, key: bytes | None, value: bytes) -> bool:
        try:
            self._producer.produce(self._names[topic], value, key, on_delivery=self._callbacks[topic])
        except BufferError:
            return False
        except KafkaException as error:
            raise BrokerUnavailable(f"Kafka refuses a record for {topic} ({_name(error.args[0])}).") from None
        self._sent[topic] += 1
        return True

    def _count(self, topic: Topic) -> Callable[[KafkaError | None, Message], None]:
        def count(error: KafkaError | None, _message: Message) -> None:
            (self.failed if error else self.delivered)[topic] += 1

        return count


def _name(error: Any) -> str:
    return str(error.name()) if isinstance(error, KafkaError) else type(error).__name__
