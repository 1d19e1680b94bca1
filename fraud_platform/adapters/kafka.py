"""The transactional log on Apache Kafka: one static group member, one transactional producer."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from fraud_platform.adapters.kafka_config import client_config, open_client
from fraud_platform.core.outcome import Outgoing, Record
from fraud_platform.errors import BrokerUnavailable, ConfigurationError, Fenced, InputLost
from fraud_platform.runtime.log import Batch, Committed, Log, OutputRefused, Partition, Position
from fraud_platform.settings import Settings
from fraud_platform.topology import MIB, Stage

logger = logging.getLogger(__name__)

MAX_BATCH_RECORDS = 5_000
MAX_BATCH_BYTES = 16 * MIB
GATHER_S = 0.005  # a transaction begun right after the last one waits 20 ms in librdkafka, 5 ms later it does not
TRANSACTION_TIMEOUT_MS = 10_000
CALL_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 3.0
UNSUBSCRIBE_POLLS, UNSUBSCRIBE_POLL_S = 6, 0.05

_FENCED = {
    KafkaError._FENCED,  # noqa: SLF001 - librdkafka's local error codes are named like this
    KafkaError._FATAL,  # noqa: SLF001 - what a consumer says after the broker fenced it
    KafkaError.FENCED_INSTANCE_ID,
    KafkaError.INVALID_PRODUCER_EPOCH,
    90,  # PRODUCER_FENCED, which the Python client does not name
}
_REFUSED = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_TIMESTAMP, KafkaError.INVALID_RECORD}
_FORBIDDEN = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
}

_Report = Callable[[Outgoing], Callable[[KafkaError | None, Message | None], None]]
ResumePoints = Callable[[Sequence[Partition]], Mapping[Partition, int]]
"""Where the last ledger records say that a group without offsets had got to."""


def consumer_config(settings: Settings, group: str, instance: str) -> dict[str, Any]:
    """A static member of a classic group that reads committed records only."""
    return {
        **client_config(settings),
        "group.id": group,
        "group.instance.id": instance,
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "error",  # a lost offset pauses and tells; it never skips quietly
        "isolation.level": "read_committed",
        # Eager: a rebalance takes everything, so nothing half-done survives one.
        "partition.assignment.strategy": "range",
        "session.timeout.ms": 10_000,
        "heartbeat.interval.ms": 2_000,
        # The default of 1000 puts the fetcher to sleep for a second each time its queue is full.
        "fetch.queue.backoff.ms": 5,
        "queued.max.messages.kbytes": MAX_BATCH_BYTES // 1024,
        "fetch.message.max.bytes": 4 * MIB,
        "fetch.wait.max.ms": 100,
    }


def producer_config(settings: Settings, transactional_id: str) -> dict[str, Any]:
    """A transactional producer that places keys as Java clients do."""
    return {
        **client_config(settings),
        "transactional.id": transactional_id,
        "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
        "partitioner": "murmur2_random",
        "linger.ms": 5,
        "batch.size": MIB,
        "message.max.bytes": 9 * MIB,
        "queue.buffering.max.messages": 500_000,
        "compression.type": "lz4",
        # The broker answers CONCURRENT_TRANSACTIONS while it finishes the last one: 100 ms of back-off
        # (the default) make a small transaction cost 36-100 ms, 1 ms makes it 2-5 ms.
        "retry.backoff.ms": 1,
    }


class KafkaLog(Log):
    """See `Log`. Create it inside the process and thread that use it; no client survives a fork."""

    def __init__(
        self, settings: Settings, stage: Stage, slot: str, *, resume_points: ResumePoints = lambda _: {}
    ) -> None:
        naming = settings.naming
        self._settings = settings
        self._transactional_id = naming.transactional_id(stage, slot)
        self._resume_points = resume_points
        self.generation = 0
        self.committed: dict[Partition, Committed] = {}
        self._unsettled: list[TopicPartition] | None = None
        self._assigned: list[TopicPartition] = []
        self._held = False
        # First the producer: this aborts what a dead owner of the slot left open, so that its offsets are stable.
        self._producer: Producer | None = self._new_producer()
        config = consumer_config(settings, naming.group(stage), naming.instance_id(stage, slot))
        self._consumer = open_client(Consumer, config)
        self._topics = [naming.topic(topic) for topic in stage.reads]
        self._is_subscribed = False  # joins with the first poll: nobody may own partitions and not read them

    # Reading ----------------------------------------------------------------------------------------

    def poll(self, timeout_s: float) -> Batch:
        """See `Log.poll`."""
        self._subscribe()
        generation = self.generation
        messages = self._consume(timeout_s)
        if self._unsettled is not None:
            self._settle()
        if generation != self.generation or self._held:
            # What was fetched before the change may come again under the new assignment.
            return Batch([], {})
        return self._batch(messages)

    def _subscribe(self) -> None:
        if not self._is_subscribed:
            self._is_subscribed = True
            heard = {"on_assign": self._on_assign, "on_revoke": self._on_revoke, "on_lost": self._on_revoke}
            self._consumer.subscribe(self._topics, **heard)

    def _consume(self, timeout_s: float) -> list[Message]:
        try:
            messages: list[Message] = self._consumer.consume(1, timeout_s)
            size = sum(len(m) for m in messages)
            while messages and len(messages) < MAX_BATCH_RECORDS and size < MAX_BATCH_BYTES:
                more = self._consumer.consume(min(500, MAX_BATCH_RECORDS - len(messages)), GATHER_S)
                messages += more
                size += sum(len(m) for m in more)
                if len(more) < 500:  # noqa: PLR2004 - the same chunk as above
                    break
        except KafkaException as error:
            _raise(error.args[0], "read")
        return messages

    def _batch(self, messages: Sequence[Message]) -> Batch:
        records: list[Record] = []
        positions: dict[Partition, int] = {}
        for m in messages:
            error = m.error()
            if error is None:
                topic, number, offset = m.topic(), m.partition(), m.offset()
                records.append(Record(topic, number, offset, m.timestamp()[1], m.key(), m.value()))
                positions[Partition(topic, number)] = offset + 1
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
                positions[Partition(m.topic(), m.partition())] = m.offset()
            else:
                self._raise_read_error(error, m)
        return Batch(records, positions)

    def _raise_read_error(self, error: KafkaError, message: Message) -> NoReturn:
        if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001
            raise InputLost(
                f"The committed offset of {message.topic()}/{message.partition()} is no longer in the topic; "
                "see the failure table in the README for how to go on."
            )
        _raise(error, "read")

    # Assignment -------------------------------------------------------------------------------------

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Take the partitions without reading: where to start is looked up outside of this callback."""
        consumer.assign([])
        self._forget()
        self._unsettled = partitions

    def _on_revoke(self, consumer: Consumer, _partitions: list[TopicPartition]) -> None:
        """Nothing is open here: polls happen between transactions only."""
        with contextlib.suppress(KafkaException):
            consumer.unassign()
        self._forget()
        self._unsettled = None
        self._assigned = []

    def _forget(self) -> None:
        self.generation += 1
        self.committed = {}

    def _settle(self) -> None:
        """Look up where to start, then begin to read; a look-up that fails is tried again at the next poll."""
        partitions = self._unsettled or []
        try:
            found = self._consumer.committed(partitions, timeout=CALL_TIMEOUT_S) if partitions else []
        except KafkaException as error:
            self._raise_fatal(error.args[0])
            return  # unstable offsets of a dead member's transaction: at most its timeout
        if any(tp.error for tp in found):
            return
        self.committed = self._starts(found)
        self._assigned = [TopicPartition(p.topic, p.number, c.offset) for p, c in self.committed.items()]
        self._consumer.assign(self._assigned)
        # A pause outlives the assignment, so say which of the two holds now.
        (self._consumer.pause if self._held else self._consumer.resume)(self._assigned)
        self._unsettled = None
        self.generation += 1

    def _starts(self, found: Sequence[TopicPartition]) -> dict[Partition, Committed]:
        starts = {
            Partition(tp.topic, tp.partition): Committed(tp.offset, tp.metadata or "") for tp in found if tp.offset >= 0
        }
        missing = [p for tp in found if (p := Partition(tp.topic, tp.partition)) not in starts]
        if missing:
            resumed = self._resume_points(missing)
            for p in missing:
                offset = resumed[p] if p in resumed else self._low_watermark(p)
                starts[p] = Committed(offset, confirmed=False)
        return starts

    def _low_watermark(self, partition: Partition) -> int:
        try:
            low, _ = self._consumer.get_watermark_offsets(TopicPartition(*partition), timeout=CALL_TIMEOUT_S)
        except KafkaException as error:
            _raise(error.args[0], "read")
        return int(low)

    # Writing ----------------------------------------------------------------------------------------

    def commit(self, outputs: Sequence[Outgoing], positions: Mapping[Partition, Position]) -> None:
        """See `Log.commit`."""
        if not positions:
            raise ValueError("a commit needs at least one position")
        producer = self._producer
        if producer is None:
            raise BrokerUnavailable("Kafka was unsure about the last commit.")
        try:
            producer.begin_transaction()
            # All outputs first: offsets sent beside them make the broker answer CONCURRENT_TRANSACTIONS.
            self._produce(producer, outputs)
            offsets = [TopicPartition(p.topic, p.number, at.offset, at.metadata) for p, at in positions.items()]
            producer.send_offsets_to_transaction(offsets, self._consumer.consumer_group_metadata(), CALL_TIMEOUT_S)
            producer.commit_transaction(CALL_TIMEOUT_S)
        except KafkaException as error:
            self._fail(error.args[0], outputs)
        self.committed.update({p: Committed(at.offset, at.metadata) for p, at in positions.items()})

    def _produce(self, producer: Producer, outputs: Sequence[Outgoing], report: _Report | None = None) -> None:
        for o in outputs:
            heard = {"on_delivery": report(o)} if report else {}
            headers = list(o.headers) if o.headers else None
            timestamp = max(0, min(o.timestamp_ms, time.time_ns() // 1_000_000))
            while True:
                try:
                    producer.produce(o.topic, o.value, o.key, timestamp=timestamp, headers=headers, **heard)
                except BufferError:
                    producer.poll(0.01)
                    continue
                except KafkaException as error:
                    if report is None or error.args[0].code() not in _REFUSED:
                        raise
                    report(o)(error.args[0], None)
                break
        if producer.flush(CALL_TIMEOUT_S):
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001

    def _fail(self, error: KafkaError, outputs: Sequence[Outgoing]) -> NoReturn:
        """Say what a failed transaction means; it costs the producer its life, the next one aborts what is open."""
        self._drop_producer()
        if error.code() in _REFUSED:
            refused = self._refused(outputs)
            self._renew_producer()
            if refused:
                raise OutputRefused(refused, f"the broker refuses an output for {refused[0].topic}: {error.name()}")
        _raise(error, "commit")

    def _refused(self, outputs: Sequence[Outgoing]) -> list[Outgoing]:
        """Try the outputs in a transaction that is never committed, and return those that the broker names.

        Only here do we listen to delivery reports: a fatal error during one comes out of the client as
        SystemError, and the common path has no need of them.
        """
        refused: list[Outgoing] = []

        def report(output: Outgoing) -> Callable[[KafkaError | None, Message | None], None]:
            return lambda error, _: refused.append(output) if error and error.code() in _REFUSED else None

        self._renew_producer()
        producer = cast("Producer", self._producer)
        try:
            producer.begin_transaction()
            self._produce(producer, outputs, report)
        except KafkaException as error:
            self._drop_producer()
            _raise(error.args[0], "commit")
        return refused

    # Life cycle -------------------------------------------------------------------------------------

    def recover(self) -> None:
        """See `Log.recover`."""
        if self._producer is None:
            self._renew_producer()
        self._held = False
        if self._unsettled is None:
            self._unsettled = [TopicPartition(tp.topic, tp.partition) for tp in self._assigned]
        self._forget()

    def hold(self) -> None:
        """See `Log.hold`."""
        self._held = True
        with contextlib.suppress(KafkaException):
            self._consumer.pause(self._consumer.assignment())

    def close(self) -> None:
        """See `Log.close`."""
        worker = threading.Thread(target=self._close_clients, daemon=True)
        worker.start()
        worker.join(CLOSE_TIMEOUT_S)

    def _close_clients(self) -> None:
        self._drop_producer()
        with contextlib.suppress(KafkaException, RuntimeError):
            if self._is_subscribed:
                # A close that meets an unanswered assignment never returns and holds the GIL while it waits
                # (librdkafka issue 4884), so let go of the subscription and of what is on its way first.
                self._consumer.unsubscribe()
                for _ in range(UNSUBSCRIBE_POLLS):
                    self._consumer.poll(UNSUBSCRIBE_POLL_S)
            self._consumer.close()

    def _new_producer(self) -> Producer:
        producer = open_client(Producer, producer_config(self._settings, self._transactional_id))
        try:
            producer.init_transactions(CALL_TIMEOUT_S)
        except KafkaException as error:
            _raise(error.args[0], "start a transaction")
        return producer

    def _renew_producer(self) -> None:
        """A new producer aborts what the old one left open, and starts its sequence numbers afresh."""
        self._drop_producer()
        self._producer = self._new_producer()

    def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(KafkaException):
                producer.purge()  # the reference goes next, and with it the client; `close` would wait for an abort

    def _raise_fatal(self, error: KafkaError) -> None:
        if error.fatal() or error.code() in _FENCED or error.code() in _FORBIDDEN:
            _raise(error, "read offsets")


def _raise(error: KafkaError, doing: str) -> NoReturn:
    """Kafka's error as one of ours; the text is librdkafka's name for it, which holds no data."""
    code = error.code()
    if code in _FENCED:
        raise Fenced(f"Another process took over this slot ({error.name()}).")
    if code in _FORBIDDEN:
        raise ConfigurationError(
            f"Kafka refuses to {doing} ({error.name()}); check that the topics exist and what our principal may do."
        )
    if error.fatal():
        raise Fenced(f"Kafka ended this member for good ({error.name()}).")
    raise BrokerUnavailable(f"Kafka could not {doing} ({error.name()}).")
