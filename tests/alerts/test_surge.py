"""A surge is much more fraud than usual, and more than chance."""

from datetime import UTC, datetime

import msgspec
import pytest

from fraud_platform.alerts import surge
from fraud_platform.alerts.problem import Problem
from fraud_platform.alerts.surge import is_surge
from fraud_platform.alerts.tally import KEPT_S, PIECE_S, Count, Tally
from fraud_platform.core.ledger import Entry, InputRange
from tests.alerts.makers import T0


def entry(minutes: float, *, read: int = 100, fraud: int = 0, dead: int = 0, stage: str = "ingestion") -> Entry:
    """A ledger entry, committed so many minutes before noon."""
    rest = read - fraud - dead
    return Entry(
        stage=stage,
        slot=f"{stage}.0",
        run_id="r",
        code_version="v",
        committed_at=datetime.fromtimestamp(T0 - 60 * minutes, UTC),
        inputs=(InputRange("t", 0, 0, read, read),),
        outcomes={"accepted.fraudulent": fraud, "dead-lettered": dead, "accepted.unidentified": rest},
    )


def tally(*entries: Entry, now: float = T0) -> Tally:
    return Tally().after(entries, {}, now=now)


def found(tally: Tally, *, now: float = T0) -> list[Problem]:
    return surge.judge(tally, surge.surges(tally, {}, factor=3.0, now=now), now=now)


STEADY = [entry(minutes, fraud=2) for minutes in range(16, 120)]


@pytest.mark.parametrize(
    ("recent", "usual", "expected"),
    [
        (Count(1000, 0, 60), Count(10_000, 0, 100), True),
        (Count(1000, 0, 30), Count(10_000, 0, 100), False),
        (Count(1000, 0, 19), Count(10_000, 0, 10), False),
        (Count(1000, 0, 600), Count(499, 0, 0), False),
        (Count(1000, 0, 20), Count(500, 0, 0), True),
        (Count(100, 0, 20), Count(1000, 0, 50), True),
        (Count(0, 0, 0), Count(1000, 0, 50), False),
    ],
    ids=["six times", "just three times", "too few", "too little known", "out of nothing", "four times", "no traffic"],
)
def test_a_surge_is_more_than_so_many_times_the_usual_share(recent: Count, usual: Count, expected: bool) -> None:
    assert is_surge(recent, usual, 3.0) is expected


def test_a_steady_share_is_no_surge_however_much_there_is() -> None:
    backlog = [entry(minutes, read=5000, fraud=100) for minutes in range(15)]
    assert found(tally(*STEADY, *backlog)) == []


def test_a_leap_of_the_share_is_told_with_both_shares() -> None:
    attack = [entry(minutes, fraud=20) for minutes in range(10)]
    (problem,) = found(tally(*STEADY, *attack))
    assert problem.key == "surge:ingestion"
    assert problem.title == ("20 % of the transfers in ingestion are fraudulent, 2 % is usual (200 in the last 15 min)")


def test_each_stage_is_compared_with_itself() -> None:
    other = [entry(minutes, fraud=20, stage="validation") for minutes in range(120)]
    assert found(tally(*STEADY, *other)) == []


def test_a_surge_lasts_for_as_long_as_it_stays_but_no_longer_than_two_hours() -> None:
    """It is compared with what was usual before it, not with itself."""
    counts, surges, minutes = tally(*STEADY), {}, []
    for minute in range(200):
        now = T0 + 60 * minute
        counts = counts.after([entry(-minute, fraud=20)], {}, now=now)
        surges = surge.surges(counts, surges, factor=3.0, now=now)
        minutes += [minute] if surges else []
    assert minutes == list(range(minutes[0], minutes[0] + KEPT_S // 60))
    assert minutes[0] < 10


def test_a_surge_survives_the_cursor() -> None:
    memory = surge.Memory(tally=tally(*STEADY), surges={"lake": surge.Surge(T0, Count(5, 0, 1))})
    assert surge.Memory.of(msgspec.json.encode(memory).decode()) == memory
    assert surge.Memory.of("[broken") == surge.Memory()


def test_what_has_always_been_so_is_no_surge() -> None:
    lasting = [entry(minutes, fraud=20) for minutes in range(120)]
    assert found(tally(*lasting)) == []


def test_an_old_surge_is_over_though_nothing_came_since() -> None:
    attack = [entry(minutes, fraud=20) for minutes in range(10)]
    assert found(tally(*STEADY, *attack), now=T0 + 1800) == []


# The tally ------------------------------------------------------------------------------------------


def test_entries_are_counted_by_stage_and_piece() -> None:
    found = tally(entry(1, dead=3, fraud=2), entry(2, fraud=1), entry(1, stage="lake"), entry(30))
    assert found.between("ingestion", T0 - PIECE_S, T0) == Count(200, 3, 3)
    assert found.between("ingestion", T0 - 3600, T0 + 1) == Count(300, 3, 3)
    assert found.stages() == ["ingestion", "lake"]


def test_a_tally_goes_on_where_it_was() -> None:
    once = tally(entry(1), entry(2), entry(40))
    twice = tally(entry(40)).after([entry(2), entry(1)], {0: 5}, now=T0)
    assert twice.pieces == once.pieces
    assert twice.positions == {0: 5}


def test_a_tally_survives_the_cursor() -> None:
    found = Tally().after([entry(1, dead=3)], {0: 5, 3: 7}, now=T0)
    assert Tally.of(found.memory) == found


@pytest.mark.parametrize("memory", ["", "[broken", '{"pieces": 5}'])
def test_a_damaged_memory_begins_anew(memory: str) -> None:
    assert Tally.of(memory) == Tally()


def test_a_tally_stays_small() -> None:
    stages = ("ingestion", "projection", "validation", "lake", "documents")
    found = Tally()
    for hour in range(48):
        now = T0 + hour * 3600
        entries = [entry(-60 * hour + minutes, stage=stage) for minutes in range(0, 60, 5) for stage in stages]
        found = found.after(entries, {}, now=now)
    assert len(found.pieces) <= KEPT_S // PIECE_S + 2
    assert len(found.memory) < 6000
