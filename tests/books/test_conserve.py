"""The equations between stages, at rest and while the flow goes on; and what a look costs."""

from collections.abc import Callable

import msgspec

from fraud_platform.books.balance import DELIVERY, Span
from fraud_platform.books.finding import FLOW, OFFSETS, OUTCOMES, RANGES
from fraud_platform.core.ledger import InputRange
from fraud_platform.topology import Topic
from tests.books.fakes import FakeFlow, FakeStore, monitored_flow, whole_flow
from tests.books.looks import check, said


def test_a_flow_at_rest_balances() -> None:
    found = check(whole_flow())
    assert said(found) == []
    assert all(each.difference == Span(0, 0) for each in found.crossings)


def test_every_topic_is_compared_with_each_of_its_readers() -> None:
    found = {(each.topic, each.reader): each.written.low for each in check(whole_flow()).crossings}
    assert found == {
        (Topic.FRAUDULENT, "projection"): 3,
        (Topic.UNIDENTIFIED, "validation"): 6,
        (Topic.RESULT, "lake"): 4,
        (Topic.RESULT, "documents"): 4,
        (Topic.USERS, "lake"): 8,
        (Topic.USERS, "documents"): 8,
        (Topic.MONITORED, "lake"): 0,
        (Topic.MONITORED, "documents"): 0,
        (Topic.DECISIONS, "lake"): 6,
        (Topic.DECISIONS, "documents"): 6,
        (Topic.DEAD_LETTERS, DELIVERY): 1,
    }


def test_what_comes_from_outside_or_stays_within_a_stage_is_no_equation() -> None:
    """Nobody knows how many lines were sent, though monitoring sends some again; its state has no other reader."""
    flow = monitored_flow()
    flow.send(Topic.STATEMENTS, 7)
    flow.send(Topic.MONITORING_STATE, 3)
    found = check(flow)
    assert said(found) == []
    assert found.lag["monitoring", Topic.STATEMENTS] == 7
    assert not {Topic.STATEMENTS, Topic.MONITORING_STATE} & {each.topic for each in found.crossings}


def test_what_monitoring_writes_is_compared_with_what_the_sinks_read() -> None:
    flow = monitored_flow()
    found = {(each.topic, each.reader): each.written.low for each in check(flow).crossings}
    assert (found[Topic.MONITORED, "lake"], found[Topic.DECISIONS, "documents"]) == (3, 10)
    del flow.topics[Topic.MONITORED][0]
    flow.send(Topic.DECISIONS, 1)
    off = said(check(flow))
    assert [name for name, _ in off] == [FLOW] * len(off)
    assert any("decisions: 1 too many: 10 written by validation and monitoring" in sentence for _, sentence in off)


def test_what_waits_for_its_reader_is_counted_without_markers() -> None:
    flow = whole_flow()
    flow.send(Topic.BANK_TRANSACTIONS, 4)
    flow.run("ingestion")
    found = check(flow)
    assert said(found) == []
    (crossing,) = [each for each in found.crossings if each.topic is Topic.FRAUDULENT]
    assert (crossing.written, crossing.read, crossing.waiting) == (Span(7, 7), 3, Span(4, 4))
    assert found.lag["projection", Topic.FRAUDULENT] == 5


def test_a_long_queue_is_bounded_by_its_offsets_and_not_read() -> None:
    flow = whole_flow()
    flow.send(Topic.BANK_TRANSACTIONS, 400)
    flow.run("ingestion")
    before = flow.counted
    found = check(flow, counted=100)
    assert said(found) == []
    assert flow.counted - before == 1, "the dead letter alone"
    (crossing,) = [each for each in found.crossings if each.topic is Topic.FRAUDULENT]
    assert crossing.waiting == Span(0, 401)


def test_a_record_that_vanished_on_its_way_is_named_with_topic_and_reader() -> None:
    flow = whole_flow()
    flow.send(Topic.BANK_TRANSACTIONS, 4)
    flow.run("ingestion")
    del flow.topics[Topic.FRAUDULENT][-2]
    flow.run("projection")
    ((name, sentence),) = said(check(flow))
    assert name == FLOW
    assert sentence == (
        "projection: fraudulent-transactions: 1 missing: 7 written by ingestion, 6 read by projection, 0 waiting for it"
    )


def test_a_stranger_s_record_is_too_many() -> None:
    flow = whole_flow()
    flow.send(Topic.RESULT, 2)
    assert [each for each, _ in said(check(flow))] == [FLOW, FLOW]
    assert "2 too many: 4 written by projection and validation, 4 read by lake, 2 waiting" in said(check(flow))[0][1]


def test_a_dead_letter_that_nobody_wrote_is_too_many() -> None:
    flow = whole_flow()
    flow.send(Topic.DEAD_LETTERS, 1)
    ((name, sentence),) = said(check(flow))
    assert name == FLOW
    assert sentence.startswith("dead-letters: 1 too many: 1 written by ingestion and projection")


