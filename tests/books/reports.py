"""Reports over the fakes, as the real ones are made."""

from fraud_platform.books.book import Book, stages_in_order
from fraud_platform.books.conserve import Conservation
from fraud_platform.books.page import Totals
from fraud_platform.books.reconcile import Reconciled, Reconciliation
from fraud_platform.books.report import Report, StageLine
from fraud_platform.topology import STAGES
from tests.books.fakes import FakeFlow, FakeStore, whole_flow
from tests.books.stores import FakeDocuments, FakeLake, FakeTopic, row


def stores_of(*, lost: bool = False) -> tuple[Reconciled, Reconciled]:
    rows = [row(n) for n in range(10)]
    topic = FakeTopic(rows)
    found = Reconciliation(topic, topic.cut(), FakeLake(rows[1:] if lost else rows), FakeDocuments(rows))
    return found.lake(), found.documents()


def report_of(
    flow: FakeFlow | None = None, *, stores: tuple[Reconciled, ...] = (), unknown: dict[str, str] | None = None
) -> Report:
    flow = flow or whole_flow()
    found = Conservation(Book(flow, FakeStore()), flow).check()
    totals = found.look.stages()
    lines = tuple(
        StageLine.of(
            name, totals.get(name, Totals()), day=totals.get(name, Totals()).read,
            lag=sum(found.lag[name, topic.value] for topic in STAGES[name].reads),
        )
        for name in stages_in_order()
    )  # fmt: skip
    off = (*found.findings, *(finding for each in stores for finding in each.findings))
    return Report(found.look.newest, found.look.is_whole, found.new, lines, found.crossings, stores, off, unknown or {})
