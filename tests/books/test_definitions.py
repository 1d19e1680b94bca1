"""The checks as Dagster runs them, over reports of the fakes."""

from collections.abc import Callable

import dagster as dg
import pytest

from fraud_platform.books import definitions, examine
from fraud_platform.books.definitions import balance_books, books, check_books, checked, store_key
from fraud_platform.books.finding import FLOW, OFFSETS, OUTCOMES, RANGES, STORES
from fraud_platform.books.report import Report
from fraud_platform.errors import ConfigurationError
from fraud_platform.settings import Settings
from fraud_platform.topology import RESULT_TOPICS, Topic
from tests.books.fakes import whole_flow
from tests.books.reports import report_of, stores_of

LEDGER = dg.AssetKey(["kafka", "ledger"])
LAKE = store_key(Topic.RESULT, "s3")
Asked = dict[str, object]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[dg.ExecuteInProcessResult, Asked]]:
    """Runs the job over a report; says what was asked of the books."""

    def over(report: Report, keys: list[dg.AssetCheckKey] | None = None) -> tuple[dg.ExecuteInProcessResult, Asked]:
        asked: Asked = {}

        def examined(_: Settings, **options: object) -> Report:
            asked.update(options)
            return report

        monkeypatch.setattr(examine, "examine", examined)
        monkeypatch.setattr(checked, "__kwdefaults__", {"settings": lambda: None})
        chosen = books.selection if keys is None else dg.AssetSelection.checks(*keys)
        job = dg.define_asset_job("chosen", selection=chosen)
        defs = dg.Definitions(asset_checks=[check_books], jobs=[job])
        done = defs.resolve_job_def("chosen").execute_in_process(raise_on_error=False)
        return done, asked

    return over


def results(done: dg.ExecuteInProcessResult) -> dict[tuple[str, str], dg.AssetCheckEvaluation]:
    return {(e.asset_key.to_user_string(), e.check_name): e for e in done.get_asset_check_evaluations()}


def off_store() -> Report:
    """The lake lacks a row."""
    lake, documents = stores_of(lost=True)
    named = [type(each)(name, each.records, each.how, each.differing, tuple(
        type(f)(f.check, name, what=f.what, id=f.id, field=f.field) for f in each.findings))
        for each, name in ((lake, "/".join(LAKE.path)), (documents, "mongodb/transactions"))]  # fmt: skip
    return report_of(stores=tuple(named))


def test_every_check_passes_on_balanced_books(run) -> None:
    done, asked = run(report_of(stores=stores_of()))
    found = results(done)
    assert done.success
    assert all(each.passed for each in found.values())
    assert {name for asset, name in found if asset == "kafka/ledger"} == {OUTCOMES, RANGES, OFFSETS}
    assert {asset for asset, name in found if name == FLOW} == {
        f"kafka/{topic.value}"
        for topic in (Topic.FRAUDULENT, Topic.UNIDENTIFIED, *RESULT_TOPICS, Topic.DEAD_LETTERS)
    }  # fmt: skip
    assert {asset for asset, name in found if name == STORES} == {
        "s3/fraudulent-transactions-result", "s3/users", "s3/transaction.fraud.result", "s3/decisions",
        "mongodb/transactions", "mongodb/users", "mongodb/monitored_transactions", "mongodb/decisions",
    }  # fmt: skip
    assert asked == {"ledger": True, "topics": list(RESULT_TOPICS)}


def test_a_failing_check_names_the_row_and_what_to_do(run) -> None:
    done, _ = run(off_store())
    found = results(done)
    assert [key for key, each in found.items() if not each.passed] == [("s3/fraudulent-transactions-result", STORES)]
    off = found["s3/fraudulent-transactions-result", STORES]
    assert off.severity is dg.AssetCheckSeverity.ERROR
    assert "t-0: missing (0/0" in (off.description or "")
    assert "docs/books.md" in (off.description or "")
    (record,) = off.metadata["what_is_off"].records
    assert record.data["id"] == "t-0"


def test_an_equation_that_is_off_fails_the_check_of_its_topic(run) -> None:
    flow = whole_flow()
    flow.send(Topic.DECISIONS, 1)
    done, _ = run(report_of(flow))
    assert [key for key, each in results(done).items() if not each.passed] == [("kafka/decisions", FLOW)]


