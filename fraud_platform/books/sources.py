"""What the books ask of the outside: Kafka as a bystander sees it, and a place for their sums."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from fraud_platform.books.page import Line
from fraud_platform.topology import Stage, Topic

Place = tuple[Topic, int]
"""A topic of ours and the number of one of its partitions."""


class Flow(ABC):
    """Topics and groups, committed records only; changes nothing.

    Every method raises `BrokerUnavailable` when Kafka does not answer, and `ConfigurationError` when it refuses us.
    """

    @abstractmethod
    def ledger_id(self) -> str:
        """Kafka's own id of the ledger topic: a topic made anew has another."""

    @abstractmethod
    def bounds(self, topics: Collection[Topic]) -> dict[Topic, dict[int, tuple[int, int]]]:
        """First offset and last stable offset (exclusive) of each partition of these topics now."""

    @abstractmethod
    def ledger(self, starts: Mapping[int, int], ends: Mapping[int, int]) -> Iterator[Line]:
        """The ledger's records in `[start, end)`, each partition in order."""

    @abstractmethod
    def count(self, topic: Topic, starts: Mapping[int, int], ends: Mapping[int, int]) -> dict[int, int]:
        """How many records, markers apart, lie in `[start, end)` of each partition."""

    @abstractmethod
    def is_open(self) -> bool:
        """Whether a transaction is open somewhere, behind which committed records lie hidden."""

    @abstractmethod
    def committed(self, stage: Stage) -> dict[Place, int]:
        """The group's committed offsets; partitions without one are left out."""


class Saved(msgspec.Struct, frozen=True):
    """A note of the books: its id, the version that orders its writes, and its content as plain types."""

    id: str
    version: tuple[int, int]
    content: Mapping[str, Any]


class BookStore(ABC):
    """Keeps notes; of two versions the higher stays, whoever comes last.

    Every method raises `StoreUnavailable` when the store does not answer, and `ConfigurationError` when it refuses us.
    """

    @abstractmethod
    def get(self, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """The contents of those notes that there are; what was put before is seen."""

    @abstractmethod
    def put(self, notes: Sequence[Saved]) -> None:
        """Store each note unless the stored version is equal or higher; ids are distinct within a call."""

    @abstractmethod
    def clear(self, prefix: str) -> None:
        """Forget every note whose id starts with `prefix`."""
