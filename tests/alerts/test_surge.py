"""A surge is much more fraud than usual, and more than chance."""

from datetime import UTC, datetime

import pytest

from fraud_platform.alerts import surge
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
    assert surge.judge(tally(*STEADY, *backlog), factor=3.0, now=T0) == []


def test_a_leap_of_the_share_is_told_with_both_shares() -> None:
    attack = [entry(minutes, fraud=20) for minutes in range(10)]
    (problem,) = surge.judge(tally(*STEADY, *attack), factor=3.0, now=T0)
    assert problem.key == "surge:ingestion"
    assert problem.title == ("20 % of the transfers in ingestion are fraudulent, 2 % is usual (200 in the last 15 min)")


def test_each_stage_is_compared_with_itself() -> None:
    other = [entry(minutes, fraud=20, stage="validation") for minutes in range(120)]
    assert surge.judge(tally(*STEADY, *other), factor=3.0, now=T0) == []


def test_a_surge_that_stays_becomes_the_usual() -> None:
    lasting = [entry(minutes, fraud=20) for minutes in range(120)]
    assert surge.judge(tally(*lasting), factor=3.0, now=T0) == []


def test_an_old_surge_is_over_though_nothing_came_since() -> None:
    attack = [entry(minutes, fraud=20) for minutes in range(10)]
    assert surge.judge(tally(*STEADY, *attack), factor=3.0, now=T0 + 1800) == []


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
