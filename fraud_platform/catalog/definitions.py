"""What Dagster shows of the catalog: an asset per table, a schedule, and a sensor for new hours."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
import msgspec
from pydantic import Field

from fraud_platform.catalog.access import catalog_of, engine_of, uses_athena
from fraud_platform.catalog.columns import PARTITION_KEYS, Column
from fraud_platform.catalog.crawl import NEWEST_HOURS, Found
from fraud_platform.catalog.newest import newest_hour
from fraud_platform.catalog.picture import fraud_by_bank
from fraud_platform.catalog.refresh import refresh
from fraud_platform.catalog.tables import TABLES, LakeTable
from fraud_platform.catalog.types import hive
from fraud_platform.errors import Defect, FraudPlatformError
from fraud_platform.orchestration import tags
from fraud_platform.orchestration.code import version_of
from fraud_platform.orchestration.outputs import OWNERS
from fraud_platform.runtime.stop import stop_on_signals
from fraud_platform.settings import Settings, load
from fraud_platform.topology import TOPICS, Topic

GROUP = "catalog"
EVERY_15_MINUTES = "*/15 * * * *"
FULL_AT_HOUR = 3
"""UTC hour of the daily schedule tick that looks at every object."""
LATE_HOURS = 48
"""How far back the hourly tick looks for late objects: one listing or two for each of these hours."""
SENSOR_INTERVAL_S = 60
_PROBLEMS_SHOWN = 20
_PICTURED = next(table for table in TABLES if table.topic is Topic.RESULT)
_PICTURE, _DRAWN = "fraud_by_bank_and_hour", "picture_drawn"
_REDRAWN_AFTER = timedelta(hours=1)
"""On Athena, where a query costs money."""
FRESH = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=2), warn_window=timedelta(minutes=35))
"""The schedule crawls each 15 minutes."""


class _Cursor(msgspec.Struct, frozen=True):
    """What the sensor remembers: the newest hour of each table, and which tables it missed in the catalog."""

    hours: dict[str, str] = {}
    lost: set[str] = set()

    @classmethod
    def of(cls, text: str | None) -> "_Cursor":
        try:
            return msgspec.json.decode(text or "{}", type=cls)
        except msgspec.DecodeError:
            return cls()


class CrawlConfig(dg.Config):
    """How thoroughly to look."""

    full: bool = Field(False, description="list every object, not only the newest days and hours")
    newest: int = Field(NEWEST_HOURS, ge=1, description="how many of the newest hours are listed object by object")


def table_key(table: LakeTable) -> dg.AssetKey:
    """`glue/<landing table>`."""
    return dg.AssetKey(["glue", table.name])


def _spec(table: LakeTable) -> dg.AssetSpec:
    about = TOPICS[table.topic].about
    return dg.AssetSpec(
        key=table_key(table),
        deps=[dg.AssetKey(["s3", table.topic.value])],
        description=(
            f"{about} Every row ever written, by the hour; the view `{table.view}` holds the newest row per"
            f" {' and '.join(table.ids)}. Query it with `fraud-platform query athena`."
        ),
        group_name=GROUP,
        kinds={"glue", "athena"},
        owners=OWNERS,
        code_version=version_of(GROUP),
        freshness_policy=FRESH,
        metadata={"view": table.view},
    )


@dg.multi_asset(name="crawl_lake", specs=[_spec(table) for table in TABLES], can_subset=True)
def crawl_lake(context: dg.AssetExecutionContext, config: CrawlConfig) -> Iterator[dg.MaterializeResult[Any]]:
    """Bring the selected tables, their partitions and views up to date."""
    yield from crawled(context, full=config.full, newest=config.newest)


def crawled(
    context: dg.AssetExecutionContext, *, full: bool, newest: int, settings: Callable[[], Settings] = load
) -> list[dg.MaterializeResult[Any]]:
    """Refresh what is selected and describe it.

    Raises:
        dagster.Failure: one sentence; a service is away, or a person must change something.
        dagster.DagsterExecutionInterruptedError: told to stop.
    """
    chosen = [table for table in TABLES if table_key(table) in context.selected_asset_keys]
    with stop_on_signals() as stop:
        try:
            current = settings()
            found = {each.table: each for each in refresh(current, chosen, full=full, newest=newest, stop=stop)}
        except FraudPlatformError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from None
    if stop():
        raise dg.DagsterExecutionInterruptedError
    picture = _picture(context, current, found.get(_PICTURED.name))
    for each in found.values():
        context.log.info(
            "%s: %d rows in %d partitions, %d objects opened", each.table, each.rows, each.hours, each.opened
        )
        for name, why in each.problems[:_PROBLEMS_SHOWN]:
            context.log.warning("%s cannot hold %s: %s", each.table, name, why)
    return [
        dg.MaterializeResult(
            asset_key=table_key(table),
            metadata=_facts(table, found.get(table.name), current) | (picture if table is _PICTURED else {}),
        )
        for table in chosen
    ]


def _picture(context: dg.AssetExecutionContext, settings: Settings, found: Found | None) -> dict[str, Any]:
    """Fraud by bank and hour, at each crawl: Dagster shows that of the newest one alone. Never a reason to fail."""
    if found is None or found.newest is None:
        return {}
    now, local, last = datetime.now(UTC), not uses_athena(settings), _last_picture(context.instance)
    if not local and last and now.timestamp() - last[_DRAWN].value < _REDRAWN_AFTER.total_seconds():
        return last
    try:
        day = min(date.fromisoformat(found.newest[0]), (now + timedelta(days=1)).date())
        markdown = fraud_by_bank(engine_of(settings), day, local=local)
    except Exception as error:  # noqa: BLE001 - the crawl was done, and a picture is no part of its work
        why = error if isinstance(error, FraudPlatformError) else Defect.of("The picture of fraud by bank", error)
        context.log.warning("no new picture of fraud by bank: %s", why)
        return last
    if not markdown:
        return {}
    return {_PICTURE: dg.MetadataValue.md(markdown), _DRAWN: dg.MetadataValue.timestamp(now)}


def _last_picture(instance: dg.DagsterInstance) -> dict[str, Any]:
    """That of the crawl before, and when it was drawn; nothing when it had none."""
    event = instance.get_latest_materialization_event(table_key(_PICTURED))
    shown = event.asset_materialization.metadata if event and event.asset_materialization else {}
    return {name: shown[name] for name in (_PICTURE, _DRAWN)} if {_PICTURE, _DRAWN} <= shown.keys() else {}


def _facts(table: LakeTable, found: Found | None, settings: Settings) -> dict[str, Any]:
    name = f"{settings.glue_database}.{table.name}"
    if found is None:
        return {"dagster/table_name": name, "dagster/row_count": 0, "partition_count": 0}
    problems = [dg.TableRecord({"object": key, "reason": why}) for key, why in found.problems[:_PROBLEMS_SHOWN]]
    return {
        "dagster/table_name": name,
        "dagster/uri": found.location,
        "dagster/row_count": found.rows,
        **({"dagster/column_schema": dg.TableSchema(columns=_columns(found.columns))} if found.columns else {}),
        "partition_count": found.hours,
        "object_count": found.objects,
        "new_partitions": found.new_hours,
        "new_columns": ", ".join(found.new_columns) or "none",
        "objects_opened": found.opened,
        "incompatible_objects": len(found.problems),
        **({"problems": dg.MetadataValue.table(problems)} if problems else {}),
    }


def _columns(columns: tuple[Column, ...]) -> list[dg.TableColumn]:
    own = [dg.TableColumn(name=column.name, type=hive(column.type)) for column in columns]
    keys = [dg.TableColumn(name=key, type="string", description="partition key, UTC") for key in PARTITION_KEYS]
    return [*own, *keys]


crawl = dg.define_asset_job(
    "crawl",
    selection=dg.AssetSelection.groups(GROUP),
    description="Finds new objects of the lake and brings tables, partitions and views up to date.",
    tags={tags.BATCH: "crawl"},
)


def _config(*, full: bool = False, newest: int = NEWEST_HOURS) -> Mapping[str, Any]:
    return {"ops": {"crawl_lake": {"config": {"full": full, "newest": newest}}}}


@dg.schedule(
    job=crawl,
    cron_schedule=EVERY_15_MINUTES,
    name="refresh_catalog",
    description=(
        f"Refreshes the catalog; once an hour it looks for late objects in the newest {LATE_HOURS} hours, and once a"
        " day at every object of the lake."
    ),
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def refresh_catalog(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Ask for a crawl: a wider one once an hour, a full one once a day."""
    tick = context.scheduled_execution_time
    is_full_hour = tick.minute == 0
    full = is_full_hour and tick.hour == FULL_AT_HOUR
    return dg.RunRequest(run_config=_config(full=full, newest=LATE_HOURS if is_full_hour else NEWEST_HOURS))


