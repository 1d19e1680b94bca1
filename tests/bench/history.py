"""Dagster's history over accelerated days: what slots, crawls and checks leave in it, and what the clean-up takes."""

import os
import tempfile
import time
from contextlib import redirect_stderr
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
from dagster import DagsterInstance

from fraud_platform.housekeeping.clean import clean
from fraud_platform.orchestration import tags
from tests.bench.place import Site

DAYS = 4
SLOTS, PER_SLOT = 7, 288 * 2
"""A slot hands over once a day; it tells of its two or three assets each five minutes."""
CRAWLS, TABLES = 96, 8
HOURLY, CHECKS = 24, 40
RUNS = SLOTS + CRAWLS + HOURLY
NO_LOGS = {
    "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
}
METADATA = {"dagster/row_count": 7, "records": 7, "lag": 0, "offsets": {"0": 7, "1": 7, "2": 7, "3": 7}}


CHECKED = dg.AssetKey(["glue", "table-0"])


@dg.op
def consume(context: dg.OpExecutionContext) -> None:
    for number in range(PER_SLOT):
        context.log_event(dg.AssetMaterialization(["kafka", f"topic-{number % 2}"], metadata=METADATA))


@dg.job
def slot() -> None:
    consume()


@dg.multi_asset(specs=[dg.AssetSpec(["glue", f"table-{number}"]) for number in range(TABLES)])
def tables(context: dg.AssetExecutionContext):
    for key in context.selected_asset_keys:
        yield dg.MaterializeResult(asset_key=key, metadata=METADATA)


@dg.multi_asset_check(specs=[dg.AssetCheckSpec(f"check_{number}", asset=CHECKED) for number in range(CHECKS)])
def checks():
    for number in range(CHECKS):
        yield dg.AssetCheckResult(asset_key=CHECKED, check_name=f"check_{number}", passed=True, metadata=METADATA)


def history(site: Site) -> str:
    """Four days of slots, crawls and hourly checks, of which one is kept: what each clean-up leaves on disk."""
    lines = []
    with (
        tempfile.TemporaryDirectory(dir=site.folder) as home,
        dg.instance_for_test(NO_LOGS, temp_dir=home) as instance,
        Path(os.devnull).open("w") as nowhere,
        redirect_stderr(nowhere),  # each run prints its events
    ):
        for day in range(1, DAYS + 1):
            begins = datetime.now(UTC)
            events, lived = _day(instance)
            begun = time.monotonic()
            cleaned = clean(instance, before=begins)
            took = time.monotonic() - begun
            lines.append(
                f"  day {day}: {events:,} events of {RUNS} runs in {lived:.0f} s; clean-up in {took:.1f} s:"
                f" {cleaned.removed} runs gone, {cleaned.kept} old ones kept; {_size(Path(home)) / 1e6:.1f} MB on disk"
            )
    return "\n".join(lines)


def _day(instance: DagsterInstance) -> tuple[int, float]:
    """Events and seconds of one day's runs."""
    begun = time.monotonic()
    runs = [slot.execute_in_process(instance=instance, tags={tags.SLOT: f"stage.{n}"}).run_id for n in range(SLOTS)]
    runs += [dg.materialize([tables], instance=instance).run_id for _ in range(CRAWLS)]
    only = dg.AssetSelection.all_asset_checks()
    runs += [dg.materialize([tables, checks], instance=instance, selection=only).run_id for _ in range(HOURLY)]
    return sum(len(instance.all_logs(run)) for run in runs), time.monotonic() - begun


def _size(home: Path) -> int:
    return sum(path.stat().st_size for path in home.rglob("*") if path.is_file())
