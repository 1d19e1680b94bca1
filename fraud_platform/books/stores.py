"""What a comparison asks of a topic and of its stores."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence

import msgspec

from fraud_platform.books.judge import Due, Offsets
from fraud_platform.books.rows import Row
from fraud_platform.topology import Topic


class Cut(msgspec.Struct, frozen=True):
    """The moment of the comparison: what the lake and MongoDB must hold by then.

    It is made before the stores are read, and before a crawl that shows them: what they get later can be excused.
    """

    lake: Due
    documents: Due

    @property
    def records(self) -> int:
        """Offsets of the topic that are compared."""
        dues = (self.lake, self.documents)
        return max(sum(end - due.begins.get(p, 0) for p, end in due.ends.items()) for due in dues)

    @property
    def both(self) -> Due:
        """What both of them hold."""
        ends = self.documents.ends
        lower = {p: min(end, ends.get(p, end)) for p, end in self.lake.ends.items()}
        return msgspec.structs.replace(self.lake, ends=lower)


class TopicRows(ABC):
    """A result topic; raises as `Flow` does, and `RegistryUnavailable`."""

    topic: Topic

    @abstractmethod
    def cut(self) -> Cut:
        """What the sinks have committed by now; asked before any row is read."""

    @abstractmethod
    def rows(self) -> Iterator[Row]:
        """Every record up to the cut that a sink can store."""

    @abstractmethod
    def tops(self) -> Offsets:
        """Where each partition ends now."""

    @abstractmethod
    def dead(self, stage: str) -> Collection[tuple[int, int]]:
        """Positions of the records that the stage has dead-lettered."""


class LakeRows(ABC):
    """The topic's rows in the lake, by SQL; raises as `QueryEngine.ask` does."""

    name: str
    without: frozenset[str] = frozenset()
    """Fields that the engine cannot give as they are."""
    has_copy: bool = True
    """Whether there is a curated copy to compare."""

    @abstractmethod
    def rows(self, hours: Collection[str] | None = None) -> Iterator[Row]:
        """Every row that was landed, or those of some hours."""

    @abstractmethod
    def newest(self) -> Iterator[Row]:
        """The newest of these rows per id."""

    @abstractmethod
    def by_ids(self, ids: Sequence[str]) -> Iterator[Row]:
        """Every landed row of these ids."""

    @abstractmethod
    def hours(self) -> Collection[str]:
        """The hours that the table has."""

    @abstractmethod
    def copied(self, hours: Collection[str] | None = None) -> Iterator[Row]:
        """As `rows`, from where people's queries find them: the curated files, and what these do not hold yet."""

    @abstractmethod
    def copied_by_ids(self, ids: Sequence[str]) -> Iterator[Row]:
        """As `by_ids`, from there."""


class DocumentRows(ABC):
    """The topic's documents in MongoDB; raises `StoreUnavailable` and `ConfigurationError`."""

    name: str

    @abstractmethod
    def rows(self) -> Iterator[Row]:
        """Every document."""

    @abstractmethod
    def by_ids(self, ids: Sequence[str]) -> Iterator[Row]:
        """Every document that has one of these as its `_id`, or in its fields."""
