"""Lines of an input that were read before, read again: Kafka and the fake both keep this contract."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping

import msgspec

from fraud_platform.core.outcome import Record


class Begin(msgspec.Struct, frozen=True):
    """Where the reading of a partition begins, and the first offset that the partition still has."""

    offset: int
    first: int


class Rereader(ABC):
    """A bystander that reads partitions from a moment on, a slice at a time; owned by one thread."""

    positions: Mapping[int, int]
    """Per partition the next offset."""

    @abstractmethod
    def begin(self, at_ms: Mapping[int, int]) -> Mapping[int, Begin]:
        """Begin anew, each partition where all records that lie before are older than this Kafka time (epoch ms).

        Raises:
            BrokerUnavailable: no answer; call again later.
            ConfigurationError: there is no such topic, or we may not read it.
        """

    @abstractmethod
    def read(self, upto: Mapping[int, int], within_s: float) -> Iterator[Record]:
        """Committed records, each partition in order, before these offsets; until all are there or time is over.

        Take them all: what was given is not given again. Raises as `begin`.
        """

    @abstractmethod
    def close(self) -> None:
        """Release the client."""
