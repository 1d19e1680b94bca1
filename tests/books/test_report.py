"""The page: what a person reads, and what a program gets."""

import io
import json

import msgspec
import pytest
from rich.console import Console

from fraud_platform.books.finding import STORES, Finding
from fraud_platform.books.report import Report, crossing_table, finding_lines, stage_table, store_table
from fraud_platform.commands.books import show
from fraud_platform.topology import Topic
from tests.books.fakes import whole_flow
from tests.books.reports import report_of, stores_of


def printed(report: Report, *, as_json: bool = False) -> str:
    console = Console(file=io.StringIO(), width=120)
    show(report, console, as_json=as_json)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_a_stage_s_line_accounts_for_all_that_it_read() -> None:
    _, rows = stage_table(report_of())
    assert rows[0] == ("ingestion", "10", "9", "0", "1", "10", "0")
    assert rows[2] == ("validation", "6", "1", "5", "0", "6", "0")


def test_what_crossed_between_stages_is_one_row_per_reader() -> None:
    _, rows = crossing_table(report_of())
    assert ("users", "8", "documents", "8", "0", "ok") in rows
    assert ("dead-letters", "1", "the topic", "1", "0", "ok") in rows


def test_stores_say_how_they_were_compared() -> None:
    _, rows = store_table(report_of(stores=stores_of()))
    assert rows == [("s3/results", "10", "by id", "0"), ("mongodb/transactions", "10", "by id", "0")]


def test_balanced_books_fit_on_a_page() -> None:
    page = printed(report_of(stores=stores_of()))
    assert page.startswith("The books balance.\nLedger up to 2026-01-01 00:00:00 UTC, since its beginning; 5 entries")
    assert len(page.splitlines()) < 40
    assert max(map(len, page.splitlines())) <= 120


def test_what_is_off_is_listed_with_what_to_do() -> None:
    page = printed(report_of(stores=stores_of(lost=True)))
    assert page.startswith("The books do not balance: 1 finding.")
    assert "s3/results t-0: missing (0/0 in dt=2026-01-01/hr=00)" in page
    assert "docs/books.md" in page


def test_of_many_findings_the_page_shows_some() -> None:
    found = [Finding(STORES, "s3/users", what="missing", id=f"u-{n}") for n in range(50)]
    lines = list(finding_lines(found))
    assert len(lines) == 22
    assert lines[-1] == "  and 30 more; --json lists them"


def test_what_could_not_be_looked_at_is_no_balance() -> None:
    report = report_of(unknown={"s3/users": "S3 does not answer (ConnectTimeoutError)."})
    assert not report.balances
    assert printed(report).startswith("The books could not be looked at as a whole.")
    assert "Not known of s3/users: S3 does not answer" in printed(report)


def test_an_empty_platform_balances() -> None:
    report = Report(None, False, 0, (), (), (), (), {})
    assert report.balances
    assert report.opening() == "The ledger has no entry yet."
    assert printed(report) == "The books balance.\n"


def test_json_holds_every_finding_once() -> None:
    found = json.loads(printed(report_of(stores=stores_of(lost=True)), as_json=True))
    assert found["balances"] is False
    assert [each["id"] for each in found["findings"]] == ["t-0"]
    assert found["stages"][0] == {
        "stage": "ingestion", "read": 10, "accepted": 9, "discarded": 0, "dead": 1, "day": 10, "lag": 0
    }  # fmt: skip
    assert "findings" not in found["stores"][0]


def test_a_flow_that_is_off_says_so_in_its_row() -> None:
    flow = whole_flow()
    flow.send(Topic.RESULT, 1)
    _, rows = crossing_table(report_of(flow))
    assert ("fraudulent-transactions-result", "4", "lake", "4", "1", "off") in rows


@pytest.mark.parametrize(
    ("finding", "sentence"),
    [
        (Finding(STORES, "s3/users", what="altered", id="u-1", field="job"), "s3/users u-1: altered, field job"),
        (Finding("c", "users/0", what="stands", stage="lake"), "lake: users/0: stands"),
    ],
)  # fmt: skip
def test_a_finding_is_a_line(finding: Finding, sentence: str) -> None:
    assert finding.sentence() == sentence
    assert msgspec.convert(msgspec.to_builtins(finding), Finding) == finding
