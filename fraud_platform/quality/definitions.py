"""What Dagster shows of data quality: asset checks on the topics, and the schedule that evaluates them hourly."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from fraud_platform.errors import Defect, FraudPlatformError
from fraud_platform.orchestration import tags
from fraud_platform.quality.checks import GROUPS, Group, Moment, Verdicts
from fraud_platform.quality.verdict import Verdict
from fraud_platform.settings import Settings, load

EVERY_HOUR = "10 * * * *"
"""Ten past: what belongs to the full hour is done by then."""


def asset_checks(
    group: Group, *, settings: Callable[[], Settings] = load, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> dg.AssetChecksDefinition:
    """The group's checks as one op; any of them can be evaluated alone."""

    @dg.multi_asset_check(name=group.name, specs=group.specs, description=group.about, can_subset=True)
    def evaluate(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        verdicts = _evaluate(group, context, settings, clock)
        for key in sorted(context.selected_asset_check_keys):
            yield _result(key, verdicts[key])

    return evaluate


def _evaluate(
    group: Group,
    context: dg.AssetCheckExecutionContext,
    settings: Callable[[], Settings],
    clock: Callable[[], datetime],
) -> Verdicts:
    """The group's verdicts.

    Raises:
        dagster.Failure: one sentence; a service is away, or a person must change something.
    """
    try:
        return group.evaluate(Moment(settings=settings(), instance=context.instance, now=clock()))
    except FraudPlatformError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from None
    except Exception as error:  # noqa: BLE001 - its text may quote a record
        raise dg.Failure(description=str(Defect.of(group.name, error)), allow_retries=False) from None


def _result(key: dg.AssetCheckKey, verdict: Verdict) -> dg.AssetCheckResult:
    severity = dg.AssetCheckSeverity.WARN if verdict.is_warning else dg.AssetCheckSeverity.ERROR
    facts: dict[str, Any] = dict(verdict.facts)
    return dg.AssetCheckResult(
        passed=verdict.passed,
        asset_key=key.asset_key,
        check_name=key.name,
        severity=severity,
        description=verdict.description,
        metadata=facts,
    )


CHECKS = [asset_checks(group) for group in GROUPS]

check_data_quality = dg.define_asset_job(
    "check_data_quality",
    selection=dg.AssetSelection.checks(*CHECKS),
    description="Evaluates every data-quality check: lag, retention, recency, schema, ranges, ids, dead letters, mix.",
    tags={tags.BATCH: "quality"},
)

check_data_quality_hourly = dg.ScheduleDefinition(
    name="check_data_quality_hourly",
    job=check_data_quality,
    cron_schedule=EVERY_HOUR,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Evaluates the data-quality checks; the sensor alert_failing_checks tells a person of those that fail.",
)

defs = dg.Definitions(asset_checks=CHECKS, jobs=[check_data_quality], schedules=[check_data_quality_hourly])
