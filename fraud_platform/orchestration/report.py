"""Events of a long run: what flowed into each asset, told rarely, since an event costs 6 KB and 36 ms."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dagster as dg

from fraud_platform.orchestration.outputs import Output
from fraud_platform.orchestration.plot import plot
from fraud_platform.orchestration.samples import Sample, rates
from fraud_platform.runtime.worker import Progress, State
from fraud_platform.settings import Settings
from fraud_platform.topology import DEAD_LETTERED, Stage, Topic

logger = logging.getLogger(__name__)

FIRST_EVENT_S = 15.0
EVENT_EVERY_S = 300.0
PLOT_EVERY_S = 3600.0

LogEvent = Callable[[dg.AssetMaterialization], None]


class Reporter:
    """Turns progress into materializations: at the first records, then each 5 minutes, and at the end.

    `log_event` is the op's; a history that refuses an event never ends the stage.
    """

    def __init__(
        self, stage: Stage, outputs: Sequence[Output], settings: Settings, log_event: LogEvent, *,
        samples: Callable[[], Sequence[Sample]] = list, clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._stage = stage
        self._outputs = outputs
        self._settings = settings
        self._log_event = log_event
        self._samples = samples
        self._clock = clock
        # What a sink had read before this run is no news; what a stage writes begins at nothing.
        self._told: Counter[Topic] | None = Counter() if stage.writes else None
        self._told_at = self._plotted_at = clock()
        self._has_told = False

    def observe(self, progress: Progress) -> None:
        """Called each second by the loop; nearly always returns at once."""
        due = self._clock() - self._told_at >= (EVENT_EVERY_S if self._has_told else FIRST_EVENT_S)
        if not (due or progress.state is State.STOPPED) or not progress.records:
            return
        flowed = flow(self._stage, progress, self._settings)
        if self._told is None:
            self._told = flowed
        elif news := flowed - self._told:
            self._tell(progress, flowed, news)

    def _tell(self, progress: Progress, flowed: Counter[Topic], news: Counter[Topic]) -> None:
        seconds = self._clock() - self._told_at
        common = self._common(progress) | self._plots()
        for output in self._outputs:
            if count := news[output.topic]:
                own = {
                    "dagster/uri": output.uri(self._settings),
                    **self._counts(count, flowed[output.topic], seconds),
                }
                self._emit(dg.AssetMaterialization(asset_key=output.key, metadata={**own, **common}))
        self._told, self._told_at, self._has_told = flowed, self._clock(), True

    def _counts(self, count: int, total: int, seconds: float) -> dict[str, Any]:
        if not self._stage.writes:
            return {"offsets_advanced": count}
        rate = round(count / seconds, 2) if seconds > 0 else 0.0
        return {"dagster/row_count": count, "records_by_this_run": total, "records_per_second": rate}

    def _common(self, progress: Progress) -> dict[str, Any]:
        samples = self._samples()
        return {
            # Two stages write some topics: their events stand side by side in one asset's history.
            "stage": self._stage.name,
            "records_read_by_this_run": progress.records,
            "dead_letters_by_this_run": progress.outcomes.get(DEAD_LETTERED, 0),
            "outcomes": dg.MetadataValue.json(dict(progress.outcomes)),
            "offsets": dg.MetadataValue.json(
                {f"{p.topic}/{p.number}": at.offset for p, at in sorted(progress.committed.items())}
            ),
            **({"lag": samples[-1].lag} if samples else {}),
        }

    def _plots(self) -> dict[str, Any]:
        """Rate and lag of the whole stage, once an hour."""
        samples = self._samples()
        if self._clock() - self._plotted_at < PLOT_EVERY_S or len(samples) < 3:  # noqa: PLR2004 - two rates make a line
            return {}
        self._plotted_at = self._clock()
        pictures = plot("offsets/s", rates(samples)), plot("lag", [float(sample.lag) for sample in samples])
        return {"rate_and_lag": dg.MetadataValue.md("\n\n".join(filter(None, pictures)))}

    def _emit(self, event: dg.AssetMaterialization) -> None:
        try:
            self._log_event(event)
        except Exception:
            logger.warning("Dagster's history did not take an event of %s", self._stage.name, exc_info=True)


def flow(stage: Stage, progress: Progress, settings: Settings) -> Counter[Topic]:
    """Records per topic that the run has written; for a sink, how far it has read each input."""
    own = written(stage, progress.outcomes)
    return own if stage.writes else own + _read(progress, settings)


def written(stage: Stage, outcomes: Mapping[str, int]) -> Counter[Topic]:
    """Records per topic that these outcomes have written, dead letters included."""
    total: Counter[Topic] = Counter()
    for outcome, count in outcomes.items():
        for topic, each in stage.written_by(outcome).items():
            total[topic] += each * count
    return total


def _read(progress: Progress, settings: Settings) -> Counter[Topic]:
    total: Counter[Topic] = Counter()
    for partition, committed in progress.committed.items():
        total[settings.naming.logical(partition.topic)] += committed.offset
    return total
