"""Kafka as keepers and reports see it: who lives in a stage's group, and how far it has read."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

from fraud_platform.errors import Retryable
from fraud_platform.settings import Settings
from fraud_platform.topology import Stage, Topic

Offsets = Mapping[tuple[Topic, int], int]
TIMEOUT_S = 4.0


class Cluster(ABC):
    """Questions with a time limit. The answer None means that the broker is away; nothing is raised for that.

    Each raises `ConfigurationError`, one sentence, when a setting is wrong or Kafka refuses us.
    """

    @abstractmethod
    def members(self, stage: Stage) -> frozenset[str] | None:
        """The `<stage>.<slot>` names of the group's live members; empty while there is no such group."""

    @abstractmethod
    def committed(self, stage: Stage) -> Offsets | None:
        """The next offset to read per partition, as the group has committed it."""

    @abstractmethod
    def lag(self, stage: Stage) -> Offsets | None:
        """Offsets between the commits and the present (stable) end of each partition."""


class KafkaCluster(Cluster):
    """The cluster that the settings name."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def members(self, stage: Stage) -> frozenset[str] | None:
        """See `Cluster.members`."""
        from fraud_platform.adapters import admin

        try:
            return frozenset(admin.live_members(self._settings, [stage], timeout_s=TIMEOUT_S)[stage.name])
        except Retryable:
            return None

    def committed(self, stage: Stage) -> Offsets | None:
        """See `Cluster.committed`."""
        from fraud_platform.adapters import admin

        try:
            return admin.committed_offsets(self._settings, stage, timeout_s=TIMEOUT_S)
        except Retryable:
            return None

    def lag(self, stage: Stage) -> Offsets | None:
        """See `Cluster.lag`."""
        from fraud_platform.adapters import admin

        try:
            return admin.lag(self._settings, stage, timeout_s=TIMEOUT_S)
        except Retryable:
            return None
