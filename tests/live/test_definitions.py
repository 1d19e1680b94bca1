"""The active rule set and its jobs, as Dagster runs them."""

from typing import Any

import dagster as dg
import pytest

from fraud_platform.adapters.rule_set_topic import read_history
from fraud_platform.live import definitions
from fraud_platform.live.change import publish
from fraud_platform.live.definitions import ACTIVE, active_rules, publications_sensor, publish_rules, rollback_rules
from fraud_platform.rules import files
from fraud_platform.settings import Settings
from tests.rules.publishing import limit

pytestmark = pytest.mark.services


@pytest.fixture
def instance(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> dg.DagsterInstance:
    for each in (definitions.looked, definitions.published, definitions.rolled_back):
        monkeypatch.setitem(each.__kwdefaults__, "settings", lambda: settings)
    return dg.DagsterInstance.ephemeral()


def shown(instance: dg.DagsterInstance) -> list[dict[str, Any]]:
    """Metadata of each materialization of the asset, oldest first."""
    records = instance.fetch_materializations(ACTIVE, limit=100, ascending=True).records
    found = [record.asset_materialization for record in records]
    return [{name: value.value for name, value in each.metadata.items()} for each in found if each]


def config(op: str, **given: Any) -> dict[str, Any]:
    return {"ops": {op: {"config": given}}}


def failure(done: Any) -> str:
    (event,) = done.get_step_failure_events()
    return str(event.step_failure_data.error_display_string)


def test_the_job_publishes_a_file_and_the_asset_says_who_when_and_what(
    instance: dg.DagsterInstance, settings: Settings
) -> None:
    given = config("publish_rule_set", path=str(files.DEFAULT_FILE), note="to begin with", by="ada")
    assert publish_rules.execute_in_process(instance=instance, run_config=given).success
    made = read_history(settings).require_active()
    (facts,) = shown(instance)
    assert (facts["version"], facts["number"], facts["how"]) == (files.load().version, made.number, "published")
    assert (facts["published_by"], facts["note"], facts["published_at"]) == (
        "ada", "to begin with", made.at.timestamp(),
    )  # fmt: skip
    assert (facts["dagster/row_count"], facts["rules_enabled"], facts["lateness"]) == (7, 3, "1d")
    rules = {record.data["id"]: record.data for record in facts["rules"].records}
    assert rules["small-interval"]["parameters"] == '{"within":"10s"}'
    assert [record.data for record in facts["lists"].records] == [{"list": "demo-mules", "accounts": 12, "names": 0}]
    assert "MULE" not in repr(facts)


def test_a_bad_set_is_refused_with_its_lines_and_the_old_one_stays(
    instance: dg.DagsterInstance, settings: Settings
) -> None:
    publish(settings, limit(211), by="ada")
    given = config("publish_rule_set", text="rules:\n  - {id: a}\n")
    done = publish_rules.execute_in_process(instance=instance, run_config=given, raise_on_error=False)
    assert "`text`:2: rule a: `action` is missing" in failure(done)
    assert read_history(settings).require_active().version == limit(211).version
    assert shown(instance) == []


@pytest.mark.parametrize("given", [{}, {"path": "a.yaml", "text": "rules: []"}])
def test_the_set_comes_from_one_place(instance: dg.DagsterInstance, given: dict[str, str]) -> None:
    done = publish_rules.execute_in_process(
        instance=instance, run_config=config("publish_rule_set", **given), raise_on_error=False
    )
    assert "Give exactly one of `path` and `text`." in failure(done)


def test_the_other_job_goes_back(instance: dg.DagsterInstance, settings: Settings) -> None:
    publish(settings, limit(221), by="ada")
    publish(settings, limit(222), by="ada")
    assert rollback_rules.execute_in_process(instance=instance).success
    (facts,) = shown(instance)
    assert (facts["version"], facts["replaces"], facts["how"]) == (
        limit(221).version, limit(222).version, "rolled back",
    )  # fmt: skip
    assert facts["published_by"].endswith(", Dagster")


def test_materializing_the_asset_looks_and_changes_nothing(instance: dg.DagsterInstance, settings: Settings) -> None:
    made = publish(settings, limit(231), by="ada")
    assert dg.materialize([active_rules], instance=instance).success
    assert [facts["number"] for facts in shown(instance)] == [made.number]
    assert read_history(settings).require_active() == made


def tick(settings: Settings, instance: dg.DagsterInstance, cursor: str | None = None) -> Any:
    context = dg.build_sensor_context(instance=instance, cursor=cursor)
    return publications_sensor(settings=lambda: settings).evaluate_tick(context)


def test_the_sensor_shows_what_was_published_elsewhere_once(instance: dg.DagsterInstance, settings: Settings) -> None:
    publish(settings, limit(241), by="ada")
    first = tick(settings, instance)
    assert [event.metadata["version"].value for event in first.asset_events] == [limit(241).version]
    for event in first.asset_events:
        instance.report_runless_asset_event(event)
    assert tick(settings, instance, first.cursor).skip_message == "nothing was published since the last look"
    publish(settings, limit(242), by="ada")
    publish(settings, limit(243), by="ada")
    second = tick(settings, instance, first.cursor)
    assert [event.metadata["version"].value for event in second.asset_events] == [
        limit(242).version, limit(243).version,
    ]  # fmt: skip


def test_the_sensor_says_why_it_cannot_look(instance: dg.DagsterInstance) -> None:
    nowhere = Settings.from_environment({}, embedded={})
    assert "KAFKA_BOOTSTRAP_SERVERS is not set" in tick(nowhere, instance).skip_message
