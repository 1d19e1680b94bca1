"""A stage's own compacted topic, as it is read back: Kafka and the fake both keep this contract."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence

import msgspec


class Change(msgspec.Struct, frozen=True, gc=False):
    """One record of the topic: `value` is all that stands under `key` from here on, None = nothing any more."""

    number: int
    key: bytes
    value: bytes | None
    timestamp_ms: int


class Changelog(ABC):
    """Reads partitions from their beginning to the end that they had when asked; owned by one thread."""

    @abstractmethod
    def begin(self, numbers: Collection[int]) -> None:
        """Begin to read these partitions; what was begun before is given up.

        The end is the one that *any* reader sees now: a dead slot's open transaction may hide committed records that
        lie behind it, and they count.

        Raises:
            BrokerUnavailable: no answer; call again later.
            ConfigurationError: the topic is missing, or an input and its changelog have different partitions.
        """

    @abstractmethod
    def read(self, within_s: float) -> Sequence[Change]:
        """What comes next, in the order of each partition; returns after about `within_s`, or once all is read.

        Raises:
            BrokerUnavailable: the end does not come nearer.
        """

    @property
    @abstractmethod
    def is_whole(self) -> bool:
        """Whether everything that `begin` asked for was read."""

    @abstractmethod
    def place(self, key: bytes) -> int:
        """The partition on which a key's records lie, those of the input among them.

        Raises:
            RuntimeError: before the first `begin`.
        """

    @abstractmethod
    def close(self) -> None:
        """Release the client."""
