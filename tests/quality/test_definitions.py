"""The checks as Dagster evaluates them, over views that a test fills."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster import DagsterInstance

from fraud_platform.alerts import failing_checks
from fraud_platform.alerts.sensor import Scene
from fraud_platform.errors import BrokerUnavailable
from fraud_platform.quality import views
from fraud_platform.quality.checks import GROUPS, KNOWN, READ, ROWS, Group
from fraud_platform.quality.definitions import CHECKS, asset_checks, check_data_quality_hourly
from fraud_platform.quality.drift import Mix
from fraud_platform.quality.outcomes import Outcomes
from fraud_platform.quality.reading import Reader
from fraud_platform.quality.recency import Newest
from fraud_platform.settings import Settings
from fraud_platform.topology import Topic
from tests.quality.makers import NOW, sampled
from tests.quality.test_outcomes import entry, outcomes
from tests.quality.test_records import GOOD

HOUR = timedelta(hours=1)


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_environment({"FRAUD_DATA_DIR": str(tmp_path)}, embedded={})


class Views:
    """What the readers would find; everything is well."""

    def __init__(self) -> None:
        self.readers = {topic: [Reader(stage="lake", lag=0)] for topic in READ}
        self.newest = {
            topic: Newest(at=NOW, is_input=topic in (Topic.BANK_TRANSACTIONS, Topic.STATEMENTS))
            for topic in (Topic.BANK_TRANSACTIONS, Topic.STATEMENTS, *ROWS)
        }
        self.samples = {**{topic: sampled(GOOD[topic]) for topic in ROWS}, Topic.LEDGER: sampled({})}
        self.entries = [entry(discarded_legitimate=5, stored=95)]
        self.looked_since: list[datetime | None] = []
        steady = Mix({"ALLOW": 1000}, {"v1": 1000})
        self.mixes = steady, steady

    def ledger_outcomes(self, settings: Settings, *, now: datetime, evaluations_since: datetime | None) -> Outcomes:
        self.looked_since.append(evaluations_since)
        return outcomes(*self.entries)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(views, "readers", lambda settings: self.readers)
        monkeypatch.setattr(views, "retentions", lambda settings, topics: dict.fromkeys(topics, 30 * 86400.0))
        monkeypatch.setattr(views, "newest", lambda settings, topics, expected: self.newest)
        monkeypatch.setattr(views, "samples", lambda settings, topics: self.samples)
        monkeypatch.setattr(views, "ledger_outcomes", self.ledger_outcomes)
        monkeypatch.setattr(views, "mixes", lambda settings, now: self.mixes)


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Views:
    views = Views()
    views.install(monkeypatch)
    return views


class Bench:
    def __init__(self, instance: DagsterInstance, settings: Settings) -> None:
        self.instance, self.settings = instance, settings

    def evaluate(self, *groups: Group) -> dict[str, dg.AssetCheckEvaluation]:
        """`asset:check` -> evaluation of each check of the groups, all of them by default."""
        checks = [asset_checks(g, settings=lambda: self.settings, clock=lambda: NOW) for g in groups or GROUPS]
        job = dg.define_asset_job("checks", selection=dg.AssetSelection.checks(*checks))
        defs = dg.Definitions(asset_checks=checks, jobs=[job], executor=dg.in_process_executor)
        done = defs.resolve_job_def("checks").execute_in_process(instance=self.instance, raise_on_error=False)
        self.failures = [event.step_failure_data.error_display_string or "" for event in done.get_step_failure_events()]
        evaluations = done.get_asset_check_evaluations()
        return {f"{each.asset_key.to_user_string()}:{each.check_name}": each for each in evaluations}


@pytest.fixture
def bench(instance: DagsterInstance, settings: Settings, found: Views, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr("fraud_platform.quality.checks.expected_inputs", lambda settings, instance: [])
    return Bench(instance, settings)


def test_every_check_passes_where_all_is_well(bench: Bench) -> None:
    done = bench.evaluate()
    assert bench.failures == []
    assert len(done) == sum(len(group.specs) for group in GROUPS)
    assert [name for name, each in done.items() if not each.passed] == []
    assert all(each.description for each in done.values())


@pytest.mark.parametrize(
    ("change", "failing"),
    [
        ({"readers": {READ[0]: [Reader(stage="lake", lag=10**6)]}}, ["kafka/bank-transactions:readers_keep_up"]),
        ({"newest": {Topic.RESULT: Newest(at=NOW - 2 * HOUR, waits_since=NOW - HOUR)}},
         ["kafka/fraudulent-transactions-result:events_are_recent"]),
        ({"samples": {Topic.USERS: sampled(None)}}, ["kafka/users:records_match_schema"]),
        ({"samples": {Topic.USERS: sampled({"ID": ""})}}, ["kafka/users:fields_are_plausible"]),
        ({"samples": {Topic.RESULT: sampled(*[GOOD[Topic.RESULT]] * 9)}},
         ["kafka/fraudulent-transactions-result:ids_are_single"]),
        ({"entries": [entry(dead_lettered=50, stored=50)]}, ["kafka/dead-letters:dead_letters_are_few"]),
        ({"mixes": (Mix({"BLOCK": 500}, {}), Mix({"ALLOW": 500}, {}))}, ["kafka/decisions:decision_mix_is_steady"]),
    ],
    ids=["lag", "recency", "schema", "ranges", "ids", "dead letters", "drift"],
)  # fmt: skip
def test_each_fault_fails_the_check_that_is_for_it(
    bench: Bench, found: Views, change: dict[str, Any], failing: list[str]
) -> None:
    for name, value in change.items():
        before = getattr(found, name)
        setattr(found, name, {**before, **value} if isinstance(value, dict) else value)
    done = bench.evaluate()
    assert [name for name, each in done.items() if not each.passed] == failing


def test_old_events_that_came_since_the_last_evaluation_flow(bench: Bench, found: Views) -> None:
    recent, name = GROUPS[1], "kafka/bank-transactions:events_are_recent"
    found.newest = {Topic.BANK_TRANSACTIONS: Newest(at=NOW - HOUR, end=5, is_input=True, is_expected=True)}
    alone = Group(name="r", about="r", evaluate=recent.evaluate, specs=recent.specs[:1])
    assert not bench.evaluate(alone)[name].passed
    found.newest = {Topic.BANK_TRANSACTIONS: Newest(at=NOW - HOUR, end=6, is_input=True, is_expected=True)}
    assert bench.evaluate(alone)[name].passed


def test_a_new_evaluation_is_told_once_and_known_from_then_on(bench: Bench, found: Views) -> None:
    group = GROUPS[3]
    name = f"{KNOWN.asset_key.to_user_string()}:{KNOWN.name}"
    found.entries = [entry(discarded_legitimate=5)]
    assert bench.evaluate(group)[name].passed
    found.entries = [entry(discarded_FRAUD=3)]
    failed = bench.evaluate(group)[name]
    assert (failed.passed, failed.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert failed.metadata["values_seen"].value == "FRAUD,legitimate"
    assert bench.evaluate(group)[name].passed
    first, second, third = found.looked_since
    assert first is None
    assert second is not None
    assert second <= third


def test_an_evaluation_that_is_new_at_the_first_look_is_told(bench: Bench, found: Views) -> None:
    found.entries = [entry(discarded_FRAUD=3)]
    assert not bench.evaluate(GROUPS[3])[f"{KNOWN.asset_key.to_user_string()}:{KNOWN.name}"].passed


def test_a_service_that_is_away_fails_its_checks_in_one_sentence_and_no_others(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(settings: Settings) -> Any:
        raise BrokerUnavailable("Kafka does not answer as it should: _TRANSPORT.")

    monkeypatch.setattr(views, "readers", away)
    done = bench.evaluate()
    assert len(done) == sum(len(group.specs) for group in GROUPS[1:])
    assert len(bench.failures) == 1
    assert "Kafka does not answer as it should" in bench.failures[0]


def test_a_defect_tells_no_value(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(settings: Settings) -> Any:
        raise ValueError("900-12-3456")

    monkeypatch.setattr(views, "readers", broken)
    bench.evaluate(GROUPS[0])
    (failure,) = bench.failures
    assert "failed on a defect of the platform (ValueError" in failure
    assert "900-12-3456" not in failure


def test_a_failing_check_becomes_an_alert_with_its_own_words(bench: Bench, found: Views, settings: Settings) -> None:
    found.readers = {READ[0]: [Reader(stage="ingestion", lag=10**6, lost=[0])]}
    done = bench.evaluate(Group(**{name: getattr(GROUPS[0], name) for name in ("name", "about", "evaluate")}, specs=[
        spec for spec in GROUPS[0].specs if spec.asset_key.path[-1] == READ[0]
    ]))  # fmt: skip
    keys = [key for check in CHECKS for key in check.check_keys]
    scene = Scene(settings=settings, instance=bench.instance, now=0.0, checks=keys)
    (problem,) = failing_checks.look(scene).problems  # the lag itself has a sensor of its own
    assert problem.key == "check:kafka/bank-transactions:retention_leaves_time"
    assert problem.text == done["kafka/bank-transactions:retention_leaves_time"].description


def test_one_check_alone_can_be_evaluated(bench: Bench) -> None:
    check = asset_checks(GROUPS[2], settings=lambda: bench.settings, clock=lambda: NOW)
    wanted = dg.AssetCheckKey(dg.AssetKey(["kafka", "users"]), "records_match_schema")
    job = dg.define_asset_job("one", selection=dg.AssetSelection.checks(wanted))
    done = dg.Definitions(asset_checks=[check], jobs=[job]).resolve_job_def("one").execute_in_process(
        instance=bench.instance
    )  # fmt: skip
    assert [each.check_name for each in done.get_asset_check_evaluations()] == ["records_match_schema"]


def test_checks_have_descriptions_and_single_names() -> None:
    specs = [spec for group in GROUPS for spec in group.specs]
    assert len({spec.key for spec in specs}) == len(specs)
    assert all(spec.description and spec.description.endswith(".") for spec in specs)
    assert {name for spec in specs if (name := spec.name)} == {
        "readers_keep_up", "retention_leaves_time", "events_are_recent", "records_match_schema",
        "fields_are_plausible", "ids_are_single", "dead_letters_are_few", "evaluations_are_known",
        "decision_mix_is_steady",
    }  # fmt: skip


def test_the_schedule_is_hourly_and_on() -> None:
    assert check_data_quality_hourly.cron_schedule == "10 * * * *"
    assert check_data_quality_hourly.default_status is dg.DefaultScheduleStatus.RUNNING
