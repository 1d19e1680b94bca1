"""What the books keep from one look to the next: a lost store, late openings, and what a person has settled."""

import msgspec
import pytest

from fraud_platform.books.book import Book
from fraud_platform.books.conserve import Conservation, ledger_findings
from fraud_platform.books.finding import FLOW, RANGES
from fraud_platform.books.page import Leaf
from fraud_platform.core.ledger import InputRange
from fraud_platform.topology import Topic
from tests.books.fakes import FakeFlow, FakeStore, whole_flow
from tests.books.looks import check, said


def test_a_second_look_reads_only_what_is_new() -> None:
    flow, store = whole_flow(), FakeStore()
    assert check(flow, store).new == 5
    read = flow.read_lines
    assert check(flow, store).new == 0
    assert flow.read_lines == read
    flow.send(Topic.BANK_TRANSACTIONS, 1)
    flow.run("ingestion")
    assert check(flow, store).new == 1


def test_a_year_of_ledger_costs_a_look_no_more_than_a_day() -> None:
    def cost(days: int) -> int:
        flow, store = whole_flow(), FakeStore()
        for quarter in range(4 * days):
            flow.minutes = 360 * quarter
            flow.send(Topic.BANK_TRANSACTIONS, 1)
            flow.run("ingestion")
        check(flow, store)
        flow.send(Topic.BANK_TRANSACTIONS, 1)
        flow.run("ingestion")
        before = flow.read_lines, store.asked
        check(flow, store)
        assert flow.read_lines - before[0] == 1
        return store.asked - before[1]

    assert cost(1) == cost(365)


def test_a_lost_store_is_made_again_from_the_topic() -> None:
    flow, store = whole_flow(), FakeStore()
    first = check(flow, store)
    store.clear("ledger-1/")
    again = check(flow, store)
    assert again.look == msgspec.structs.replace(first.look)
    assert said(again) == []


def test_a_first_look_may_end_early_and_goes_on_where_it_was() -> None:
    flow, store = whole_flow(), FakeStore()
    ledger = flow.ledger

    def breaks(starts, ends):
        for number, line in enumerate(ledger(starts, ends)):
            if number == 2:
                raise ConnectionError
            yield line

    flow.ledger = breaks
    with pytest.raises(ConnectionError):
        Book(flow, store, checkpoint=1).look()
    flow.ledger = ledger
    flow.read_lines = 0
    look = Book(flow, store, checkpoint=1).look()
    assert flow.read_lines == 3
    assert look.stages() == Book(whole_flow(), FakeStore()).look().stages()


def test_a_topic_made_anew_opens_new_books() -> None:
    flow, store = whole_flow(), FakeStore()
    check(flow, store)
    again = whole_flow()
    again.name = "ledger-2"
    assert check(again, store).new == 5
    assert said(check(again, store)) == []


def lose_the_beginning(flow: FakeFlow) -> None:
    """Retention took the first entry of each ledger partition."""
    for number in flow.lines:
        flow.ledger_begins[number] = 2


def test_books_that_are_opened_late_hold_the_difference_of_their_opening() -> None:
    flow, store = whole_flow(), FakeStore()
    flow.send(Topic.BANK_TRANSACTIONS, 4)
    flow.run("ingestion")
    lose_the_beginning(flow)
    assert said(check(flow, store)) == []
    flow.send(Topic.RESULT, 1)
    found = said(check(flow, store))
    assert [name for name, _ in found] == [FLOW, FLOW]
    assert "1 too many" in found[0][1]


def test_a_ledger_that_lost_unread_entries_says_so() -> None:
    flow, store = whole_flow(), FakeStore()
    check(flow, store)
    flow.send(Topic.BANK_TRANSACTIONS, 4)
    flow.run("ingestion")
    flow.run("projection")
    flow.ledger_begins[1] = len(flow.lines[1])
    sentences = [sentence for name, sentence in said(check(flow, store)) if name == RANGES]
    assert any("were gone before they were read" in sentence for sentence in sentences)


def settled(flow: FakeFlow, store: FakeStore) -> None:
    conservation = Conservation(Book(flow, store), flow)
    conservation.settle(conservation.check())


def test_what_a_person_has_settled_is_known_and_anything_more_is_not() -> None:
    flow, store = whole_flow(), FakeStore()
    flow.send(Topic.RESULT, 2)
    settled(flow, store)
    assert said(check(flow, store)) == []
    flow.send(Topic.RESULT, 1)
    assert ["1 too many" in sentence for _, sentence in said(check(flow, store))] == [True, True]
    settled(flow, store)
    assert said(check(flow, store)) == []
    del flow.topics[Topic.RESULT][-1]
    assert ["1 missing" in sentence for _, sentence in said(check(flow, store))] == [True, True]


def test_settled_faults_of_the_ledger_are_told_no_more_but_later_ones_are() -> None:
    flow, store = whole_flow(), FakeStore()

    def jump(start: int) -> None:
        inputs = (InputRange(Topic.FRAUDULENT, 0, start, start, 0),)
        flow.enter(msgspec.structs.replace(flow.lines[0][0], stage="projection", inputs=inputs, outcomes={}))

    jump(90)
    settled(flow, store)
    assert said(check(flow, store)) == []
    jump(120)
    ((name, sentence),) = said(check(flow, store))
    assert name == RANGES
    assert "[90, 120)" in sentence


def test_settled_faults_that_are_only_counted_stay_settled_while_their_hour_goes_on() -> None:
    leaf = Leaf("2026-01-01T00:00:00+00:00", 0, upto=90, more_faults=3, last_fault=40)
    assert len(ledger_findings([leaf], {0: 40})) == 1
    assert ledger_findings([leaf], {0: 41}) == []


def test_notes_of_another_version_of_the_platform_count_as_none() -> None:
    flow, store = whole_flow(), FakeStore()
    check(flow, store)
    strange = {name: msgspec.structs.replace(note, content={"chains": 1, "allowed": 2})
               for name, note in store.notes.items() if "/counted/" in name or "/opening/" in name}  # fmt: skip
    assert strange
    store.notes |= strange
    assert said(check(flow, store)) == []


def test_settling_balanced_books_changes_nothing() -> None:
    flow, store = whole_flow(), FakeStore()
    settled(flow, store)
    flow.send(Topic.RESULT, 1)
    assert len(said(check(flow, store))) == 2
