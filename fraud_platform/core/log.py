"""The log as the runtime sees it: read, commit in one transaction, go back. Kafka and the fake both keep it."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from fraud_platform.core.outcome import Outgoing, Record


class Partition(NamedTuple):
    """One input partition, by its name on the broker."""

    topic: str
    number: int


class Committed(msgspec.Struct, frozen=True):
    """The group's offset in a partition. `confirmed` is False until a first start has committed it."""

    offset: int
    metadata: str = ""
    confirmed: bool = True


class Position(msgspec.Struct, frozen=True):
    """The offset to commit: the next one to read, with a note that the next owner will see."""

    offset: int
    metadata: str = ""


class Batch(msgspec.Struct, frozen=True):
    """Records in partition order, and per partition the next offset to read.

    At the end of a partition the position lies past the markers that transactions leave behind.
    """

    records: list[Record]
    positions: dict[Partition, int]


class OutputRefused(Exception):
    """The broker will never take these outputs (size, timestamp); the transaction is aborted, the log stays usable."""

    def __init__(self, refused: Sequence[Outgoing], reason: str, *, by_timestamp: bool = False) -> None:
        super().__init__(reason)
        self.refused = refused
        self.reason = reason
        self.by_timestamp = by_timestamp


class Log(ABC):
    """One member of a consumer group with one transactional producer, owned by one thread."""

    generation: int
    """Grows with each change of the assignment or return to the committed offsets; forget what was read before."""

    committed: dict[Partition, Committed]
    """Offsets of the partitions that this member owns now."""

    @abstractmethod
    def poll(self, timeout_s: float) -> Batch:
        """What can be read now, waiting up to `timeout_s` for a first record. Rebalances happen in here.

        Raises:
            InputLost: a committed offset is no longer in its topic.
            Fenced: another process took this member's place.
            BrokerUnavailable: the offsets to start from cannot be read.
        """

    @abstractmethod
    def commit(self, outputs: Iterable[Outgoing], positions: Mapping[Partition, Position]) -> None:
        """Publish `outputs` and commit `positions` in one transaction, or neither; updates `committed`.

        The transaction is open while `outputs` are made; what they raise ends it.

        Raises:
            OutputRefused: see there; commit again without these outputs.
            BrokerUnavailable: it failed or its result is unknown; call `recover` before going on.
            Fenced: another process owns this slot.
        """

    @abstractmethod
    def recover(self) -> None:
        """Drop whatever is open and read again from the committed offsets.

        Raises:
            BrokerUnavailable: not possible yet; call again later.
        """

    @abstractmethod
    def hold(self) -> None:
        """Read nothing more until `recover`, yet stay in the group: `poll` must still be called."""

    @abstractmethod
    def close(self) -> None:
        """Leave; an open transaction is aborted. Never raises and never takes longer than a few seconds."""
