"""The transactional producer of one slot: its transactions, and what a failed one means."""

import contextlib
import time
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition

from fraud_platform.adapters.bounded import BoundedCalls
from fraud_platform.adapters.kafka_config import client_config, open_client
from fraud_platform.adapters.kafka_errors import RAISED, error_of, is_final, is_forbidden, raise_for
from fraud_platform.core.log import OutputRefused
from fraud_platform.core.outcome import Outgoing
from fraud_platform.errors import BrokerUnavailable
from fraud_platform.failpoints import Point, reach
from fraud_platform.settings import Settings
from fraud_platform.topology import MIB

TRANSACTION_TIMEOUT_MS = 10_000
CALL_TIMEOUT_S = 5.0
COMMIT_TIMEOUT_S = 8.0
_TRIAL_POLL_S = 0.05
_REFUSED = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_TIMESTAMP, KafkaError.INVALID_RECORD}


def producer_config(settings: Settings, transactional_id: str) -> dict[str, Any]:
    """A transactional producer that places keys as Java clients do."""
    return {
        **client_config(settings),
        "transactional.id": transactional_id,
        "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
        "partitioner": "murmur2_random",
        "linger.ms": 20,  # no record waits for it, since a flush ends each transaction: it only fills the batches
        "batch.size": MIB,
        "message.max.bytes": 9 * MIB,
        "queue.buffering.max.messages": 500_000,
        "compression.type": "lz4",
        # The broker answers CONCURRENT_TRANSACTIONS while it finishes the last one: 100 ms of back-off
        # (the default) make a small transaction cost 36-100 ms.
        "retry.backoff.ms": 1,
    }


