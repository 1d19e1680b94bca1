"""Look at the books of the platform that the settings name, as far as its services answer."""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Never

from fraud_platform.adapters.avro import AvroReader
from fraud_platform.adapters.lake_reader import S3LakeReader
from fraud_platform.adapters.mongo_books import MongoBooks
from fraud_platform.adapters.registry import SchemaRegistry
from fraud_platform.adapters.topic_identity import ids_of
from fraud_platform.books.book import Book, newest_hours, stages_in_order
from fraud_platform.books.conserve import Conservation, Conserved
from fraud_platform.books.finding import Finding
from fraud_platform.books.kafka_flow import KafkaFlow
from fraud_platform.books.page import Totals, sums
from fraud_platform.books.reconcile import FULL_AT_MOST, Reconciled, Reconciliation
from fraud_platform.books.refused import Position, remembered
from fraud_platform.books.report import HourLine, Report, StageLine
from fraud_platform.books.rows import Row
from fraud_platform.books.stored import KafkaRows, MongoRows, SqlRows
from fraud_platform.books.stores import Cut, LakeRows
from fraud_platform.books.unreadable import unreadable
from fraud_platform.catalog.access import catalog_of, engine_of, uses_athena
from fraud_platform.catalog.refresh import refresh
from fraud_platform.catalog.tables import TABLES
from fraud_platform.core.partitioning import topic_prefix
from fraud_platform.documents.collections import COLLECTIONS
from fraud_platform.errors import ConfigurationError, FraudPlatformError, StoreUnavailable
from fraud_platform.settings import Settings
from fraud_platform.topology import STAGES, Topic

PAUSE_S = 2.0
"""Between two looks at a difference: longer than the markers of a commit take."""
LEDGER = "ledger"
"""What `unknown` calls the part of the books that comes from the ledger."""


def examine(
    settings: Settings, *, ledger: bool = True, topics: Collection[Topic] = tuple(COLLECTIONS), rebuild: bool = False,
    settle: bool = False, full_at_most: int = FULL_AT_MOST, pause: Callable[[], None] = lambda: time.sleep(PAUSE_S),
) -> Report:  # fmt: skip
    """Check the ledger and compare the stores of these result topics.

    A service that does not answer makes its part unknown. `rebuild` forgets the sealed sums and what the books
    were opened with, and reads the ledger from its beginning; `settle` takes what is off in the ledger and between
    stages as known.
    """
    unknown: dict[str, str] = {}
    conserved: Conserved | None = None
    hours: list[HourLine] = []
    reader = AvroReader(SchemaRegistry(settings))
    if ledger:
        try:
            conserved, hours = _conserved(settings, reader, rebuild=rebuild, settle=settle, pause=pause)
        except FraudPlatformError as error:
            unknown[LEDGER] = str(error)
    stores = list(_reconciled(settings, reader, topics, unknown, full_at_most)) if topics else []
    return _report(conserved, hours, stores, unknown)


def _conserved(
    settings: Settings, reader: AvroReader, *, rebuild: bool, settle: bool, pause: Callable[[], None]
) -> tuple[Conserved, list[HourLine]]:
    flow = KafkaFlow(settings, reader)
    with _store(settings) as store:
        book = Book(flow, store)
        if rebuild:
            store.clear(book.note(""))
        conservation = Conservation(book, flow, pause=pause)
        found = conservation.check()
        if settle:
            conservation.settle(found)
            found = conservation.check()
        names = newest_hours(found.look.newest, 24) if found.look.newest else []
        hours = book.hours(found.look, names)
    return found, [HourLine.of(name, leaves) for name, leaves in hours.items() if leaves]


@contextmanager
def _store(settings: Settings) -> Iterator[MongoBooks]:
    store = MongoBooks(settings)
    try:
        yield store
    finally:
        store.close()


