"""Drain mode: read to the end that was there at the start, then report what became of it.

A drain never competes with a live slot: it consumes only while the group has no live member, and
otherwise waits until the live slots have passed the end. Either way the ledger tells the result.
"""

import time
from collections.abc import Callable, Collection, Mapping

import msgspec

from fraud_platform.adapters import admin
from fraud_platform.adapters.avro import AvroReader
from fraud_platform.adapters.kafka_access import require_access
from fraud_platform.adapters.ledger import read_ledger
from fraud_platform.adapters.reader import end_offsets
from fraud_platform.adapters.registry import SchemaRegistry
from fraud_platform.core import ledger
from fraud_platform.errors import BrokerUnavailable, Fenced
from fraud_platform.runtime.launch import Slot, run_slot
from fraud_platform.settings import Settings
from fraud_platform.topology import Stage, Topic

DRAIN_SLOT = "drain"
CHECK_S = 1.0
PATIENCE_S = 8.0
MARKER_WAIT_S = 0.05
MARKERS_WITHIN_S = 15.0
"""Longer than a transaction can stay open; after a reset of offsets by hand the ledger never catches up."""


class DrainReport(msgspec.Struct, frozen=True):
    """What the ledger says happened since the drain began; topics of `read_by_topic` by their names on the broker."""

    stage: str
    entries: int
    read: int
    read_by_topic: Mapping[str, int]
    outcomes: Mapping[str, int]
    written: Mapping[str, int]
    by_live_slots: bool

    def to_json(self) -> str:
        """The report as one JSON line."""
        return msgspec.json.encode(self).decode()


def drain(
    settings: Settings,
    stage: Stage,
    *,
    stop: Callable[[], bool] = lambda: False,
    run_id: str = "by-hand",
    sleep: Callable[[float], None] = time.sleep,
    accept_loss: bool = False,
) -> DrainReport:
    """Bring the stage's group past the present end of its inputs; `accept_loss` as `Slot` has it.

    Raises:
        Retryable: a service that the stage needs stays away.
        ConfigurationError: a person must change something.
        InputLost: a committed offset is no longer in its topic.
    """
    require_access(settings)
    ledger_starts = end_offsets(settings, Topic.LEDGER)
    before = admin.committed_offsets(settings, stage)
    ends = admin.end_offsets(settings, stage.reads)
    consumed_here = False
    own = {settings.naming.instance_id(stage, DRAIN_SLOT)}
    slot = Slot(stage=stage, name=DRAIN_SLOT, run_id=run_id, accept_loss=accept_loss)
    # An offset beyond the end was not read to there: the topic was made anew, or a hand set it.
    beyond = {p: offset for p, offset in before.items() if offset > ends.get(p, offset)}

    def passed() -> bool:
        return _passed(settings, stage, ends, beyond)

    def others() -> bool:
        return _others(settings, stage, own)

    while not stop() and not _patiently(passed):
        if _patiently(others):
            sleep(CHECK_S)
            continue
        consumed_here = True
        done = _Every(CHECK_S, lambda: passed() or others())
        try:
            run_slot(settings, slot, stop=stop, until=done, patience_s=PATIENCE_S, eager=True, let_in=True)
        except Fenced:
            own = set()  # another drain took the place: leave it the work, and wait as for a live slot
    open_ends = {p: end for p, end in ends.items() if before.get(p, -1) < end or p in beyond}
    entries = [] if stop() else _entries(settings, stage, ledger_starts, open_ends, sleep)
    return DrainReport(
        stage=stage.name,
        entries=len(entries),
        read=ledger.records_read(entries),
        read_by_topic=ledger.read_by_topic(entries),
        outcomes=ledger.outcomes(entries),
        written={topic.value: count for topic, count in ledger.written(entries).items()},
        by_live_slots=not consumed_here,
    )


def _entries(
    settings: Settings,
    stage: Stage,
    starts: Mapping[int, int],
    ends: Mapping[admin.Partition, int],
    sleep: Callable[[float], None],
) -> list[ledger.Entry]:
    """The stage's ledger entries since `starts`, once they reach `ends`.

    A commit returns before its markers are written, so the last entries show a moment after their offsets.
    """
    reader = AvroReader(SchemaRegistry(settings))
    wanted = {(settings.naming.topic(topic), number): end for (topic, number), end in ends.items()}
    deadline = time.monotonic() + MARKERS_WITHIN_S
    while True:
        entries = list(read_ledger(settings, reader, stage, starts=starts))
        reached = {(i.topic, i.partition): i.end for entry in entries for i in entry.inputs}
        if all(reached.get(partition, -1) >= end for partition, end in wanted.items()) or time.monotonic() > deadline:
            return entries
        sleep(MARKER_WAIT_S)


def _passed(
    settings: Settings, stage: Stage, ends: Mapping[admin.Partition, int], beyond: Mapping[admin.Partition, int]
) -> bool:
    committed = admin.committed_offsets(settings, stage)
    return all(committed.get(p, -1) >= end and committed[p] != beyond.get(p) for p, end in ends.items())


def _others(settings: Settings, stage: Stage, own: Collection[str]) -> bool:
    """Whether the group has a member that is not ours."""
    return not set(admin.live_members(settings, [stage])[stage.name]) <= set(own)


def _patiently(question: Callable[[], bool]) -> bool:
    """The answer, or BrokerUnavailable once Kafka has owed it for `PATIENCE_S`."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return question()
        except BrokerUnavailable:
            if time.monotonic() > deadline:
                raise


class _Every:
    """Asks an expensive question at most once per `seconds`; between, the answer is no.

    So it is while Kafka owes an answer, for `PATIENCE_S`: waiting here would keep the slot from its records.
    """

    def __init__(self, seconds: float, question: Callable[[], bool]) -> None:
        self._seconds = seconds
        self._question = question
        self._asked_at = self._answered_at = time.monotonic()

    def __call__(self) -> bool:
        if time.monotonic() - self._asked_at < self._seconds:
            return False
        try:
            answer = self._question()
            self._answered_at = time.monotonic()
        except BrokerUnavailable:
            if time.monotonic() - self._answered_at > PATIENCE_S:
                raise
            answer = False
        finally:
            self._asked_at = time.monotonic()
        return answer
