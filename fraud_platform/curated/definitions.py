"""What Dagster shows of the curated tables: an asset per table with a partition per hour, a job and its schedule."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from pydantic import Field

from fraud_platform.catalog.definitions import table_key
from fraud_platform.catalog.hours import HourKey, begin_of, key_of
from fraud_platform.catalog.tables import TABLES, LakeTable
from fraud_platform.curated.compaction import Compacted
from fraud_platform.curated.run import Curation
from fraud_platform.errors import ConfigurationError, FraudPlatformError
from fraud_platform.orchestration import tags
from fraud_platform.orchestration.code import version_of
from fraud_platform.orchestration.outputs import OWNERS
from fraud_platform.runtime.stop import StopRequest, stop_on_signals
from fraud_platform.settings import load
from fraud_platform.topology import TOPICS

GROUP = "curated"
HOURLY = "20 * * * *"
"""After the crawl of the full hour, which looks for late objects."""
FULL_AT_HOUR = 4
"""UTC hour of the daily tick that looks at the objects of every hour."""
HOURS = dg.HourlyPartitionsDefinition(start_date=datetime(2026, 1, 1, tzinfo=UTC), timezone="UTC")
_SHOWN = 20

Open = Callable[[], Curation]


class CompactConfig(dg.Config):
    """How thoroughly to look."""

    full: bool = Field(False, description="look at the objects of every closed hour, not only of the newest")


def curated_key(table: LakeTable) -> dg.AssetKey:
    """`glue/<curated table>`."""
    return dg.AssetKey(["glue", table.curated])


def partition_key(hour: HourKey) -> str | None:
    """The hour as a partition of the assets; None for one before the first."""
    begin = begin_of(hour)
    if begin is None or begin < HOURS.start:
        return None
    return begin.strftime(HOURS.fmt)


def hour_of(partition: str) -> HourKey:
    """The hour behind a partition of the assets."""
    return key_of(datetime.strptime(partition, HOURS.fmt).replace(tzinfo=UTC))


def _spec(table: LakeTable) -> dg.AssetSpec:
    return dg.AssetSpec(
        key=curated_key(table),
        deps=[table_key(table)],
        description=(
            f"{TOPICS[table.topic].about} The rows of closed hours as Parquet, one file or few an hour, in place of"
            f" many small objects; the view `{table.view}` reads them and the raw objects that came later. A backfill"
            " builds hours anew from their raw objects, which stay."
        ),
        group_name=GROUP,
        kinds={"glue", "athena", "parquet"},
        owners=OWNERS,
        code_version=version_of(GROUP),
        metadata={"view": table.view, "landing_table": table.name},
    )


@dg.multi_asset(
    name="curate_lake",
    specs=[_spec(table) for table in TABLES],
    can_subset=True,
    partitions_def=HOURS,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def curate_lake(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
    """Build the chosen hours of the chosen tables anew from their raw objects."""
    yield from curated(context)


def curated(context: dg.AssetExecutionContext, *, opened: Open = lambda: Curation.of(load())) -> list[Any]:
    """Rebuild what is chosen and describe it, hour by hour.

    Raises:
        dagster.Failure: one sentence; a service is away, or a person must change something.
        dagster.DagsterExecutionInterruptedError: told to stop.
    """
    chosen = [table for table in TABLES if curated_key(table) in context.selected_asset_keys]
    hours = {hour_of(key): key for key in context.partition_keys}
    with _told() as stop:
        curation = opened()
        for table in chosen:
            found: dict[HourKey, Compacted] = {}
            try:
                for done in curation.hours(table, sorted(hours), rebuild=True, stop=stop):
                    found[done.key] = done
            except FraudPlatformError:
                history = _History(context.instance)
                for done in found.values():
                    history.tell(done)
                raise
            for hour, partition in hours.items():
                facts = _facts(found[hour]) if hour in found else _NOTHING
                context.add_asset_metadata(facts, asset_key=curated_key(table), partition_key=partition)
            _warn(context.log, found.values())
    return [dg.MaterializeResult(asset_key=curated_key(table)) for table in chosen]


@contextmanager
def _told() -> Iterator[StopRequest]:
    """Our errors as one sentence of Dagster's, and a stop as Dagster knows it."""
    with stop_on_signals() as stop:
        try:
            yield stop
        except FraudPlatformError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from None
    if stop():
        raise dg.DagsterExecutionInterruptedError


class _History:
    """What Dagster knows of the tables' hours.

    Events of a run keep the run in Dagster's history for as long as they are the newest of their partition, so these
    belong to none.
    """

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._keys = {table.curated: curated_key(table) for table in TABLES}
        self._known = {name: instance.get_materialized_partitions(key) for name, key in self._keys.items()}

    def tell(self, done: Compacted) -> None:
        """One materialization of an hour that was built, or of which Dagster knows nothing."""
        partition = partition_key(done.key)
        if partition and (done.built or partition not in self._known[done.table]):
            self._known[done.table].add(partition)
            event = dg.AssetMaterialization(self._keys[done.table], partition=partition, metadata=_facts(done))
            self._instance.report_runless_asset_event(event)


