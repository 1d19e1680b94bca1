"""Whatever happens: chunks, crashes and repeats change no sum; and both ways to compare find the same damage."""

import copy

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from fraud_platform.books.page import Leaf, Line, Page
from fraud_platform.books.reconcile import Reconciliation
from fraud_platform.books.rows import Row
from fraud_platform.books.tally import Tally
from fraud_platform.core import ledger
from fraud_platform.core.ledger import Entry
from fraud_platform.topology import Topic
from tests.books.entries import entry, lines
from tests.books.stores import HOUR, NEXT, FakeDocuments, FakeLake, FakeTopic

RANGES = st.tuples(
    st.sampled_from(["projection", "lake", "documents"]), st.integers(0, 2), st.integers(0, 20), st.integers(0, 9),
    st.integers(0, 200),
)  # fmt: skip


@st.composite
def ledgers(draw: st.DrawFn) -> list[Line]:
    """Entries whose ranges follow each other mostly."""
    ends: dict[tuple[str, int], int] = {}
    found: list[Entry] = []
    for stage, partition, jump, length, minutes in draw(st.lists(RANGES, max_size=30)):
        start = ends.get((stage, partition), 0) if jump > 3 else jump
        topic = Topic.FRAUDULENT if stage == "projection" else Topic.RESULT
        found.append(entry(stage, topic, start=start, end=start + length, partition=partition, minutes=minutes))
        ends[stage, partition] = start + length
    return lines(*found)


Shelf = dict[str, Leaf]


def keep(shelf: Shelf, leaves: list[Leaf]) -> None:
    for leaf in leaves:
        if leaf.hour not in shelf or leaf.upto > shelf[leaf.hour].upto:
            shelf[leaf.hour] = copy.deepcopy(leaf)


def counted(found: list[Line], cuts: list[int], crashes: set[int]) -> tuple[Page, Shelf]:
    """Count in chunks; after the chunks in `crashes` the page is not stored, only its leaves are."""
    shelf: Shelf = {}
    page = Page(0, 0, 0)
    edges = sorted({0, len(found), *(cut % (len(found) + 1) for cut in cuts)})
    at = 0
    while at < len(edges) - 1:
        tally = Tally(copy.deepcopy(page), lambda hour: copy.deepcopy(shelf.get(hour)))
        tally.add([line for line in found if line.offset < (found[edges[at + 1] - 1].offset + 1)])
        after, leaves = tally.finish()
        keep(shelf, leaves)
        if at in crashes:
            crashes = crashes - {at}
            continue
        page, at = copy.deepcopy(after), at + 1
    return page, shelf


@given(ledgers(), st.lists(st.integers(0, 30), max_size=5), st.sets(st.integers(0, 4)))
@settings(max_examples=50)
def test_chunks_and_crashes_change_no_sum(found: list[Line], cuts: list[int], crashes: set[int]) -> None:
    page, shelf = counted(found, cuts, set(crashes))
    whole, leaves = counted(found, [], set())
    assert page.stages == whole.stages
    assert page.chains == whole.chains
    assert sorted(page.faulty) == sorted(whole.faulty)
    assert {hour: (leaf.stages, leaf.faults) for hour, leaf in shelf.items()} == {
        hour: (leaf.stages, leaf.faults) for hour, leaf in leaves.items()
    }


@given(ledgers())
@settings(max_examples=50)
def test_hours_add_up_to_the_page_and_the_page_to_the_entries(found: list[Line]) -> None:
    page, shelf = counted(found, [], set())
    entries = [line.entry for line in found if line.entry]
    assert sum(totals.read for totals in page.stages.values()) == ledger.records_read(entries)
    assert sum(t.read for leaf in shelf.values() for t in leaf.stages.values()) == ledger.records_read(entries)
    written = {topic: sum(t.written.get(topic.value, 0) for t in page.stages.values()) for topic in Topic}
    assert {topic: n for topic, n in written.items() if n} == +ledger.written(entries)


@given(ledgers())
@settings(max_examples=50)
def test_there_are_faults_exactly_when_the_plain_sums_find_some(found: list[Line]) -> None:
    _, shelf = counted(found, [], set())
    plain = ledger.faults(line.entry for line in found if line.entry)
    assert bool([fault for leaf in shelf.values() for fault in leaf.faults]) == bool(plain)


ROWS = st.lists(st.tuples(st.integers(0, 25), st.integers(0, 3), st.booleans()), min_size=1, max_size=40)


@given(ROWS, st.data())
@settings(max_examples=50)
def test_both_ways_to_compare_name_the_same_rows(made: list[tuple[int, int, bool]], data: st.DataObject) -> None:
    rows = [
        Row(f"t-{number}", partition, offset, NEXT if late else HOUR, {"n": number, "v": offset})
        for offset, (number, partition, late) in enumerate(made)
    ]
    lake, documents = FakeLake(rows), FakeDocuments(rows)
    lost = data.draw(st.sets(st.integers(0, len(rows) - 1), max_size=3))
    changed = data.draw(st.sets(st.integers(0, len(documents.all) - 1), max_size=3))
    expected = {("lake", rows[at].id) for at in lost} | {("documents", documents.all[at].id) for at in changed}
    lake.all = [each for at, each in enumerate(lake.all) if at not in lost]
    for at in changed:
        documents.all[at] = msgspec.structs.replace(documents.all[at], fields={"n": -1})
    for limit in (1000, 3):
        topic = FakeTopic(rows)
        found = Reconciliation(topic, topic.cut(), lake, documents, full_at_most=limit)
        named = {("lake", finding.id) for finding in found.lake().findings if finding.id}
        named |= {("documents", finding.id) for finding in found.documents().findings}
        assert named == expected
