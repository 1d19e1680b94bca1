"""What Dagster shows of the books: checks on the ledger, the topics and the stores, hourly and by hand."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import dagster as dg

from fraud_platform.books.balance import crossings
from fraud_platform.books.finding import FLOW, MEANING, NEXT, OFFSETS, OUTCOMES, RANGES, STORES, Finding
from fraud_platform.books.report import Report, Table, crossing_table, stage_table, store_table
from fraud_platform.documents.collections import COLLECTIONS
from fraud_platform.errors import Defect, FraudPlatformError
from fraud_platform.orchestration import tags
from fraud_platform.orchestration.outputs import topic_key
from fraud_platform.orchestration.runs import IN_PROGRESS
from fraud_platform.settings import Settings, load
from fraud_platform.topology import Topic

HOURLY = "5 * * * *"
"""Five minutes past: behind the crawl that looks for late objects."""
_SHOWN = 100
LEDGER_CHECKS = (OUTCOMES, RANGES, OFFSETS)
CROSSED = tuple(dict.fromkeys(topic for topic, _ in crossings()))
"""The topics between stages, in flow order."""


def store_key(topic: Topic, store: str) -> dg.AssetKey:
    """`s3/<topic>` or `mongodb/<collection>`."""
    return dg.AssetKey([store, topic.value if store == "s3" else COLLECTIONS[topic].name])


def _specs() -> Iterator[dg.AssetCheckSpec]:
    for name in LEDGER_CHECKS:
        yield dg.AssetCheckSpec(name, asset=topic_key(Topic.LEDGER), description=MEANING[name])
    for topic in CROSSED:
        yield dg.AssetCheckSpec(FLOW, asset=topic_key(topic), description=MEANING[FLOW])
    for topic in COLLECTIONS:
        for store in ("s3", "mongodb"):
            yield dg.AssetCheckSpec(STORES, asset=store_key(topic, store), description=MEANING[STORES])


@dg.multi_asset_check(
    name="check_books",
    specs=list(_specs()),
    can_subset=True,
    description="Balances the ledger and compares the result topics with MongoDB and the lake.",
)
def check_books(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
    """Look at what is selected."""
    yield from checked(context)


def checked(
    context: dg.AssetCheckExecutionContext, *, settings: Callable[[], Settings] = load
) -> list[dg.AssetCheckResult]:
    """One result per selected check; the page goes to the ledger's asset.

    Raises:
        dagster.Failure: one sentence; the settings are wrong.
    """
    from fraud_platform.books.examine import examine

    chosen = context.selected_asset_check_keys
    asked = {(key.asset_key, key.name) for key in chosen}
    topics = [t for t in COLLECTIONS if {(store_key(t, each), STORES) for each in ("s3", "mongodb")} & asked]
    try:
        report = examine(settings(), ledger=any(key.name != STORES for key in chosen), topics=topics)
    except FraudPlatformError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from None
    except Exception as error:  # noqa: BLE001 - its text may quote a row
        defect = Defect.of("Looking at the books", error)
        raise dg.Failure(description=str(defect), allow_retries=False) from None
    context.log.info(report.headline())
    for finding in report.findings[:_SHOWN]:
        context.log.warning(finding.sentence())
    if report.stages:
        page = dg.AssetObservation(topic_key(Topic.LEDGER), description=report.headline(), metadata=_page(report))
        context.op_execution_context.log_event(page)
    return [_result(key, report) for key in sorted(chosen, key=lambda key: (key.asset_key.path, key.name))]


def _result(key: dg.AssetCheckKey, report: Report) -> dg.AssetCheckResult:
    own = [finding for finding in report.findings if finding.check == key.name and _is_about(finding, key.asset_key)]
    why = report.unknown.get("/".join(key.asset_key.path) if key.name == STORES else "ledger")
    if own:
        said = f"{own[0].sentence()}{f' (and {len(own) - 1:,} more)' if len(own) > 1 else ''}. {NEXT[key.name]}"
    else:
        said = f"Not known: {why}" if why else MEANING[key.name]
    return dg.AssetCheckResult(
        passed=not own and why is None,
        asset_key=key.asset_key,
        check_name=key.name,
        severity=dg.AssetCheckSeverity.ERROR if own else dg.AssetCheckSeverity.WARN,
        description=said,
        metadata={"findings": len(own), **_details(own)},
    )


def _is_about(finding: Finding, key: dg.AssetKey) -> bool:
    if finding.check == FLOW:
        return key == topic_key(Topic(finding.subject))
    return finding.check != STORES or finding.subject == "/".join(key.path)


def _details(findings: Sequence[Finding]) -> dict[str, Any]:
    names = ("subject", "stage", "id", "field", "what")
    rows = [tuple(str(getattr(each, name)) for name in names) for each in findings[:_SHOWN]]
    return {"what_is_off": _shown((names, rows))} if rows else {}


def _page(report: Report) -> dict[str, Any]:
    """The page as tables of metadata."""
    tables = {"stages": stage_table(report), "between_stages": crossing_table(report), "stores": store_table(report)}
    return {
        "books": report.headline(),
        "rests_on": report.opening(),
        **{name: _shown(table) for name, table in tables.items() if table[1]},
    }


def _shown(table: Table) -> dg.TableMetadataValue:
    head, rows = table
    names = [name.replace(" ", "_") for name in head]
    columns = [dg.TableColumn(name=name) for name in names]
    records = [dg.TableRecord(dict(zip(names, row, strict=True))) for row in rows]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(columns=columns))


books = dg.define_asset_job(
    "books",
    selection=dg.AssetSelection.checks(*(spec.key for spec in _specs())),
    description="Balances the books: the ledger, the equations between stages, and the stores against the topics.",
    tags={tags.BATCH: "books"},
)


@dg.schedule(
    name="balance_books",
    job=books,
    cron_schedule=HOURLY,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Checks each hour that every record is accounted for and the stores hold what the topics hold.",
)
def balance_books(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """A look at large stores may take longer than an hour, and two at once take longer still."""
    lasting = dg.RunsFilter(job_name=books.name, statuses=list(IN_PROGRESS))
    if context.instance.get_runs_count(lasting):
        return dg.SkipReason("The last look at the books has not ended yet.")
    return dg.RunRequest()


defs = dg.Definitions(asset_checks=[check_books], jobs=[books], schedules=[balance_books])
