"""What a run cost, and how runs compare. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Run:
    """One process's account: records done, wall seconds, processor seconds of all its threads."""

    records: int
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        """Records per second."""
        return self.records / self.seconds

    @property
    def cpu_us(self) -> float:
        """Processor microseconds per record."""
        return self.cpu / self.records * 1e6


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest value that at least `share` of all values do not exceed; NaN of nothing."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def rate_ratio(these: Sequence[Run], those: Sequence[Run]) -> float:
    """How many times faster `these` were: the median over rounds, each round's two runs being neighbours."""
    return median(a.rate / b.rate for a, b in zip(these, those, strict=True))


def cpu_ratio(these: Sequence[Run], those: Sequence[Run]) -> float:
    """How many times less processor time per record `these` took; median as above."""
    return median(b.cpu_us / a.cpu_us for a, b in zip(these, those, strict=True))


def runs_table(runs: Mapping[str, Sequence[Run]]) -> str:
    """One line per contestant: the median and range of its rates, and of its processor time."""
    lines = [f"  {'':28}{'records/s':>11}{'range':>20}{'CPU us/record':>16}"]
    for name, each in runs.items():
        rates = [run.rate for run in each]
        spread = f"{min(rates):,.0f}-{max(rates):,.0f}"
        lines.append(f"  {name:28}{median(rates):>11,.0f}{spread:>20}{median(run.cpu_us for run in each):>16.1f}")
    return "\n".join(lines)


def verdict(what: str, value: float, target: float, *, at_least: bool = True, unit: str = "") -> str:
    """A line that holds a figure against its target."""
    is_met = value >= target if at_least else value <= target
    sign = ">=" if at_least else "<="
    return f"  {what}: {value:,.4g}{unit} (target {sign} {target:,.4g}{unit}: {'met' if is_met else 'MISSED'})"


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Growth of y per x by least squares."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
