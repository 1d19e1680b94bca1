"""The two balance equations, and the sums behind reports."""

from datetime import UTC, datetime

from fraud_platform.core import ledger
from fraud_platform.core.ledger import Entry, InputRange
from fraud_platform.topology import Topic

AT = datetime(2026, 1, 1, tzinfo=UTC)


def entry(start: int, end: int, count: int, outcomes: dict[str, int], *, stage: str = "validation") -> Entry:
    inputs = (InputRange("unidentified-transactions", 0, start, end, count),)
    return Entry(stage, "0", "run", "1.0", AT, inputs, outcomes)


def test_balanced_contiguous_entries_have_no_fault() -> None:
    entries = [entry(0, 3, 2, {"discarded.legitimate": 2}), entry(3, 4, 1, {"accepted.fraudulent": 1})]
    assert ledger.faults(entries) == []


def test_a_record_without_an_outcome_is_named() -> None:
    assert ledger.faults([entry(0, 3, 3, {"discarded.legitimate": 2})]) == [
        "validation: 3 records read, 2 accounted for"
    ]


def test_a_gap_between_two_ranges_is_named() -> None:
    entries = [entry(0, 3, 3, {"discarded.legitimate": 3}), entry(4, 5, 1, {"discarded.legitimate": 1})]
    assert ledger.faults(entries) == ["validation: unidentified-transactions/0 goes on at 4 after 3"]


def test_an_overlap_between_two_ranges_is_named() -> None:
    entries = [entry(0, 3, 3, {"discarded.legitimate": 3}), entry(2, 5, 3, {"discarded.legitimate": 3})]
    assert ledger.faults(entries) == ["validation: unidentified-transactions/0 goes on at 2 after 3"]


def test_written_records_follow_from_the_outcomes() -> None:
    entries = [entry(0, 3, 3, {"accepted.fraudulent": 2, "discarded.legitimate": 1})]
    assert ledger.written(entries) == {Topic.RESULT: 2, Topic.USERS: 4, Topic.DECISIONS: 3}


def test_an_outcome_with_a_detail_counts_as_its_kind() -> None:
    entries = [entry(0, 2, 2, {"discarded.evaluation:FRAUD": 1, "accepted.fraudulent": 1}, stage="ingestion")]
    assert ledger.written(entries) == {Topic.FRAUDULENT: 1}


def test_an_entry_survives_the_way_through_avro() -> None:
    before = entry(0, 3, 3, {"discarded.legitimate": 3})
    assert Entry.from_avro(before.to_avro()) == before
