"""Rate and lag of a stage over time, sampled beside the loop: no question to Kafka ever holds it up."""

import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fraud_platform.errors import ConfigurationError
from fraud_platform.orchestration.cluster import Cluster
from fraud_platform.topology import Stage

logger = logging.getLogger(__name__)

SAMPLE_EVERY_S = 60.0
KEPT = 120


@dataclass(frozen=True, slots=True)
class Sample:
    """At a monotonic time: the sum of the group's committed offsets, and of its lag."""

    at: float
    position: int
    lag: int


def rates(samples: Sequence[Sample]) -> list[float]:
    """Offsets per second between neighbouring samples, never negative."""
    pairs = itertools.pairwise(samples)
    return [max(0, b.position - a.position) / (b.at - a.at) for a, b in pairs if b.at > a.at]


class Sampler:
    """Keeps the last two hours of samples of one stage."""

    def __init__(
        self, cluster: Cluster, stage: Stage, *, every_s: float = SAMPLE_EVERY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._cluster = cluster
        self._stage = stage
        self._every_s = every_s
        self._clock = clock
        self._samples: deque[Sample] = deque(maxlen=KEPT)
        self._said = ""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    @property
    def samples(self) -> list[Sample]:
        """The samples so far, oldest first."""
        return list(self._samples)

    def start(self) -> None:
        """Begin to sample."""
        self._thread.start()

    def stop(self) -> None:
        """End; a question that is under way is not waited for."""
        self._ended.set()

    def take(self) -> None:
        """Add a sample if Kafka answers."""
        committed, lag = self._cluster.committed(self._stage), self._cluster.lag(self._stage)
        if committed is not None and lag is not None:
            self._samples.append(Sample(self._clock(), sum(committed.values()), sum(lag.values())))

    def _say_once(self, sentence: str) -> None:
        if sentence != self._said:
            self._said = sentence
            logger.warning("no samples of %s: %s", self._stage.name, sentence)

    def _run(self) -> None:
        while not self._ended.wait(self._every_s):
            try:
                self.take()
            except ConfigurationError as error:
                self._say_once(str(error))
            except Exception:
                logger.warning("no sample of %s", self._stage.name, exc_info=True)
