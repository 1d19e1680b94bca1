"""Records that no stage could use: any is news for a person, many are a fault of somebody's software."""

from fraud_platform.alerts.problem import Problem, Severity, Sight
from fraud_platform.alerts.sensor import Scene
from fraud_platform.alerts.tally import KEPT_S, Count, Tally
from fraud_platform.topology import Topic

WINDOW_S = 3600
MANY = 10
"""Fewer never are an error: one bad record of fifty is two percent."""


def judge(tally: Tally, *, percent: float, now: float) -> list[Problem]:
    """One problem per stage with dead letters in the last hour; an error from `percent` of its records on."""
    last_hour = {stage: tally.between(stage, now - WINDOW_S, now + WINDOW_S) for stage in tally.stages()}
    return [_problem(stage, count, percent) for stage, count in last_hour.items() if count.dead]


def _problem(stage: str, count: Count, percent: float) -> Problem:
    share = 100 * count.dead / max(count.read, count.dead)
    is_error = count.dead >= MANY and share >= percent
    return Problem(
        key=f"dead-letters:{stage}",
        title=f"{stage} could not use {count.dead:,} of {count.read:,} records of the last hour ({share:.2g} %)",
        text=(
            f"They lie in {Topic.DEAD_LETTERS} with the reason in their headers:"
            f" `fraud-platform topic {Topic.DEAD_LETTERS} --envelope`. See docs/bad-input.md."
        ),
        severity=Severity.ERROR if is_error else Severity.WARNING,
    )


def look(scene: Scene) -> Sight:
    """Read on in the ledger; raises as `fraud_platform.adapters.ledger_tail.read_tail`."""
    tally, blind = read_on(scene, Tally.of(scene.memory))
    problems = [] if blind else judge(tally, percent=scene.settings.alert_dead_letter_percent, now=scene.now)
    return Sight(problems=problems, memory=tally.memory, blind=blind)


def read_on(scene: Scene, before: Tally) -> tuple[Tally, str]:
    """The tally with what the ledger has got since, and why it is no whole one; empty when it is."""
    from fraud_platform.adapters.ledger_tail import read_tail

    counting = before.counting()
    tail = read_tail(scene.settings, before.positions, counting.add, since_ms=int((scene.now - KEPT_S) * 1000))
    blind = "" if tail.is_whole else f"the ledger is {tail.behind:,} offsets ahead of what could be read so far"
    return counting.tally(tail.positions, now=scene.now), blind
