"""What is done to a platform in a trial, as data."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

KILL, OUTLIVE = "kill", "outlive"


@dataclass(frozen=True)
class Stop:
    """Where a stage's process stops itself, at one of the first `up_to` passes, and what is done to it then.

    `kill`: kill -9. `outlive`: another process takes over its slot, and at least `asleep_s` later it goes on as a
    zombie.
    """

    point: str
    up_to: int = 1
    then: str = KILL
    asleep_s: float = 0.0

    def order(self, dice: random.Random) -> str:
        return f"{self.point}:{dice.randint(1, self.up_to)}"


Stops = Mapping[str, Sequence[Stop]]
"""Per stage what happens to its first process, to its second, and so on."""

EVERY_POINT: Stops = {
    "ingestion": (Stop("after_consume", 8), Stop("before_commit", 8), Stop("in_rebalance")),
    "projection": (Stop("after_produce", 8), Stop("after_commit", 8)),
    "validation": (Stop("after_validate", 8), Stop("after_send_offsets", 8)),
    "monitoring": (Stop("after_send_offsets", 8), Stop("in_rebalance")),
    "lake": (Stop("after_plan", 3), Stop("after_s3_put", 8), Stop("after_plan", 3, OUTLIVE)),
    "documents": (Stop("after_mongo_write", 8), Stop("in_rebalance")),
}
"""Each point once, and a writer of the lake that goes on after its successor has done its work."""