def _reconciled(
    settings: Settings, reader: AvroReader, topics: Collection[Topic], unknown: dict[str, str], full_at_most: int
) -> Iterator[Reconciled]:
    cuts: dict[Topic, tuple[KafkaRows, MongoRows, Cut]] = {}
    for topic in [each for each in COLLECTIONS if each in topics]:
        rows, documents = KafkaRows(settings, topic, reader, _memory(settings, topic)), MongoRows(settings, topic)
        try:
            cuts[topic] = (rows, documents, rows.cut())
        except FraudPlatformError as error:
            unknown[f"s3/{topic.value}"] = unknown[documents.name] = str(error)
    crawl_error: FraudPlatformError | None = None
    try:  # objects of an hour that no crawl has seen are none to SQL
        refresh(settings, [table for table in TABLES if table.topic in cuts])
    except FraudPlatformError as error:
        crawl_error = error
    for topic, (rows, documents, cut) in cuts.items():
        lake: LakeRows = _lake(settings, topic, crawl_error)
        found = Reconciliation(rows, cut, lake, documents, full_at_most=full_at_most)
        for name, look in ((lake.name, found.lake), (documents.name, found.documents)):
            try:
                yield look()
            except (StoreUnavailable, ConfigurationError) as error:
                unknown[name] = str(error)
                if name == lake.name and (damaged := _damaged(settings, topic, lake)):
                    yield Reconciled(name, cut.records, "not as a whole", 0, damaged)
            except FraudPlatformError as error:
                unknown[name] = str(error)


def _damaged(settings: Settings, topic: Topic, lake: LakeRows) -> tuple[Finding, ...]:
    try:
        prefix = topic_prefix(settings.naming.topic(topic))
        return tuple(unreadable(lake, S3LakeReader(settings), prefix)) if lake.hours() else ()
    except FraudPlatformError:  # then it is not an object that is off
        return ()


def _memory(settings: Settings, topic: Topic) -> Callable[[str, set[Position]], set[Position]]:
    """Remembers the sinks' dead letters of the topic, by Kafka's id of it: a topic made anew has other records."""

    def remember(stage: str, found: set[Position]) -> set[Position]:
        (topic_id,) = ids_of(settings, [topic], "the topic").values()
        try:
            with _store(settings) as store:
                return remembered(store, f"{topic_id}/refused/{stage}", found)
        except StoreUnavailable:  # the lake is compared without MongoDB too
            return found

    return remember


def _lake(settings: Settings, topic: Topic, crawl_error: FraudPlatformError | None) -> LakeRows:
    if crawl_error is not None:
        return _Away(topic, crawl_error)
    try:
        return SqlRows(topic, engine_of(settings), catalog_of(settings), scalar_only=uses_athena(settings))
    except FraudPlatformError as error:
        return _Away(topic, error)


class _Away(LakeRows):
    """A lake that cannot be asked; small collections are compared without it."""

    def __init__(self, topic: Topic, error: FraudPlatformError) -> None:
        self.name = f"s3/{topic.value}"
        self._error = error

    def _fail(self) -> Never:
        raise self._error

    def rows(self, hours: Collection[str] | None = None) -> Iterator[Row]:  # noqa: ARG002
        """See `LakeRows.rows`."""
        self._fail()

    def newest(self) -> Iterator[Row]:
        """See `LakeRows.newest`."""
        self._fail()

    def by_ids(self, ids: Sequence[str]) -> Iterator[Row]:  # noqa: ARG002
        """See `LakeRows.by_ids`."""
        self._fail()

    def hours(self) -> Collection[str]:
        """See `LakeRows.hours`."""
        return ()

    def copied(self, hours: Collection[str] | None = None) -> Iterator[Row]:  # noqa: ARG002
        """See `LakeRows.copied`."""
        self._fail()

    def copied_by_ids(self, ids: Sequence[str]) -> Iterator[Row]:  # noqa: ARG002
        """See `LakeRows.copied_by_ids`."""
        self._fail()


def _report(
    conserved: Conserved | None, hours: Sequence[HourLine], stores: Sequence[Reconciled], unknown: dict[str, str]
) -> Report:
    findings: list[Finding] = [finding for each in stores for finding in each.findings]
    if conserved is None:
        return Report(None, False, 0, (), (), tuple(stores), tuple(findings), unknown)
    totals, day = conserved.look.stages(), sums(each.stages for each in hours)
    lines = tuple(
        StageLine.of(
            name, totals.get(name, Totals()), day=day.get(name, Totals()).read,
            lag=sum(conserved.lag[name, topic.value] for topic in STAGES[name].reads),
        )
        for name in stages_in_order()
    )  # fmt: skip
    return Report(
        conserved.look.newest, conserved.look.is_whole, conserved.new, lines, conserved.crossings, tuple(stores),
        (*conserved.findings, *findings), unknown, tuple(hours),
    )  # fmt: skip
