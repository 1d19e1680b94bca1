"""One refresh of the catalog: by our own crawler, or by an AWS crawler of the user's."""

from collections.abc import Callable, Sequence

from fraud_platform.catalog.access import catalog_of, crawler_of
from fraud_platform.catalog.crawl import Found, publish_view
from fraud_platform.catalog.store import Catalog
from fraud_platform.catalog.tables import TABLES, LakeTable
from fraud_platform.settings import Settings

Stop = Callable[[], bool]


def refresh(
    settings: Settings, tables: Sequence[LakeTable] = TABLES, *, full: bool = False, stop: Stop = lambda: False
) -> list[Found]:
    """Bring the tables up to date and say what they hold now; tables without an object are left out.

    Raises:
        StoreUnavailable: the lake, the catalog or the crawler does not answer.
        ConfigurationError: one of them refuses us, or no catalog is known.
    """
    if settings.glue_crawler:
        return _by_aws(settings, settings.glue_crawler, tables, stop)
    crawler = crawler_of(settings)
    found = (crawler.crawl(table, full=full, stop=stop) for table in tables)
    return [each for each in found if each is not None]


def _by_aws(settings: Settings, name: str, tables: Sequence[LakeTable], stop: Stop) -> list[Found]:
    from fraud_platform.adapters.glue_crawler import run_crawler

    catalog = catalog_of(settings)
    hours = {table.name: len(catalog.hours(table.name)) for table in tables if catalog.table(table.name)}
    if not run_crawler(settings, name, stop=stop):
        return []
    found = (_held(catalog, table, hours.get(table.name, 0)) for table in tables)
    return [each for each in found if each is not None]


def _held(catalog: Catalog, table: LakeTable, hours_before: int) -> Found | None:
    """What the other crawler left; the views are ours, since no Glue crawler makes any."""
    entry = catalog.table(table.name)
    if entry is None:
        return None
    publish_view(catalog, table, entry)
    hours = catalog.hours(table.name)
    return Found(
        table=table.name,
        location=entry.location,
        columns=entry.columns,
        hours=len(hours),
        rows=sum(hour.rows for hour in hours.values()),
        objects=sum(hour.objects for hour in hours.values()),
        opened=0,
        new_hours=len(hours) - hours_before,
        new_columns=(),
        problems=(),
    )
