"""What monitoring did when a rule set with new windows took over: it filled them from past lines. Done once more."""

from collections.abc import Callable, Collection

from fraud_platform.core.rereading import Rereader
from fraud_platform.monitoring.marker import Fill
from fraud_platform.monitoring.warming import Filling
from fraud_platform.replay.engines import Engines
from fraud_platform.rules.engine import Engine
from fraud_platform.rules.past import Past, begins_ms, part_of


class PastLines:
    """Reads what windows lack, by monitoring's own code, from the same lines; see `replay.cases.Fill`."""

    def __init__(
        self, rereader: Rereader, place: Callable[[bytes], int], engines: Engines, stop: Callable[[], bool]
    ) -> None:
        self._rereader = rereader
        self._place = place
        self._engines = engines
        self._stop = stop

    def __call__(self, partition: int, offset: int, engine: Engine, missing: Collection[int]) -> Past | None:
        """The windows as of that offset, None when none is missing. Raises as `Rereader`."""
        since = self._engines.since(partition, engine.rule_set.version)
        if not missing:
            return None
        begins = begins_ms(part_of(engine.layout, missing), since)
        fills = {partition: Fill(tuple(sorted(missing)), int(engine.layout.lateness), begins, offset)}
        try:
            filling = Filling(self._rereader, engine, fills, self._place)
            while not filling.read(fills) and not self._stop():
                pass
            return filling.past(partition)
        finally:
            self._rereader.close()