def hour_sensor(*, settings: Callable[[], Settings] = load) -> dg.SensorDefinition:
    """The sensor that asks for a crawl as soon as an hour has its first object, or a table is lost."""

    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        try:
            current = settings()
            newest = _newest(current)
            lost = _lost(current, newest)
        except FraudPlatformError as error:
            return dg.SkipReason(str(error))
        before = _Cursor.of(context.cursor)
        fresh = {name for name, hour in newest.items() if before.hours.get(name) != hour}
        fresh |= lost - before.lost  # asked for once: a table of bad objects alone never comes
        cursor = msgspec.json.encode(_Cursor(before.hours | newest, lost)).decode()
        if not fresh:
            return dg.SensorResult(skip_reason="no hour has begun since the last look", cursor=cursor)
        keys = [table_key(table) for table in TABLES if table.name in fresh]
        request = dg.RunRequest(run_config=_config(), asset_selection=keys)
        return dg.SensorResult(run_requests=[request], cursor=cursor)

    return dg.SensorDefinition(
        name="first_object_of_an_hour",
        evaluation_fn=evaluate,
        job=crawl,
        minimum_interval_seconds=SENSOR_INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Refreshes a table as soon as the lake holds the first object of a new hour of it.",
    )


def _newest(settings: Settings) -> dict[str, str]:
    from fraud_platform.adapters.lake_reader import S3LakeReader

    lake = S3LakeReader(settings)
    found = {table.name: newest_hour(lake, table.prefix(settings.naming)) for table in TABLES}
    return {name: hour for name, hour in found.items() if hour is not None}


def _lost(settings: Settings, names: Iterable[str]) -> set[str]:
    """Tables that the embedded catalog no longer knows: it keeps them in memory alone."""
    if settings.aws == "aws":
        return set()
    catalog = catalog_of(settings)
    return {name for name in names if catalog.table(name) is None}


defs = dg.Definitions(assets=[crawl_lake], jobs=[crawl], schedules=[refresh_catalog], sensors=[hour_sensor()])
