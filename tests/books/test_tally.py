"""Sums of the ledger: what is a fault, and that counting twice counts once."""

import copy
from datetime import datetime, timedelta

import msgspec
import pytest

from fraud_platform.books.page import GONE, MAX_FAULTS, Leaf, Line, Page, sums
from fraud_platform.books.tally import Tally
from fraud_platform.core.ledger import Entry, InputRange
from tests.books.entries import START, entry, lines


class Shelf(dict[str, Leaf]):
    """Leaves as a store keeps them: copies, the newest wins."""

    def keep(self, tally: Tally) -> Page:
        page, leaves = tally.finish()
        for leaf in leaves:
            if leaf.hour not in self or leaf.upto > self[leaf.hour].upto:
                self[leaf.hour] = copy.deepcopy(leaf)
        return copy.deepcopy(page)

    def load(self, hour: str) -> Leaf | None:
        return copy.deepcopy(self.get(hour))


def counted(*found: Line, page: Page | None = None, shelf: Shelf | None = None) -> tuple[Page, Shelf]:
    shelf = Shelf() if shelf is None else shelf
    tally = Tally(copy.deepcopy(page) if page else Page(0, 0, 0), shelf.load)
    tally.add(found)
    return shelf.keep(tally), shelf


def faults(*entries: Entry) -> list[str]:
    _, shelf = counted(*lines(*entries))
    return [fault.sentence() for leaf in shelf.values() for fault in leaf.faults]


def test_entries_that_follow_each_other_have_no_fault() -> None:
    assert faults(entry(end=3, count=2), entry(start=3, end=4), entry("lake", start=9, end=9)) == []


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (
            [entry(end=3, accepted__projected=2)],
            ["projection: 3 records read, 2 accounted for (ledger/0 at 0)"],
        ),
        (
            [entry(end=3), entry(start=5, end=6)],
            ["projection: fraudulent-transactions/0 [3, 5) is in no ledger entry (ledger/0 at 2)"],
        ),
        (
            [entry(end=3), entry(start=3, end=9), entry(start=5, end=7)],
            ["projection: fraudulent-transactions/0 [5, 7) was read more than once (ledger/0 at 4)"],
        ),
        (
            [entry(end=3), entry(start=3, end=9), entry(start=8, end=12)],
            ["projection: fraudulent-transactions/0 [8, 9) was read more than once (ledger/0 at 4)"],
        ),
        (
            [entry(end=3), entry(start=3, end=4, count=9)],
            ["projection: fraudulent-transactions/0 [3, 4) cannot hold 9 records (ledger/0 at 2)"],
        ),
        (
            [entry("nobody", end=1)],
            ["nobody: the topology knows no such stage (ledger/0 at 0)"],
        ),
        (
            [entry(end=1, vanished__quietly=1)],
            ["projection: the topology knows no outcome vanished.quietly (ledger/0 at 0)"],
        ),
        (
            [entry(topic="strange", end=1)],
            ["projection: an input is no topic of ours (ledger/0 at 0)"],
        ),
    ],
)  # fmt: skip
def test_each_fault_is_named_with_stage_partition_and_offsets(entries: list[Entry], said: list[str]) -> None:
    assert faults(*entries) == said


def test_partitions_and_stages_have_chains_of_their_own() -> None:
    assert faults(entry(end=3), entry(partition=1, start=7, end=8), entry("lake", start=5, end=6)) == []


def test_a_record_that_nobody_can_read_is_a_fault() -> None:
    _, shelf = counted(Line(0, 0, START, None))
    assert [fault.sentence() for fault in shelf[START.isoformat()].faults] == [
        "a ledger record cannot be read (ledger/0 at 0)"
    ]


def test_a_stage_that_begins_again_is_told_once_and_summed_anew() -> None:
    page, shelf = counted(*lines(entry(end=3), entry(start=3, end=9), entry(end=4), entry(start=4, end=9)))
    assert [(c.start, c.end, c.count) for c in page.chains] == [(0, 9, 9)]
    (fault,) = shelf[START.isoformat()].faults
    assert (fault.kind, fault.start, fault.end) == ("overlap", 0, 9)


def test_written_records_follow_from_the_outcomes() -> None:
    page, _ = counted(*lines(entry(end=3, accepted__projected=2, **{"dead-lettered": 1})))
    assert page.stages["projection"].written == {"fraudulent-transactions-result": 2, "users": 4, "dead-letters": 1}
    assert page.stages["projection"].outcomes == {"accepted.projected": 2, "dead-lettered": 1}
    assert (page.stages["projection"].entries, page.stages["projection"].read) == (1, 3)


def test_lines_that_come_again_change_nothing() -> None:
    some = lines(entry(end=3), entry(start=3, end=5))
    page, shelf = counted(*some)
    again, shelf_again = counted(*some, page=page, shelf=Shelf(shelf))
    assert (again, shelf_again) == (page, shelf)


