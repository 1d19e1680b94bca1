"""The transactional log on Apache Kafka: one static group member, one transactional producer."""

import contextlib
import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from fraud_platform.adapters.admin import member_ids
from fraud_platform.adapters.kafka_config import client_config, open_client
from fraud_platform.adapters.kafka_errors import RAISED, error_of, is_fenced, is_final, raise_for
from fraud_platform.adapters.membership import Membership
from fraud_platform.adapters.transactions import TransactionalProducer
from fraud_platform.core.log import Batch, Committed, Log, Partition, Position
from fraud_platform.core.outcome import Outgoing, Record
from fraud_platform.errors import BrokerUnavailable, Fenced, InputLost
from fraud_platform.failpoints import Point, reach
from fraud_platform.settings import Settings
from fraud_platform.topology import MIB, Stage

logger = logging.getLogger(__name__)

MAX_BATCH_RECORDS = 5_000
MAX_BATCH_BYTES = 16 * MIB
REST_S = 0.005  # a transaction begun right after the last one waits 20 ms in librdkafka, 5 ms later it does not
CHUNK = 500
CALL_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 3.0
HEARTBEAT_MS, SESSION_MS = 2_000, 10_000
FORGOTTEN_S = SESSION_MS / 1000 + 2.0  # a session ends within this, however late the broker looks
SUCCESSOR_KNOWN_S, CHECK_S = 2 * HEARTBEAT_MS / 1000 + 1, 0.1
UNSUBSCRIBE_POLLS, UNSUBSCRIBE_POLL_S = 6, 0.05

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
        "session.timeout.ms": SESSION_MS,
        "heartbeat.interval.ms": HEARTBEAT_MS,
        # The default of 1000 puts the fetcher to sleep for a second each time its queue is full.
        "fetch.queue.backoff.ms": 5,
        "queued.max.messages.kbytes": MAX_BATCH_BYTES // 1024,
        "fetch.message.max.bytes": 4 * MIB,
        "fetch.wait.max.ms": 100,
    }


