"""Much more fraud than usual: each stage's share of fraudulent transfers against that of the two hours before.

A stage is compared with itself and by share, so that a backlog that is worked off is no surge. While one lasts, it is
compared with what was usual when it began; after two hours it is the usual itself, and the alert ends.
"""

import math
from collections.abc import Mapping

import msgspec

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


class Surge(msgspec.Struct, frozen=True):
    """A surge that lasts: since when (Unix seconds), and what was usual before it."""

    since: float
    usual: Count


class Memory(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is kept from look to look: the counts, and the surges by stage."""

    tally: Tally = Tally()
    surges: dict[str, Surge] = {}

    @classmethod
    def of(cls, memory: str) -> "Memory":
        """From a sensor's memory; one that is damaged is begun anew."""
        try:
            return msgspec.json.decode(memory or "{}", type=cls)
        except msgspec.DecodeError:
            return cls()


def surges(tally: Tally, before: Mapping[str, Surge], *, factor: float, now: float) -> dict[str, Surge]:
    """The stages whose share of fraud is more than `factor` times the usual."""
    found = {}
    for stage in tally.stages():
        recent, usual = _recent(tally, stage, now), tally.between(stage, _begin(now) - KEPT_S, _begin(now))
        known = before.get(stage)
        # Else it would soon flow into its own usual, and seem to be over.
        surge = known if known and now - known.since < KEPT_S else Surge(now, usual)
        if is_surge(recent, surge.usual, factor):
            found[stage] = surge
    return found


def judge(tally: Tally, found: Mapping[str, Surge], *, now: float) -> list[Problem]:
    """One problem per surge."""
    return [_problem(stage, _recent(tally, stage, now), surge.usual) for stage, surge in found.items()]


def _begin(now: float) -> int:
    """Whole pieces: the one under way counts with the recent ones."""
    return int(now - RECENT_S) // PIECE_S * PIECE_S


def _recent(tally: Tally, stage: str, now: float) -> Count:
    return tally.between(stage, _begin(now), now + PIECE_S)


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
    before = Memory.of(scene.memory)
    tally, blind = read_on(scene, before.tally)
    factor = scene.settings.alert_surge_factor
    found = before.surges if blind else surges(tally, before.surges, factor=factor, now=scene.now)
    memory = msgspec.json.encode(Memory(tally=tally, surges=found)).decode()
    return Sight(problems=[] if blind else judge(tally, found, now=scene.now), memory=memory, blind=blind)