def test_a_page_that_was_not_stored_is_made_again_without_counting_its_leaves_twice() -> None:
    """Leaves are stored before their page; a crash in between leaves them ahead of it."""
    some = lines(entry(end=3), entry(start=5, end=6), entry(start=6, end=8, minutes=70))
    page, shelf = counted(*some)
    again, ahead = counted(*some, page=Page(0, 0, 0), shelf=Shelf(copy.deepcopy(dict(shelf))))
    assert again == page
    assert ahead == shelf


def test_of_two_readers_at_once_the_one_that_read_further_wins_whole() -> None:
    some = lines(entry(end=3), entry(start=3, end=5), entry(start=5, end=6))
    shelf = Shelf()
    slow, quick = (Tally(Page(0, 0, 0), shelf.load) for _ in range(2))
    slow.add(some[:2])
    quick.add(some)
    shelf.keep(quick)
    shelf.keep(slow)
    assert shelf[START.isoformat()].stages["projection"].read == 6


def test_an_hour_is_sealed_when_the_ledger_is_ten_minutes_past_it() -> None:
    page, shelf = counted(*lines(entry(end=1, minutes=59), entry(start=1, end=2, minutes=69)))
    assert not shelf[START.isoformat()].sealed
    page, shelf = counted(*lines(entry(start=2, end=3, minutes=70), at=4), page=page, shelf=shelf)
    assert shelf[START.isoformat()].sealed
    assert page.open == [(START + timedelta(hours=1)).isoformat()]


def test_a_late_entry_is_counted_in_its_hour_and_as_late() -> None:
    page, shelf = counted(*lines(entry(end=1), entry(start=1, end=2, minutes=120)))
    page, shelf = counted(*lines(entry(start=2, end=5, minutes=59), at=4), page=page, shelf=shelf)
    leaf = shelf[START.isoformat()]
    assert (leaf.sealed, leaf.late, leaf.stages["projection"].read) == (True, 1, 4)
    assert page.stages["projection"].read == 5


def test_a_clock_that_is_years_ahead_seals_nothing() -> None:
    wrong = entry(start=1, end=2, minutes=60 * 24 * 4000)
    page, shelf = counted(*lines(entry(end=1)), Line(0, 2, START + timedelta(minutes=1), wrong))
    assert page.newest == START + timedelta(minutes=61)
    assert not shelf[START.isoformat()].sealed


def test_ledger_records_that_were_gone_before_they_were_read_are_told() -> None:
    shelf = Shelf()
    page, _ = counted(*lines(entry(end=1)), shelf=shelf)
    page = shelf.keep(Tally(page, shelf.load, begin=40))
    assert page.upto == 40
    assert [f.sentence() for f in shelf[START.isoformat()].faults] == [
        "ledger records [1, 40) were gone before they were read (ledger/0 at 1)"
    ]


def test_lost_ledger_records_are_told_at_the_time_of_the_first_that_is_left() -> None:
    """The hours before may be so old that no fault of theirs counts."""
    shelf = Shelf()
    page, _ = counted(*lines(entry(end=1)), shelf=shelf)
    tally = Tally(page, shelf.load, begin=40)
    tally.add(lines(entry(start=1, end=2, minutes=40 * 1440), at=40))
    page = shelf.keep(tally)
    (hour,) = page.faulty
    assert datetime.fromisoformat(hour) == START + timedelta(days=40)
    assert [(f.kind, f.start, f.end) for f in shelf[hour].faults] == [(GONE, 1, 40)]
    assert page.upto == 41


def test_faults_are_counted_beyond_those_that_are_kept() -> None:
    _, shelf = counted(*lines(*(entry(start=10 * n, end=10 * n + 1) for n in range(MAX_FAULTS + 8))))
    leaf = shelf[START.isoformat()]
    assert (len(leaf.faults), leaf.more_faults, leaf.last_fault) == (MAX_FAULTS, 7, 2 * (MAX_FAULTS + 7))


def test_faults_count_for_as_long_as_the_ledger_can_show_them() -> None:
    page, shelf = counted(*lines(entry(end=1), entry(start=2, end=3)))
    assert page.faulty == [START.isoformat()]
    page, _ = counted(*lines(entry(start=3, end=4, minutes=31 * 1440), at=4), page=page, shelf=shelf)
    assert page.faulty == []


def test_pages_and_leaves_survive_their_store() -> None:
    page, shelf = counted(*lines(entry(end=3), entry(start=5, end=6)))
    assert msgspec.convert(msgspec.to_builtins(page), Page) == page
    (leaf,) = shelf.values()
    assert msgspec.convert(msgspec.to_builtins(leaf), Leaf) == leaf


def test_an_entry_may_hold_several_partitions() -> None:
    inputs = (InputRange("users", 0, 0, 3, 3), InputRange("decisions", 2, 4, 6, 1))
    page, _ = counted(Line(0, 0, START, Entry("lake", "0", "r", "1", START, inputs, {"stored": 4})))
    assert {chain.place: chain.count for chain in page.chains} == {
        ("lake", "users", 0): 3,
        ("lake", "decisions", 2): 1,
    }


def test_sums_add_up_pages_and_leave_them_alone() -> None:
    page, _ = counted(*lines(entry(end=3)))
    before = copy.deepcopy(page)
    assert sums([page.stages, page.stages])["projection"].written["users"] == 12
    assert page == before