def test_the_page_is_a_table_in_the_ledger_s_metadata(run) -> None:
    done, _ = run(report_of(stores=stores_of()))
    (event,) = done.filter_events(lambda event: event.event_type_value == "ASSET_OBSERVATION")
    observation = event.asset_observation_data.asset_observation
    assert observation.asset_key == LEDGER
    assert observation.metadata["books"].value == "The books balance."
    stages = observation.metadata["stages"].records
    assert stages[0].data["stage"] == "ingestion"
    assert stages[0].data["dead_letters"] == "1"
    assert {"between_stages", "stores"} <= observation.metadata.keys()


def test_what_could_not_be_looked_at_warns_with_the_reason(run) -> None:
    why = "S3 does not answer (ConnectTimeoutError)."
    done, _ = run(report_of(unknown={"s3/users": why}))
    found = results(done)
    assert done.success
    (key,) = [key for key, each in found.items() if not each.passed]
    assert key == ("s3/users", STORES)
    assert found[key].severity is dg.AssetCheckSeverity.WARN
    assert found[key].description == f"Not known: {why}"


def test_an_unreadable_ledger_warns_on_all_that_follows_from_it(run) -> None:
    report = Report(None, False, 0, (), (), (), (), {"ledger": "Kafka does not answer."})
    found = results(run(report)[0])
    assert {name for (_, name), each in found.items() if not each.passed} == {OUTCOMES, RANGES, OFFSETS, FLOW}


def test_one_store_alone_may_be_checked(run) -> None:
    done, asked = run(off_store(), [dg.AssetCheckKey(LAKE, STORES)])
    assert list(results(done)) == [("s3/fraudulent-transactions-result", STORES)]
    assert asked == {"ledger": False, "topics": [Topic.RESULT]}


def test_the_ledger_alone_may_be_checked(run) -> None:
    _, asked = run(report_of(), [dg.AssetCheckKey(LEDGER, RANGES)])
    assert asked == {"ledger": True, "topics": []}


def test_wrong_settings_fail_the_run_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong() -> Settings:
        raise ConfigurationError("FRAUD_PARTITIONS is no number.")

    monkeypatch.setattr(checked, "__kwdefaults__", {"settings": wrong})
    done = dg.Definitions(asset_checks=[check_books], jobs=[books]).resolve_job_def("books")
    failed = done.execute_in_process(raise_on_error=False)
    (event,) = [e for e in failed.all_events if e.event_type_value == "STEP_FAILURE"]
    assert "FRAUD_PARTITIONS is no number." in (event.step_failure_data.error_display_string or "")


def test_a_defect_tells_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> Report:
        raise ValueError("900-12-3456")

    monkeypatch.setattr(examine, "examine", broken)
    monkeypatch.setattr(checked, "__kwdefaults__", {"settings": lambda: None})
    failed = dg.Definitions(asset_checks=[check_books], jobs=[books]).resolve_job_def("books")
    done = failed.execute_in_process(raise_on_error=False)
    (event,) = [e for e in done.all_events if e.event_type_value == "STEP_FAILURE"]
    assert "defect of the platform (ValueError" in (event.step_failure_data.error_display_string or "")
    assert "900-12-3456" not in str(event)


def test_the_books_are_balanced_each_hour() -> None:
    assert balance_books.cron_schedule == "5 * * * *"
    assert balance_books.default_status is dg.DefaultScheduleStatus.RUNNING
    assert balance_books.job_name == "books"


def test_an_hour_is_skipped_while_the_last_look_goes_on() -> None:
    job = dg.Definitions(asset_checks=[check_books], jobs=[books]).resolve_job_def("books")
    with dg.instance_for_test() as instance, dg.build_schedule_context(instance) as context:
        assert isinstance(balance_books(context), dg.RunRequest)
        instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
        skipped = balance_books(context)
        assert isinstance(skipped, dg.SkipReason)
        assert "not ended" in (skipped.skip_message or "")


def test_each_check_says_what_it_means() -> None:
    assert all(len(spec.description or "") > 40 for spec in definitions.check_books.check_specs)