def test_a_removed_ledger_entry_is_named_by_its_range_and_by_what_it_wrote() -> None:
    flow = whole_flow()
    for _ in range(2):
        flow.send(Topic.BANK_TRANSACTIONS, 4)
        flow.run("ingestion")
    ingestion = flow.lines[1]
    at = next(n for n, each in enumerate(ingestion) if each and each.inputs[0].start == 10)
    ingestion[at] = None
    found = said(check(flow))
    assert (RANGES, "ledger: ingestion: bank-transactions/0 [10, 14) is in no ledger entry (ledger/1 at 6)") in found
    assert [name for name, _ in found] == [RANGES, FLOW]
    assert "4 too many: 7 written by ingestion" in found[1][1]


def test_a_removed_last_entry_shows_at_the_group_s_offset() -> None:
    flow = whole_flow()
    del flow.lines[len("documents") % 2][-2:]
    found = said(check(flow))
    assert (
        OFFSETS,
        "documents: decisions/0: the group stands at 7, the ledger ends at 0",
    ) in found


def test_offsets_that_somebody_moved_are_named() -> None:
    flow = whole_flow()
    flow.offsets["projection"][Topic.FRAUDULENT, 0] = 2
    assert said(check(flow)) == [
        (OFFSETS, "projection: fraudulent-transactions/0: the group stands at 2, the ledger ends at 4")
    ]
    del flow.offsets["projection"]
    assert said(check(flow)) == [
        (OFFSETS, "projection: fraudulent-transactions/0: the group has no offset, the ledger ends at 4")
    ]


def test_an_entry_that_does_not_add_up_is_named() -> None:
    flow = whole_flow()
    last = flow.lines[0][-2]
    inputs = (InputRange(Topic.FRAUDULENT, 0, 4, 4, 0),)
    flow.enter(msgspec.structs.replace(last, stage="projection", inputs=inputs, outcomes={"accepted.projected": 1}))
    assert said(check(flow))[0] == (
        OUTCOMES, "ledger: projection: 0 records read, 1 accounted for (ledger/0 at 6)"
    )  # fmt: skip


def test_faults_stay_until_the_ledger_is_past_them() -> None:
    flow, store = whole_flow(), FakeStore()
    flow.enter(msgspec.structs.replace(flow.lines[0][0], inputs=(InputRange(Topic.FRAUDULENT, 0, 90, 90, 0),),
                                       stage="projection", outcomes={}))  # fmt: skip
    flow.offsets["projection"][Topic.FRAUDULENT, 0] = 90
    assert [name for name, _ in said(check(flow, store))] == [RANGES]
    assert [name for name, _ in said(check(flow, store))] == [RANGES]
    flow.minutes = 31 * 24 * 60
    flow.enter(msgspec.structs.replace(flow.lines[0][0], stage="projection", committed_at=flow.now, outcomes={},
                                       inputs=(InputRange(Topic.FRAUDULENT, 0, 90, 90, 0),)))  # fmt: skip
    assert said(check(flow, store)) == []


class Busy(FakeFlow):
    """Goes on while it is looked at: something happens at each question for offsets."""

    def __init__(self, happens: Callable[["Busy"], None]) -> None:
        super().__init__()
        self.__dict__.update(whole_flow().__dict__)
        self._happens = happens

    def committed(self, stage: object) -> dict:
        self._happens(self)
        return super().committed(stage)


def test_a_flow_that_goes_on_balances_within_what_it_wrote_meanwhile() -> None:
    def happens(flow: Busy) -> None:
        flow.send(Topic.BANK_TRANSACTIONS, 3)
        for stage in ("ingestion", "projection", "lake"):
            flow.run(stage)

    found = check(Busy(happens))
    assert said(found) == []
    (crossing,) = [c for c in found.crossings if (c.topic, c.reader) == (Topic.RESULT, "lake")]
    assert crossing.written == Span(4, 22)
    assert crossing.read + (crossing.waiting.low or 0) == 22


def test_a_difference_that_goes_away_is_not_believed() -> None:
    flow, paused = whole_flow(), []
    flow.send(Topic.RESULT, 1)

    def pause() -> None:
        paused.append(1)
        del flow.topics[Topic.RESULT][-1]

    assert said(check(flow, pause=pause)) == []
    assert paused == [1]


def test_a_difference_that_stays_is_told_after_three_looks() -> None:
    flow, paused = whole_flow(), []
    flow.send(Topic.RESULT, 1)
    assert said(check(flow, pause=lambda: paused.append(1))) != []
    assert paused == [1, 1]


def test_behind_an_open_transaction_a_difference_is_not_believed_before_its_end() -> None:
    """A dead slot's transaction hides what other slots commit; it ends by itself."""
    flow, paused = whole_flow(), []
    hidden = flow.lines[1][-2:]
    del flow.lines[1][-2:]
    flow.open_for = 1

    def pause() -> None:
        paused.append(1)
        if len(paused) == 9:
            flow.lines[1] += hidden
            flow.open_for = 0

    assert said(check(flow, pause=pause)) == []
    assert len(paused) == 9


def test_a_transaction_that_never_ends_does_not_hold_up_the_books() -> None:
    flow, paused = whole_flow(), []
    flow.open_for = 1
    flow.send(Topic.RESULT, 1)
    assert said(check(flow, pause=lambda: paused.append(1))) != []
    assert len(paused) == 15


def test_a_look_asks_for_all_topics_and_all_notes_at_once() -> None:
    flow, store = whole_flow(), FakeStore()
    check(flow, store)
    flow.questions = store.questions = 0
    check(flow, store)
    assert (flow.questions, store.questions) == (3, 4)