_NOTHING: Mapping[str, Any] = {"dagster/row_count": 0, "objects_before": 0, "objects_after": 0}


def _facts(done: Compacted) -> dict[str, Any]:
    return {
        "dagster/row_count": done.rows,
        "objects_before": done.objects,
        "objects_after": done.files,
        "bytes_before": done.raw_size,
        "bytes_after": done.size,
        "seconds": round(done.seconds, 3),
        "incompatible_objects": len(done.left_out),
        "missing_objects": len(done.gone),
        **_table("problems", [*done.left_out, *((key, _GONE) for key in done.gone)]),
    }


_GONE = "the raw object is gone or changed; the curated rows stay until a backfill of the hour"


def _table(name: str, problems: Sequence[tuple[str, str]]) -> dict[str, Any]:
    records = [dg.TableRecord({"object": key, "reason": why}) for key, why in problems[:_SHOWN]]
    return {name: dg.MetadataValue.table(records)} if records else {}


def _warn(log: Any, found: Iterable[Compacted]) -> None:
    for done in found:
        for key, why in done.left_out[:_SHOWN]:
            log.warning("%s cannot hold %s: %s", done.table, key, why)
        for key in done.gone[:_SHOWN]:
            log.warning("%s: %s: %s", done.table, key, _GONE)


@dg.op(name="compact_closed_hours", description="Compacts the closed hours of every table that are due.")
def compact_closed_hours(context: dg.OpExecutionContext, config: CompactConfig) -> None:
    """One materialization per hour that was built, or that Dagster does not know."""
    compacted(context, full=config.full)


def compacted(context: dg.OpExecutionContext, *, full: bool, opened: Open = lambda: Curation.of(load())) -> None:
    """Compact what is due and say so in Dagster's history; errors as `curated`."""
    hours = rows = 0
    with _told() as stop:
        curation = opened()
        if full:
            _tidy(context.log, curation)
        history = _History(context.instance)
        for done in curation.held():
            if not stop():
                history.tell(done)
        for done in curation.due(full=full, stop=stop):
            hours, rows = hours + 1, rows + done.rows
            _warn(context.log, [done])
            history.tell(done)
    context.log.info("%d hours with %d rows looked at", hours, rows)


def _tidy(log: Any, curation: Curation) -> None:
    """A bucket from which we may not delete is no reason to fail: the files cost room alone."""
    try:
        log.info("%d replaced files deleted", curation.tidy(datetime.now(UTC)))
    except ConfigurationError as error:
        log.warning("Replaced curated files stay: %s", error)


def _embedded() -> Curation | None:
    """Over the embedded catalog; AWS's forgets nothing."""
    settings = load()
    return None if settings.aws == "aws" else Curation.of(settings)


@dg.job(
    name="compact",
    description="Turns the small objects of closed hours into few columnar files; late ones are folded in.",
    tags={tags.BATCH: "compact"},
)
def compact() -> None:
    """What the schedule runs."""
    compact_closed_hours()


@dg.schedule(
    job=compact,
    cron_schedule=HOURLY,
    name="compact_lake",
    description=(
        "Compacts closed hours, and hours with late objects among the newest 48; once a day it looks at every hour."
    ),
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def compact_lake(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Ask for a compaction; a full one once a day."""
    full = context.scheduled_execution_time.hour == FULL_AT_HOUR
    return dg.RunRequest(run_config={"ops": {"compact_closed_hours": {"config": {"full": full}}}})


def lost_sensor(*, opened: Callable[[], Curation | None] = _embedded) -> dg.SensorDefinition:
    """The sensor that asks for a compaction when the embedded catalog has forgotten the curated hours."""

    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        try:
            curation = opened()
            lost = sorted(curation.lost()) if curation else []
        except FraudPlatformError as error:
            return dg.SkipReason(str(error))
        cursor = json.dumps(lost)  # Dagster keeps the cursor before in place of an empty one
        if set(lost) <= set(json.loads(context.cursor or "[]")):  # asked for once
            return dg.SensorResult(skip_reason="the catalog knows the curated hours", cursor=cursor)
        return dg.SensorResult(run_requests=[dg.RunRequest()], cursor=cursor)

    return dg.SensorDefinition(
        name="curated_hours_lost",
        evaluation_fn=evaluate,
        job=compact,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Registers curated hours at once that the embedded catalog forgot when it stopped.",
    )


defs = dg.Definitions(assets=[curate_lake], jobs=[compact], schedules=[compact_lake], sensors=[lost_sensor()])
