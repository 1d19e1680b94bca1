"""A cluster in memory: who lives in which group, and how far each has read."""

from collections import defaultdict
from collections.abc import Iterable

from fraud_platform.orchestration.cluster import Cluster, Offsets
from fraud_platform.topology import Stage, Topic


class FakeCluster(Cluster):
    def __init__(self) -> None:
        self.living: dict[str, set[str]] = defaultdict(set)
        self.ends: dict[tuple[Topic, int], int] = {}
        self.commits: dict[str, dict[tuple[Topic, int], int]] = defaultdict(dict)
        self.is_down = False

    def join(self, stage: Stage, *slots: str) -> None:
        self.living[stage.name].update(f"{stage.name}.{slot}" for slot in slots)

    def members(self, stage: Stage) -> frozenset[str] | None:
        return None if self.is_down else frozenset(self.living[stage.name])

    def committed(self, stage: Stage) -> Offsets | None:
        return None if self.is_down else dict(self.commits[stage.name])

    def lag(self, stage: Stage) -> Offsets | None:
        if self.is_down:
            return None
        read = self.commits[stage.name]
        return {at: end - read.get(at, 0) for at, end in self._of(stage.reads)}

    def _of(self, topics: Iterable[Topic]) -> list[tuple[tuple[Topic, int], int]]:
        return [(at, end) for at, end in self.ends.items() if at[0] in set(topics)]
