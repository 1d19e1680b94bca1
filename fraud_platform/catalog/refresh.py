"""One refresh of the catalog: by our own crawler, or by an AWS crawler of the user's."""

from collections.abc import Callable, Sequence

from fraud_platform.catalog.access import catalog_of, crawler_of
from fraud_platform.catalog.crawl import NEWEST_HOURS, Found
from fraud_platform.catalog.newest import newest_hour
from fraud_platform.catalog.publish import publish
from fraud_platform.catalog.store import Catalog
from fraud_platform.catalog.tables import TABLES, LakeTable
from fraud_platform.core.partitioning import LAKE_ROOT
from fraud_platform.errors import ConfigurationError
from fraud_platform.settings import Settings

Stop = Callable[[], bool]


def refresh(
    settings: Settings, tables: Sequence[LakeTable] = TABLES, *, full: bool = False, newest: int = NEWEST_HOURS,
    stop: Stop = lambda: False,
) -> list[Found]:  # fmt: skip
    """Bring the tables up to date and say what they hold now; tables without an object are left out.

    `full` and `newest` (hours) say how thoroughly our own crawler looks, see `Crawler.crawl`.

    Raises:
        StoreUnavailable: the lake, the catalog or the crawler does not answer.
        ConfigurationError: one of them refuses us, or no catalog is known.
    """
    if settings.glue_crawler:
        return _by_aws(settings, settings.glue_crawler, tables, stop)
    crawler = crawler_of(settings)
    found = (crawler.crawl(table, full=full, newest=newest, stop=stop) for table in tables)
    return [each for each in found if each is not None]


def _by_aws(settings: Settings, name: str, tables: Sequence[LakeTable], stop: Stop) -> list[Found]:
    from fraud_platform.adapters.glue_crawler import run_crawler

    catalog = catalog_of(settings)
    hours = {table.name: len(catalog.hours(table.name)) for table in tables if catalog.table(table.name)}
    if not run_crawler(settings, name, stop=stop):
        return []
    held = (_held(catalog, table, hours.get(table.name, 0)) for table in tables)
    found = [each for each in held if each is not None]
    if not found:
        _require_empty(settings, name, tables)
    return found


def _require_empty(settings: Settings, name: str, tables: Sequence[LakeTable]) -> None:
    """No table is right only while there is no object."""
    from fraud_platform.adapters.lake_reader import S3LakeReader

    lake = S3LakeReader(settings)
    filled = [table.name for table in tables if newest_hour(lake, table.prefix(settings.naming))]
    if filled:
        raise ConfigurationError(
            f"The Glue crawler {name} has made no table {' or '.join(filled)} in the database"
            f" {settings.glue_database}; it needs that database, the target"
            f" s3://{settings.lake_bucket}/{LAKE_ROOT}/ and the table prefix landing_, and works without FRAUD_PREFIX."
        )


def _held(catalog: Catalog, table: LakeTable, hours_before: int) -> Found | None:
    """What the other crawler left; the views are ours, since no Glue crawler makes any."""
    entry = catalog.table(table.name)
    if entry is None:
        return None
    publish(catalog, table, entry)
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
        newest=max(hours, default=None),
    )
