"""What a stage remembers between records, and when it may: the contract between a handler and its state.

Memory is never believed over the broker: what is remembered of a partition holds for one committed offset of it. It is
changed within a transaction, kept when that is committed, and forgotten when it is not.
"""

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping

from fraud_platform.core.log import Committed, Partition, Position
from fraud_platform.core.outcome import Outgoing


class State(ABC):
    """The state of the partitions that a slot owns."""

    @property
    def most_records(self) -> int:
        """How many records one transaction may decide about, so that it ends in time."""
        return sys.maxsize

    @property
    def is_behind(self) -> bool:
        """Whether there are changes that no record asked for: they are committed also while no record comes."""
        return False

    def tend(self) -> None:  # noqa: B027 - most have nothing to do
        """Between two transactions, also while no record comes: what takes long is done here, a moment at a time.

        Raises as `own`.
        """

    @abstractmethod
    def own(self, committed: Mapping[Partition, Committed]) -> None:
        """Remember these partitions as of these offsets, no others, and nothing that was not kept.

        Raises:
            Restoring: some of it is to be read back; call `restore` until it raises that no more, then `own` again.
            BrokerUnavailable, ConfigurationError: as `Changelog.begin`.
        """

    @abstractmethod
    def restore(self) -> None:
        """Read back for a moment; raises as `own` while something is missing."""

    @abstractmethod
    def changes(self) -> Iterable[Outgoing]:
        """The records that bring the changelog up to date with what was decided since the last `keep`."""

    @abstractmethod
    def keep(self, positions: Mapping[Partition, Position]) -> None:
        """The changes are committed, with these offsets."""

    @abstractmethod
    def drop(self) -> None:
        """Forget every change since the last `keep`."""

    @abstractmethod
    def close(self) -> None:
        """Release clients."""


class Stateless(State):
    """Of a stage whose decision follows from the record alone."""

    def own(self, committed: Mapping[Partition, Committed]) -> None:
        """See `State.own`."""

    def restore(self) -> None:
        """See `State.restore`."""

    def changes(self) -> Iterable[Outgoing]:
        """See `State.changes`."""
        return ()

    def keep(self, positions: Mapping[Partition, Position]) -> None:
        """See `State.keep`."""

    def drop(self) -> None:
        """See `State.drop`."""

    def close(self) -> None:
        """See `State.close`."""
