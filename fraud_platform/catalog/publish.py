"""The views over a landing table and its curated table, kept in step with both."""

from fraud_platform.catalog.columns import Column, grown
from fraud_platform.catalog.holdings import curated_hours
from fraud_platform.catalog.pending import pending_sql
from fraud_platform.catalog.store import Catalog
from fraud_platform.catalog.tables import PARQUET, LakeTable, TableEntry, View, view_columns, view_sql
from fraud_platform.core.outcome import Rejected
from fraud_platform.core.partitioning import CURATED_ROOT
from fraud_platform.errors import ConfigurationError

_ATTEMPTS = 3


def publish(catalog: Catalog, table: LakeTable, entry: TableEntry) -> None:
    """Make the curated table and the views what the landing table's columns ask for, in the order of their use.

    A landing table of foreign columns gets none.

    Raises:
        ConfigurationError: the curated table's columns cannot hold the landing table's.
        StoreUnavailable: the catalog does not answer.
    """
    if not has_positions(table, entry):
        return
    put_curated(catalog, table, entry, kinds={})
    publish_pending(catalog, table, entry)
    about = f"The newest row per {' and '.join(table.ids)} of {table.curated} and {table.pending}."
    _put_view(catalog, table.view, view_sql(table, entry.columns), view_columns(entry.columns), about)


def has_positions(table: LakeTable, entry: TableEntry) -> bool:
    """Whether the rows say which id they are of and where they lay in Kafka; other crawlers' tables may not."""
    return {*table.ids, "kafka_partition", "kafka_offset"} <= {column.name for column in entry.columns}


def put_curated(
    catalog: Catalog, table: LakeTable, landing: TableEntry, *, kinds: dict[str, tuple[Column, ...]]
) -> TableEntry:
    """Let the curated table hold the landing table's columns and files of these kinds; its entry.

    Its files carry the columns' own lower-case names.

    Raises: as `publish`.
    """
    known = catalog.table(table.curated)
    columns: tuple[Column, ...] = ()
    for more in (landing.columns, known.columns if known else (), *kinds.values()):
        wider = grown(columns, [Column(column.name, column.name, column.type) for column in more])
        if isinstance(wider, Rejected):
            raise ConfigurationError(
                f"The Glue table {table.curated} cannot be kept: {wider.reason}; drop it, and the next compaction"
                " makes it again."
            )
        columns = wider
    schemas = {**(known.schemas if known else {}), **kinds}
    entry = TableEntry(curated_location(landing.location), columns, schemas, "", PARQUET)
    if entry != known:
        about = f"The rows of {table.name} of closed hours, in columns; the view {table.view} reads them."
        catalog.put_table(table.curated, entry, about=about)
    return entry


def publish_pending(catalog: Catalog, table: LakeTable, entry: TableEntry) -> None:
    """Write the view of the rows that no curated file holds.

    Two at once agree in the end: whoever writes looks afterwards whether the hours are still those that it has seen.

    Raises:
        StoreUnavailable: the catalog does not answer, or changes again and again.
    """
    about = f"The rows of {table.name} that no file of {table.curated} holds."
    seen = _pending(catalog, table, entry)
    for _ in range(_ATTEMPTS):
        if not _put_view(catalog, table.pending, seen, view_columns(entry.columns), about):
            return
        written, seen = seen, _pending(catalog, table, entry)
        if seen == written:
            return


def curated_location(landing: str) -> str:
    """Where the curated files of a landing table's topic lie: beside the lake's root, in the same bucket."""
    root, _, topic = landing.rstrip("/").rpartition("/")
    return f"{root.rpartition('/')[0]}/{CURATED_ROOT}/{topic}/"


def _pending(catalog: Catalog, table: LakeTable, entry: TableEntry) -> str:
    curated = curated_hours(catalog.partitions(table.curated))
    location = entry.location.rstrip("/") + "/"
    landing = catalog.hours(table.name)
    return pending_sql(table, entry.columns, location=location, landing=landing, curated=curated)


def _put_view(catalog: Catalog, name: str, sql: str, columns: tuple[Column, ...], about: str) -> bool:
    """Whether it had to be written."""
    if catalog.view(name) == View.of(sql, columns):
        return False
    catalog.put_view(name, sql, columns, about=about)
    return True
