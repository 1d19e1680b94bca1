"""Finds every record of a transaction: by what MongoDB knows, else back through the inputs, then along their times.

Outputs carry the Kafka timestamp of their input, so one record found leads to the others without reading what lies
between.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence

from fraud_platform.errors import StoreUnavailable
from fraud_platform.topology import DAY_MS, RETENTION_MS, STAGES, Stage, Topic
from fraud_platform.trace.recognize import TOPICS_OF_ONE
from fraud_platform.trace.seen import Document, Finds, Place, Seen

INPUTS = (Topic.BANK_TRANSACTIONS, Topic.STATEMENTS, Topic.DEAD_LETTERS)
_HOUR_MS = 3_600_000
_BACK_MS = (_HOUR_MS, DAY_MS, RETENTION_MS)
"""Most questions are about today, so the newest part of the inputs is read first."""


class Sources(ABC):
    """Where records of the transaction may lie. What does not answer raises `Retryable`."""

    @abstractmethod
    def documents(self) -> Sequence[Document]:
        """What MongoDB holds."""

    @abstractmethod
    def at(self, place: Place) -> Seen | None:
        """The record that lies there, if it does and is the transaction's."""

    @abstractmethod
    def near(self, topic: Topic, at_ms: int) -> Iterable[Seen]:
        """Records of the topic around that time, within bounds; not every one that could be far off is looked at."""

    @abstractmethod
    def between(self, topic: Topic, start_ms: int, end_ms: int | None) -> Iterable[Seen]:
        """Every record from `start_ms` to `end_ms` (exclusive; None = now)."""

    @abstractmethod
    def committed(self, stage: Stage) -> Mapping[tuple[Topic, int], int]:
        """The next offset that the stage reads, per input partition."""


def search(sources: Sources, *, now_ms: int, whole: bool = False) -> Finds:
    """All that can be found.

    Args:
        sources: asked about one transaction.
        now_ms: the present, epoch ms.
        whole: read the inputs from their beginning, for copies that came at other times.

    Raises:
        BrokerUnavailable, RegistryUnavailable: no answer.
    """
    try:
        documents: tuple[Document, ...] | None = tuple(sources.documents())
    except StoreUnavailable:
        documents = None
    found: dict[Place, Seen] = {}
    for document in documents or ():
        seen = sources.at((document.topic, document.partition, document.offset))
        if seen is not None:
            found[seen.place] = seen
    if whole or not found:
        _look_back(sources, found, now_ms, whole=whole)
    _follow(sources, found)
    stages = [stage for stage in STAGES.values() if {seen.topic for seen in found.values()} & {*stage.reads}]
    return Finds(tuple(found.values()), documents, {stage.name: sources.committed(stage) for stage in stages})


def _look_back(sources: Sources, found: dict[Place, Seen], now_ms: int, *, whole: bool) -> None:
    end: int | None = None
    for back in _BACK_MS:
        start = now_ms - back
        for topic in INPUTS:
            found |= {seen.place: seen for seen in sources.between(topic, start, end)}
        if found and not whole:
            return
        end = start


def _follow(sources: Sources, found: dict[Place, Seen]) -> None:
    """To what was written for the records found, and to the record from which they came."""
    times = {seen.at_ms for seen in found.values() if seen.topic is not Topic.DEAD_LETTERS}
    for topic in TOPICS_OF_ONE:
        if topic is not Topic.DEAD_LETTERS:
            for at_ms in sorted(times):
                found |= {seen.place: seen for seen in sources.near(topic, at_ms)}
    if times:
        # Dead letters are dated when they are written, some time after what they stand for.
        found |= {seen.place: seen for seen in sources.between(Topic.DEAD_LETTERS, min(times), None)}
