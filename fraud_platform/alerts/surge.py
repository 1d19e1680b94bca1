"""Much more fraud than usual: each stage's share of fraudulent transfers against that of the two hours before.

A stage is compared with itself and by share, so that a backlog that is worked off is no surge. One that stays becomes
the usual after two hours, and the alert ends.
"""

import math

from fraud_platform.alerts.dead_letters import read_on
from fraud_platform.alerts.problem import Problem, Sight
from fraud_platform.alerts.sensor import Scene
from fraud_platform.alerts.tally import KEPT_S, PIECE_S, Count, Tally

RECENT_S = 900
KNOWN_RECORDS = 500
"""So many records must be known before anything is called unusual."""
LEAST_FRAUDS = 20
SIGMAS = 4.0
"""Beyond chance, too: the count of rare events scatters by the root of what is expected."""


def judge(tally: Tally, *, factor: float, now: float) -> list[Problem]:
    """One problem per stage whose share of fraud is more than `factor` times the usual."""
    # Whole pieces: the one under way counts with the recent ones.
    begin = int(now - RECENT_S) // PIECE_S * PIECE_S
    found = []
    for stage in tally.stages():
        recent = tally.between(stage, begin, now + PIECE_S)
        usual = tally.between(stage, begin - KEPT_S, begin)
        if is_surge(recent, usual, factor):
            found.append(_problem(stage, recent, usual))
    return found


def is_surge(recent: Count, usual: Count, factor: float) -> bool:
    """Whether the recent frauds are more than `factor` times what the usual share would bring, and no chance."""
    if usual.read < KNOWN_RECORDS or recent.fraud < LEAST_FRAUDS:
        return False
    expected = recent.read * usual.fraud / usual.read
    return recent.fraud > factor * expected and recent.fraud > expected + SIGMAS * math.sqrt(expected)


def _problem(stage: str, recent: Count, usual: Count) -> Problem:
    return Problem(
        key=f"surge:{stage}",
        title=(
            f"{_percent(recent)} of the transfers in {stage} are fraudulent, {_percent(usual)} is usual"
            f" ({recent.fraud:,} in the last {RECENT_S // 60} min)"
        ),
        text=(
            "An attack, a bank that marks everything, or changed rules."
            " `fraud-platform query athena` has fraud by bank and hour among its ready queries."
        ),
        hold_s=60.0,
    )


def _percent(count: Count) -> str:
    return f"{100 * count.fraud / max(1, count.read):.2g} %"


def look(scene: Scene) -> Sight:
    """Read on in the ledger; raises as `fraud_platform.adapters.ledger_tail.read_tail`."""
    tally, blind = read_on(scene, Tally.of(scene.memory))
    problems = [] if blind else judge(tally, factor=scene.settings.alert_surge_factor, now=scene.now)
    return Sight(problems=problems, memory=tally.memory, blind=blind)
