"""One look at the books of a flow, and what it says."""

from fraud_platform.books.book import Book
from fraud_platform.books.conserve import Conservation, Conserved
from tests.books.fakes import FakeFlow, FakeStore


def check(flow: FakeFlow, store: FakeStore | None = None, **options: object) -> Conserved:
    return Conservation(Book(flow, FakeStore() if store is None else store), flow, **options).check()


def said(found: Conserved) -> list[tuple[str, str]]:
    return [(each.check, each.sentence()) for each in found.findings]
