from datetime import UTC, datetime, timedelta

from fraud_platform.commands.progress import measure
from fraud_platform.core.ledger import Entry, InputRange

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)


def entry(seconds_ago: float, count: int) -> Entry:
    return Entry(
        stage="ingestion",
        slot="0",
        run_id="",
        code_version="",
        committed_at=NOW - timedelta(seconds=seconds_ago),
        inputs=(InputRange("bank-transactions", 0, 0, count, count),),
        outcomes={"accepted.fraudulent": count},
    )


def test_the_rate_is_that_of_the_last_minute():
    found = measure([entry(90, 1000), entry(59, 60), entry(1, 60)], NOW, is_cut=False)
    assert found.rate == 2.0


def test_the_minute_is_open_on_the_left():
    """|<- 60 s ------------>| NOW: an entry exactly a minute old counts no more."""
    assert measure([entry(60, 600), entry(1, 60)], NOW, is_cut=True).rate == 1.0


def test_a_ledger_that_was_not_read_a_minute_back_gives_the_rate_of_what_was_read():
    assert measure([entry(10, 100), entry(0, 100)], NOW, is_cut=True).rate == 20.0


def test_a_stage_that_started_within_the_minute_is_measured_over_the_whole_minute():
    assert measure([entry(10, 60), entry(0, 60)], NOW, is_cut=False).rate == 2.0


def test_the_last_entry_may_lie_far_back():
    found = measure([entry(3600, 5)], NOW, is_cut=False)
    assert (found.rate, found.last_entry) == (0.0, NOW - timedelta(hours=1))
