"""What Dagster shows of the replay: an asset with a partition per hour, a check of it, and the job that runs both.

The replay itself is imported where it is used: every process of Dagster loads this module, and few need it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from fraud_platform.curated.definitions import HOURS
from fraud_platform.errors import ConfigurationError, FraudPlatformError
from fraud_platform.live.definitions import ACTIVE
from fraud_platform.orchestration import tags
from fraud_platform.orchestration.code import version_of
from fraud_platform.orchestration.outputs import OWNERS, topic_key
from fraud_platform.runtime.stop import StopRequest, stop_on_signals
from fraud_platform.settings import Settings, load
from fraud_platform.topology import Topic

if TYPE_CHECKING:
    from fraud_platform.replay.report import Report, Some, StageReport
    from fraud_platform.rules.rule_set import RuleSet

GROUP = "replay"
REPLAYED = dg.AssetKey(["rules", "replayed"])
REPEATS = "decisions_repeat"
_INPUTS = (Topic.STATEMENTS, Topic.UNIDENTIFIED, Topic.DECISIONS, Topic.LABELS)
_SHOWN = 1_000

Read = Callable[[], Settings]


class ReplayConfig(dg.Config):
    """Whose rules judge; at most one of both."""

    version: str | None = Field(
        None, description="a version that was published, or its first letters; default: each decision's own"
    )
    path: str | None = Field(None, description="a rule set that the run can read as a file")


@dg.asset(
    key=REPLAYED,
    deps=[*map(topic_key, _INPUTS), ACTIVE],
    partitions_def=HOURS,
    group_name=GROUP,
    kinds={"kafka"},
    owners=OWNERS,
    code_version=version_of("replay", "rules"),
    check_specs=[
        dg.AssetCheckSpec(
            REPEATS, asset=REPLAYED, description="The hour that was replayed last: the same rules decide the same."
        )
    ],
    description=(
        "An hour of the raw log, judged once more. By default each record by the rules that decided about it, which"
        " proves that the decisions repeat; with a version or a file it tells what these rules would change. With"
        " labels it is a back-test. It writes nothing but this page; inputs are kept for 30 days."
    ),
)
def replayed_hours(context: dg.AssetExecutionContext, config: ReplayConfig) -> Iterator[dg.MaterializeResult[Any]]:
    """Replay the hour of the partition."""
    yield replayed(context, config)


def replayed(
    context: dg.AssetExecutionContext, config: ReplayConfig, *, settings: Read = load
) -> dg.MaterializeResult[Any]:
    """Replay the hours that were chosen and describe what was found.

    Raises:
        dagster.Failure: one sentence; a service is away, or a person must change something.
        dagster.DagsterExecutionInterruptedError: told to stop.
    """
    from fraud_platform.replay.run import Wanted, replay

    window = context.partition_time_window
    start_ms, end_ms = (int(each.timestamp() * 1000) for each in (window.start, window.end))
    with _told() as stop:
        current = settings()
        report = replay(current, Wanted(start_ms, end_ms, _rules(current, config)), stop=stop)
    return dg.MaterializeResult(asset_key=REPLAYED, metadata=facts_of(report), check_results=[_checked(report)])


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


def _rules(settings: Settings, config: ReplayConfig) -> "RuleSet | None":
    from pathlib import Path

    from fraud_platform.adapters.rule_set_topic import version
    from fraud_platform.rules import files

    if config.version and config.path:
        raise ConfigurationError("Give at most one of `version` and `path`.")
    if config.path:
        return files.load(Path(config.path))
    return version(settings, config.version) if config.version else None


# The page -------------------------------------------------------------------------------------------


def facts_of(report: "Report") -> dict[str, Any]:
    """The report as metadata: sums, a table of stages, a table of rules."""
    stages = report.stages
    sums = {
        name: sum(getattr(stage, name).count for stage in stages)
        for name in ("different", "missing", "twice", "changed", "reworded")
    }
    return {
        "dagster/row_count": sum(stage.outcomes.get("judged", 0) for stage in stages),
        "judged_by": report.rules or "the rules that made each decision",
        "identical": sum(stage.identical for stage in stages),
        **sums,
        "not_compared": sum(sum(stage.not_compared.values()) for stage in stages),
        "seconds": report.seconds,
        **_table("stages", [_stage_row(stage) for stage in stages]),
        **_table("rules", [row for stage in stages for row in _rule_rows(stage)][:_SHOWN]),
    }


def _checked(report: "Report") -> dg.AssetCheckResult:
    off = sum(each.different.count + each.missing.count + each.twice.count for each in report.stages)
    examples = [name for each in report.stages for some in (each.different, each.missing) for name in some.examples]
    said = (
        f"{off:,} decisions do not repeat, among them {', '.join(examples[:5]) or 'repetitions that were decided'};"
        " `fraud-platform explain` tells about each."
        if off
        else f"Of {' and '.join(report.uncompared)} nothing could be compared; the table of stages tells why."
        if report.uncompared
        else "Every decision that could be compared with one of the same rules is the same to the byte."
    )
    return dg.AssetCheckResult(
        passed=report.is_repeatable, asset_key=REPLAYED, check_name=REPEATS, description=said, metadata={"off": off}
    )


def _stage_row(stage: "StageReport") -> dict[str, str | int | float]:
    outcomes = ", ".join(f"{count} {name}" for name, count in stage.outcomes.items())
    reasons = "; ".join(f"{count} {why}" for why, count in stage.not_compared.items())
    warmed = f"{stage.warmed_from:%Y-%m-%d %H:%M:%S}" if stage.warmed_from else "-"
    return {
        "stage": stage.stage,
        "records": outcomes or "none",
        "warmed_from": warmed,
        "identical": stage.identical,
        "different": stage.different.count,
        "changed": stage.changed.count,
        "not_compared": reasons or "-",
        "flagged": stage.flagged.count,
        "flagged_a_day": _number(stage.flagged_per_day),
        "flagged_before": stage.flagged_before.count if stage.flagged_before else "-",
        "precision": _number(stage.score.precision if stage.score else None),
        "recall": _number(stage.score.recall if stage.score else None),
    }


def _rule_rows(stage: "StageReport") -> Iterator[dict[str, str | int | float]]:
    for rule in stage.rules:
        yield {
            "stage": stage.stage,
            "rule": rule.rule,
            "hits": rule.hits.count,
            "a_day": _number(rule.per_day),
            "newly": _words(rule.newly),
            "no_longer": _words(rule.gone),
            "otherwise": rule.otherwise.count,
            "not_evaluable": rule.not_evaluable,
            "precision": _number(rule.score.precision if rule.score else None),
            "recall": _number(rule.score.recall if rule.score else None),
            "examples": ", ".join([*rule.newly.examples, *rule.gone.examples]) or "-",
        }


def _words(some: "Some") -> str:
    return f"{some.count} ({some.money})" if some.count else "-"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


def _table(name: str, rows: Sequence[dict[str, str | int | float]]) -> dict[str, Any]:
    records = [dg.TableRecord(dict(row)) for row in rows]
    return {name: dg.MetadataValue.table(records)} if records else {}


replay_hours = dg.define_asset_job(
    "replay_hours",
    selection=dg.AssetSelection.assets(REPLAYED),
    description="Judges hours of the raw log once more, hour by hour: a proof, or what other rules would change.",
    tags={tags.BATCH: "replay"},
)

defs = dg.Definitions(assets=[replayed_hours], jobs=[replay_hours])