class TransactionalProducer:
    """One fixed transactional id. Opening it aborts what an earlier owner left open, and fences that owner.

    Any failure costs the client its life: its sequence numbers or its epoch may be unclear, and a new one
    starts both afresh. `reopen` makes it, the first one included.
    """

    def __init__(self, settings: Settings, transactional_id: str) -> None:
        self._config = producer_config(settings, transactional_id)
        self._bounded = BoundedCalls()
        self._opening: Producer | None = None
        self._producer: Producer | None = None

    @property
    def is_open(self) -> bool:
        """Whether a transaction can begin; at the start and after a failure `reopen` comes first."""
        return self._producer is not None

    def reopen(self) -> None:
        """Make a new client; again when there was no answer.

        Raises:
            BrokerUnavailable: the transaction coordinator does not answer.
            ConfigurationError: our principal may not use the id.
        """
        if self._opening is None:
            self.drop()
        self._producer = self._open()

    def drop(self) -> None:
        """Let go of the client; what it left open is aborted by the next one or by the broker's timeout."""
        producer, self._producer, self._opening = self._producer, None, None
        if producer is not None:
            with contextlib.suppress(KafkaException):
                producer.purge()  # the reference goes next, and with it the client; `close` would wait for an abort

    def transact(self, outputs: Iterable[Outgoing], offsets: list[TopicPartition], member: Any) -> None:
        """Publish the outputs and commit the offsets of the group that `member` belongs to, or neither.

        The outputs are taken one by one, so that the first are on their way while the last are made.

        Raises:
            OutputRefused, BrokerUnavailable, Fenced: as `Log.commit`.
        """
        producer = self._producer
        if producer is None:
            raise BrokerUnavailable("Kafka was unsure about the last commit.")
        outputs, taken = iter(outputs), list[Outgoing]()
        try:
            producer.begin_transaction()
            _produce(producer, outputs, taken)
            reach(Point.AFTER_PRODUCE)
            # All outputs first: offsets sent beside them make the broker answer CONCURRENT_TRANSACTIONS.
            # What is not out in time makes the commit fail.
            producer.flush(CALL_TIMEOUT_S)
            reach(Point.BEFORE_COMMIT)
            self._bounded.call(lambda: _commit(producer, offsets, member), COMMIT_TIMEOUT_S)
            reach(Point.AFTER_COMMIT)
        except RAISED as error:
            self._fail(error_of(error), [*taken, *outputs])
        except BrokerUnavailable:
            self._producer = None  # the thread that hangs in it keeps it
            raise
        except Exception:  # the outputs ended; what was begun is aborted by the next client
            self.drop()
            raise

    def _fail(self, error: KafkaError, outputs: Sequence[Outgoing]) -> NoReturn:
        self.drop()
        if error.code() in _REFUSED:
            refused = self._refused(outputs, error.code())
            self.reopen()
            if refused:
                reason = f"the broker refuses an output for {refused[0].topic}: {error.name()}"
                raise OutputRefused(refused, reason, by_timestamp=error.code() == KafkaError.INVALID_TIMESTAMP)
        if error.code() == KafkaError._INCONSISTENT:  # noqa: SLF001 - "messages failed delivery", and not why
            self._require_rights(outputs)
        raise_for(error, "commit")

    def _require_rights(self, outputs: Sequence[Outgoing]) -> None:
        """Raise ConfigurationError when the outputs failed because we may not write their topic.

        The client does not tell; a trial does, and whether it succeeds otherwise is of no interest.
        """
        self._accepts(outputs)

    def _refused(self, outputs: Sequence[Outgoing], code: int) -> list[Outgoing]:
        """The outputs that the broker will not take, found by trying the others.

        It fails a whole batch for one record, so each topic's outputs are put in order, the largest or oldest
        first, and the shortest beginning without which the rest passes is searched for.
        """
        of_topic: dict[str, list[Outgoing]] = {}
        for output in outputs:
            of_topic.setdefault(output.topic, []).append(output)
        refused: list[Outgoing] = []
        for suspects in of_topic.values():
            suspects.sort(key=_age if code == KafkaError.INVALID_TIMESTAMP else _smallness)
            refused += suspects[: self._first_accepted(suspects)]
        return refused

    def _first_accepted(self, ordered: Sequence[Outgoing]) -> int:
        starts = range(len(ordered) + 1)
        return bisect_left(starts, True, key=lambda start: self._accepts(ordered[start:]))

    def _accepts(self, outputs: Sequence[Outgoing]) -> bool:
        """Whether the broker takes the outputs, in a transaction that is never committed.

        Raises ConfigurationError when it is because we may not write their topic.

        Only here do we listen to delivery reports: a fatal error during one comes out of the client as
        SystemError, and the common path has no need of them.
        """
        failed: list[tuple[KafkaError, Message]] = []
        producer = self._open()
        deadline = time.monotonic() + CALL_TIMEOUT_S
        try:
            producer.begin_transaction()
            _produce(producer, outputs, [], on_delivery=lambda error, m: failed.append((error, m)) if error else None)
            while not failed and producer.flush(_TRIAL_POLL_S):
                if time.monotonic() > deadline:
                    raise BrokerUnavailable("Kafka takes no outputs.")
        except RAISED as error:
            if error_of(error).code() not in _REFUSED:
                raise_for(error_of(error), "commit")
            return False
        for reason, message in failed:
            if is_forbidden(reason):
                raise_for(reason, f"write {message.topic()}")
        return not failed

    def _open(self) -> Producer:
        """A client that owns the id.

        One that got no answer yet is asked again: its request may still be on its way, and would fence a client
        that was opened beside it.
        """
        producer = self._opening or open_client(Producer, self._config)
        self._opening = None
        try:
            producer.init_transactions(CALL_TIMEOUT_S)
        except KafkaException as error:
            if not is_final(error.args[0]):
                self._opening = producer
            raise_for(error.args[0], "start a transaction")
        return producer


def _produce(producer: Producer, outputs: Iterable[Outgoing], taken: list[Outgoing], **report: Any) -> None:
    """Hand the outputs over, and note in `taken` which were."""
    now = time.time_ns() // 1_000_000
    for o in outputs:
        taken.append(o)
        headers = list(o.headers) if o.headers else None
        timestamp = min(max(0, o.timestamp_ms), now)
        while True:
            try:
                producer.produce(o.topic, o.value, o.key, timestamp=timestamp, headers=headers, **report)
            except BufferError:
                producer.poll(0.01)
            else:
                break


def _commit(producer: Producer, offsets: list[TopicPartition], member: Any) -> None:
    producer.send_offsets_to_transaction(offsets, member, CALL_TIMEOUT_S)
    reach(Point.AFTER_SEND_OFFSETS)
    producer.commit_transaction(CALL_TIMEOUT_S)


def _age(output: Outgoing) -> int:
    return output.timestamp_ms


def _smallness(output: Outgoing) -> int:
    return -len(output.value or b"")
