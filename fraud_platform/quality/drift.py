"""Has the mix of decisions changed? Pure.

The measure is the population stability index (PSI) of actions: the sum of (now - before) * ln(now / before) over the
shares. By custom below 0.1 is no change, from 0.25 on a large one.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from fraud_platform.quality.verdict import Fact, Verdict

LARGE = 0.25
LEAST = 200
"""Fewer decisions than these say nothing about a share."""
_SMOOTH = 0.5
ACTIONS = ("ALLOW", "REVIEW", "BLOCK")


@dataclass(frozen=True, slots=True)
class Mix:
    """Decisions by action, and by the version of the rule set that made them."""

    actions: Mapping[str, int]
    versions: Mapping[str, int]

    @property
    def count(self) -> int:
        """Decisions in all."""
        return sum(self.actions.values())


def psi(now: Mapping[str, int], before: Mapping[str, int]) -> float:
    """The population stability index of two samples; each category counts half a record more, so that none is empty."""
    names = now.keys() | before.keys()
    share_now, share_before = _shares(now, names), _shares(before, names)
    return sum((share_now[n] - share_before[n]) * math.log(share_now[n] / share_before[n]) for n in names)


def _shares(counts: Mapping[str, int], names: set[str]) -> dict[str, float]:
    total = sum(counts.values()) + _SMOOTH * len(names)
    return {name: (counts.get(name, 0) + _SMOOTH) / total for name in names}


def is_steady(recent: Mix, usual: Mix) -> Verdict:
    """Whether the last hour's decisions are mixed as those of the day before."""
    facts: dict[str, Fact] = {"decisions_recent": recent.count, "decisions_before": usual.count}
    if min(recent.count, usual.count) < LEAST:
        seen = f"{recent.count} decisions of the last hour and {usual.count} of the day before: too few to compare."
        return Verdict(passed=True, description=seen, facts=facts)
    index = psi(recent.actions, usual.actions)
    facts |= {"population_stability_index": round(index, 4)} | {
        f"share_{name.lower()}": round(recent.actions.get(name, 0) / recent.count, 4) for name in ACTIONS
    }
    shift = ", ".join(f"{name} {_percent(usual, name)} → {_percent(recent, name)}" for name in ACTIONS)
    if index < LARGE:
        return Verdict(passed=True, description=f"{shift} (index {index:.2f}, large from {LARGE}).", facts=facts)
    fresh = sorted(recent.versions.keys() - usual.versions.keys())
    cause = (
        f"The rule set changed to {', '.join(fresh)}: see whether that was meant so."
        if fresh
        else "The rule set is the same, so the transfers differ: look for an attack, a new bank, or fields left out."
    )
    return Verdict(
        passed=False,
        is_warning=True,
        description=(
            f"The decisions of the last hour differ from the day before: {shift} (index {index:.2f}). {cause}"
            " `fraud-platform query athena` has decisions by rule among its ready queries."
        ),
        facts=facts,
    )


def _percent(mix: Mix, name: str) -> str:
    return f"{100 * mix.actions.get(name, 0) / mix.count:.3g} %"
