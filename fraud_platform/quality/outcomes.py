"""What became of the records lately, from the ledger: pure."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from fraud_platform.core.ledger import Entry, records_read
from fraud_platform.quality.verdict import Fact, Verdict
from fraud_platform.topology import DEAD_LETTERED, Topic

_DISCARDED = "discarded.evaluation:"
LEAST = 10
"""Fewer dead letters are a warning, whatever their share: one bad record of fifty is two percent."""
ORDINARY = frozenset({"legitimate"})
"""Known before anybody has looked: what banks send for a transfer that goes no further."""
MAX_VALUES = 200
"""Stages name twenty each between two starts. What is known already is kept first, or it would be new again."""
SEEN = "values_seen"
"""The fact in which the evaluations that are known go on to the next look."""


@dataclass(frozen=True, slots=True)
class Fate:
    """Records of one stage: read, and turned into dead letters."""

    read: int
    dead: int


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What ledger entries add up to: fates by stage, and transfers that were discarded, by the bank's evaluation."""

    fates: dict[str, Fate] = field(default_factory=dict)
    evaluations: Counter[str] = field(default_factory=Counter)

    def add_fate(self, entry: Entry) -> None:
        """Count what the entry's stage read and dead-lettered."""
        before = self.fates.get(entry.stage, Fate(0, 0))
        dead = before.dead + entry.outcomes.get(DEAD_LETTERED, 0)
        self.fates[entry.stage] = Fate(before.read + records_read([entry]), dead)

    def add_evaluations(self, entry: Entry) -> None:
        """Count what the entry discarded."""
        for outcome, count in entry.outcomes.items():
            if outcome.startswith(_DISCARDED):
                self.evaluations[outcome.removeprefix(_DISCARDED)] += count


def dead_letters_are_few(found: Mapping[str, Fate], *, percent: float) -> Verdict:
    """Whether no stage has dead-lettered as much as `percent` of what it read."""
    facts: dict[str, Fact] = {f"dead_letters_{stage}": fate.dead for stage, fate in found.items()}
    shares = {stage: 100 * fate.dead / max(1, fate.read, fate.dead) for stage, fate in found.items() if fate.dead}
    many = {stage: share for stage, share in shares.items() if share >= percent}
    if not many:
        total = sum(fate.dead for fate in found.values())
        read = sum(fate.read for fate in found.values())
        return Verdict(passed=True, description=f"{total:,} dead letters of {read:,} records read.", facts=facts)
    said = ", ".join(f"{stage} {share:.2g} % ({found[stage].dead:,})" for stage, share in many.items())
    return Verdict(
        passed=False,
        is_warning=all(found[stage].dead < LEAST for stage in many),
        description=(
            f"Dead letters of the last hour: {said}; {percent:g} % are allowed (FRAUD_ALERT_DEAD_LETTER_PERCENT). Their"
            f" headers name the reason: `fraud-platform topic {Topic.DEAD_LETTERS} --envelope`; docs/bad-input.md."
        ),
        facts=facts,
    )


def evaluations_are_known(found: Mapping[str, int], known: Collection[str]) -> Verdict:
    """Whether every discarded evaluation is ordinary or has been seen before."""
    old = {*ORDINARY, *known}
    fresh = sorted(found.keys() - old)
    every = sorted([*sorted(old), *fresh][:MAX_VALUES])
    facts: dict[str, Fact] = {SEEN: ",".join(every), "records_discarded": sum(found.values())}
    if not fresh:
        names = ", ".join(f"{value} {count:,}" for value, count in sorted(found.items())) or "none"
        return Verdict(passed=True, description=f"Discarded since the last look, by evaluation: {names}.", facts=facts)
    names = ", ".join(f"{value} ({found[value]:,})" for value in fresh)
    return Verdict(
        passed=False,
        is_warning=True,
        description=(
            f"Banks send a new evaluation, and such transfers are discarded: {names}. Only `fraudulent` and"
            " `unidentified` go on. Ask the bank what it means; a misspelt one must be mended there and sent again."
        ),
        facts=facts,
    )