class KafkaLog(Log):
    """See `Log`. Create it inside the process and thread that use it; no client survives a fork."""

    def __init__(
        self,
        settings: Settings,
        stage: Stage,
        slot: str,
        *,
        resume_points: ResumePoints = lambda _: {},
        accept_loss: bool = False,
    ) -> None:
        """`accept_loss`: where the offset to go on from is no longer in its topic, begin at the topic's beginning."""
        naming = settings.naming
        self._resume_points = resume_points
        self._accept_loss = accept_loss
        self.generation = 0
        self.committed: dict[Partition, Committed] = {}
        self._unsettled: list[TopicPartition] | None = None
        self._assigned: list[TopicPartition] = []
        self._held = False
        self._rested_at = self._handed_at = -math.inf
        self._deciding_s = 0.0
        self._producer = TransactionalProducer(settings, naming.transactional_id(stage, slot))
        config = consumer_config(settings, naming.group(stage), naming.instance_id(stage, slot))
        self._config = {**config, "error_cb": self._on_error}
        self._is_cut_off = self._is_fenced = False
        self._membership = Membership(lambda: member_ids(settings, stage, slot), session_s=FORGOTTEN_S)
        self._consumer = open_client(Consumer, self._config)
        self._topics = [naming.topic(topic) for topic in stage.reads]
        self._is_subscribed = False  # joins with the first poll: nobody may own partitions and not read them

    # Reading ----------------------------------------------------------------------------------------

    def poll(self, timeout_s: float) -> Batch:
        """See `Log.poll`."""
        if not self._held and not self._producer.is_open:
            self._producer.reopen()
        if self._producer.is_open:
            # Not before: opening aborts what a dead owner of the slot left open, so that its offsets are stable.
            self._subscribe()
        generation = self.generation
        messages = self._consume(timeout_s)
        if self._is_cut_off and not self._held:
            self._require_place()
            raise BrokerUnavailable("Kafka went away.")
        if self._unsettled is not None:
            self._settle()
        if generation != self.generation or self._held:
            # What was fetched before the change may come again under the new assignment.
            return Batch([], {})
        batch = self._batch(messages)
        self._handed_at = time.monotonic()
        return batch

    def _subscribe(self) -> None:
        if not self._is_subscribed:
            self._is_subscribed = True
            self._membership.joining()
            heard = {"on_assign": self._on_assign, "on_revoke": self._on_revoke, "on_lost": self._on_lost}
            self._consumer.subscribe(self._topics, **heard)

    def _consume(self, timeout_s: float) -> list[Message]:
        try:
            messages: list[Message] = self._consumer.consume(1, timeout_s)
            size = sum(map(len, messages))
            while messages and len(messages) < MAX_BATCH_RECORDS and size < MAX_BATCH_BYTES:
                more = self._consumer.consume(min(CHUNK, MAX_BATCH_RECORDS - len(messages)), self._rest_s())
                messages += more
                size += sum(map(len, more))
                if len(more) < CHUNK:
                    break
        except RAISED as error:
            self._raise_fault(error_of(error), "read")
        return messages

    def _rest_s(self) -> float:
        """Time left until a transaction may begin, but for what deciding will take: gather more records meanwhile."""
        return max(0.0, self._rested_at - self._deciding_s - time.monotonic())

    def _on_error(self, error: KafkaError) -> None:
        """Note that no broker is there, or that this client is no use any more.

        What the clients know of coordinators may be wrong when a broker comes back.
        """
        self._is_fenced = self._is_fenced or error.code() == KafkaError._FATAL  # noqa: SLF001
        self._is_cut_off = self._is_cut_off or self._is_fenced or error.code() == KafkaError._ALL_BROKERS_DOWN  # noqa: SLF001

    def _require_place(self) -> None:
        """Raise `Fenced` if another process has the slot.

        A fenced client alone does not tell: librdkafka forgets its member id when a session ends and may send one
        more heartbeat without it, for which the broker fences a member that nobody has displaced.
        """
        if self._is_fenced and not self._membership.has_joined:
            raise Fenced("Another process took over this slot.")
        if self._is_fenced or not self._producer.is_open:
            self._membership.require()

    def _batch(self, messages: Sequence[Message]) -> Batch:
        records: list[Record] = []
        positions: dict[Partition, int] = {}
        read: dict[tuple[str, int], int] = {}  # bare tuples: naming 5,000 partitions costs as much as reading a key
        for m in messages:
            error = m.error()
            if error is None:
                topic, number, offset = m.topic(), m.partition(), m.offset()
                records.append(Record(topic, number, offset, m.timestamp()[1], m.key(), m.value()))
                read[topic, number] = offset + 1
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
                positions[Partition(m.topic(), m.partition())] = m.offset()
            else:
                self._raise_read_error(error, m)
        for place, position in read.items():
            positions[Partition(*place)] = max(position, positions.get(Partition(*place), 0))
        return Batch(records, positions)

    def _raise_read_error(self, error: KafkaError, message: Message) -> NoReturn:
        if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001
            raise InputLost(
                f"The committed offset of {message.topic()}/{message.partition()} is no longer in the topic;"
                " nothing was skipped, and docs/operations.md tells how to go on."
            )
        self._raise_fault(error, "read")

    def _raise_fault(self, error: KafkaError, doing: str) -> NoReturn:
        if is_fenced(error):
            self._is_fenced = self._is_cut_off = True
            self._require_place()
            raise BrokerUnavailable(f"Kafka ended our membership ({error.name()}).")
        raise_for(error, doing)

    # Assignment -------------------------------------------------------------------------------------

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Take the partitions without reading: where to start is looked up outside of this callback."""
        consumer.assign([])
        self._membership.joined(consumer.memberid())
        self._forget()
        self._unsettled = partitions
        reach(Point.IN_REBALANCE)

    def _on_revoke(self, consumer: Consumer, _partitions: list[TopicPartition]) -> None:
        """Nothing is open here: polls happen between transactions only."""
        self._membership.joining()
        self._let_go(consumer)

    def _on_lost(self, consumer: Consumer, _partitions: list[TopicPartition]) -> None:
        """Stay out of the group, which has ended our session: `recover` asks first who has the slot now.

        librdkafka would join again at once, without its member id, and so displace a successor.
        """
        consumer.unsubscribe()
        self._let_go(consumer)
        self._is_cut_off = True

    def _let_go(self, consumer: Consumer) -> None:
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
        except RAISED as error:
            if is_final(error_of(error)):
                self._raise_fault(error_of(error), "read offsets")
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
                offset = resumed[p] if p in resumed else self._bounds(p)[0]
                starts[p] = Committed(offset, confirmed=False)
        return {p: self._within(p, c) for p, c in starts.items()} if self._accept_loss else starts

    def _within(self, partition: Partition, committed: Committed) -> Committed:
        low, high = self._bounds(partition)
        if low <= committed.offset <= high:
            return committed
        logger.warning("%s/%d goes on at %d: offset %d is no longer in it", *partition, low, committed.offset)
        return Committed(low, confirmed=False)

    def _bounds(self, partition: Partition) -> tuple[int, int]:
        try:
            low, high = self._consumer.get_watermark_offsets(TopicPartition(*partition), timeout=CALL_TIMEOUT_S)
        except RAISED as error:
            self._raise_fault(error_of(error), "read")
        return int(low), int(high)

    # Writing ----------------------------------------------------------------------------------------

    def commit(self, outputs: Iterable[Outgoing], positions: Mapping[Partition, Position]) -> None:
        """See `Log.commit`."""
        if not positions:
            raise ValueError("a commit needs at least one position")
        offsets = [TopicPartition(p.topic, p.number, at.offset, at.metadata) for p, at in positions.items()]
        self._deciding_s = time.monotonic() - self._handed_at
        try:
            self._producer.transact(outputs, offsets, self._consumer.consumer_group_metadata())
        except Fenced:
            self._ask_for_a_successor()
            raise BrokerUnavailable("Kafka ended a transaction that took too long.") from None
        self._rested_at = time.monotonic() + REST_S
        self.committed.update({p: Committed(at.offset, at.metadata) for p, at in positions.items()})

    def _ask_for_a_successor(self) -> None:
        """Raise `Fenced` if another process has the slot.

        The broker fences a producer also when its transaction took too long. Who has the slot is known to the
        group, which tells a displaced member so in its answer to the next heartbeat.
        """
        deadline = time.monotonic() + SUCCESSOR_KNOWN_S
        while time.monotonic() < deadline and not self._is_cut_off:
            for message in self._consume(CHECK_S):
                error = message.error()
                if error is not None and is_final(error):
                    self._raise_fault(error, "read")
        if self._is_cut_off:
            self._require_place()

    # Life cycle -------------------------------------------------------------------------------------

    def recover(self) -> None:
        """See `Log.recover`."""
        if self._is_cut_off and self._producer.is_open:
            self._producer.drop()
        if not self._producer.is_open:
            self._require_place()  # both of the next would displace a successor
            self._producer.reopen()
            self._rejoin()
        elif self._unsettled is None:
            self._unsettled = [TopicPartition(tp.topic, tp.partition) for tp in self._assigned]
        self._held = False
        self._forget()

    def _rejoin(self) -> None:
        """Replace the consumer as well: what broke the commit may have left it asking a coordinator that is gone.

        The new one is the same static member and takes its place at once. The old one just ends: closing it
        may block, and ending a client waits for its threads, so both are left to a thread.
        """
        old = [self._consumer]
        self._consumer = open_client(Consumer, self._config)
        threading.Thread(target=old.clear, name="old-consumer", daemon=True).start()
        self._is_subscribed = self._is_cut_off = self._is_fenced = False
        self._unsettled = None
        self._assigned = []

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
        self._producer.drop()
        with contextlib.suppress(*RAISED, RuntimeError):
            if self._is_subscribed:
                # A close that meets an unanswered assignment never returns and holds the GIL while it waits
                # (librdkafka issue 4884), so let go of the subscription and of what is on its way first.
                self._consumer.unsubscribe()
                for _ in range(UNSUBSCRIBE_POLLS):
                    self._consumer.poll(UNSUBSCRIBE_POLL_S)
            self._consumer.close()
