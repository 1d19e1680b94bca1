"""`Materialize`, the schedule and the sensor of the catalog, as Dagster runs them."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest

from fraud_platform.adapters.lake_reader import S3LakeReader
from fraud_platform.catalog import definitions
from fraud_platform.catalog.access import catalog_of
from fraud_platform.catalog.definitions import crawl_lake, hour_sensor, refresh_catalog
from fraud_platform.settings import Settings
from fraud_platform.topology import Topic
from tests.catalog.objects import put, put_changed, results, users
from tests.rows import user

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def filled(lake_settings: Settings) -> Settings:
    lake, naming = S3LakeReader(lake_settings), lake_settings.naming
    put(lake, naming, Topic.RESULT, results("t-1", "t-2"))
    put(lake, naming, Topic.USERS, users("u-1"))
    put_changed(lake, naming, Topic.USERS, user("u-2") | {"NAME": 5}, fields={"NAME": "int"}, start=1)
    return lake_settings


@pytest.fixture
def instance(filled: Settings, monkeypatch: pytest.MonkeyPatch) -> dg.DagsterInstance:
    monkeypatch.setattr(definitions.crawled, "__kwdefaults__", {"settings": lambda: filled})
    return dg.DagsterInstance.ephemeral()


def metadata(instance: dg.DagsterInstance, table: str) -> dict[str, Any]:
    event = instance.get_latest_materialization_event(dg.AssetKey(["glue", table]))
    assert event is not None
    assert event.asset_materialization is not None
    return {name: each.value for name, each in event.asset_materialization.metadata.items()}


def test_materialize_crawls_and_says_what_the_tables_hold(instance: dg.DagsterInstance, filled: Settings) -> None:
    assert dg.materialize([crawl_lake], instance=instance).success
    found = metadata(instance, "landing_users")
    assert (found["dagster/row_count"], found["partition_count"], found["object_count"]) == (1, 1, 2)
    assert found["dagster/uri"].startswith(f"s3://{filled.lake_bucket}/fraudulent-transactions/")
    assert found["dagster/table_name"] == f"{filled.glue_database}.landing_users"
    names = [column.name for column in found["dagster/column_schema"].columns]
    assert names[0] == "id"
    assert names[-2:] == ["dt", "hr"]
    assert found["incompatible_objects"] == 1
    assert "name is int" in found["problems"].records[0].data["reason"]
    assert metadata(instance, "landing_decisions")["dagster/row_count"] == 0


def test_the_result_table_shows_fraud_by_bank(instance: dg.DagsterInstance) -> None:
    assert dg.materialize([crawl_lake], instance=instance).success
    shown = metadata(instance, "landing_fraudulent_transactions_result")["fraud_by_bank_and_hour"]
    assert "an hour: now 2, highest 2" in shown
    assert "fraud_by_bank_and_hour" not in metadata(instance, "landing_users")


def test_one_table_may_be_chosen_and_looked_at_in_full(instance: dg.DagsterInstance) -> None:
    done = dg.materialize(
        [crawl_lake],
        instance=instance,
        selection=['key:"glue/landing_users"'],
        run_config={"ops": {"crawl_lake": {"config": {"full": True}}}},
    )
    assert [event.asset_key.path[-1] for event in done.get_asset_materialization_events()] == ["landing_users"]


def test_a_lake_that_does_not_answer_fails_in_one_sentence(
    filled: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = filled.model_copy(update={"glue_endpoint": "http://127.0.0.1:9"})
    monkeypatch.setattr(definitions.crawled, "__kwdefaults__", {"settings": lambda: away})
    done = dg.materialize([crawl_lake], instance=instance, raise_on_error=False)
    (failure,) = done.get_step_failure_events()
    assert "Glue does not answer" in (failure.step_failure_data.error_display_string or "")


@pytest.mark.parametrize(
    ("at", "full", "newest"), [((3, 0), True, 48), ((3, 15), False, 3), ((0, 0), False, 48), ((0, 45), False, 3)]
)
def test_the_schedule_looks_for_late_objects_each_hour_and_at_everything_once_a_day(
    at: tuple[int, int], full: bool, newest: int
) -> None:
    context = dg.build_schedule_context(scheduled_execution_time=datetime(2026, 1, 1, *at, tzinfo=UTC))
    found = refresh_catalog(context)
    assert isinstance(found, dg.RunRequest)
    assert found.run_config == {"ops": {"crawl_lake": {"config": {"full": full, "newest": newest}}}}


def tick(settings: Settings, cursor: str | None) -> Any:
    context = dg.build_sensor_context(cursor=cursor)
    return hour_sensor(settings=lambda: settings).evaluate_tick(context)


def asked(found: Any) -> set[str]:
    return {key.path[-1] for request in found.run_requests for key in request.asset_selection}


def test_the_first_object_of_an_hour_asks_for_a_crawl_of_its_table_once(
    filled: Settings, instance: dg.DagsterInstance
) -> None:
    assert dg.materialize([crawl_lake], instance=instance).success
    first = tick(filled, None)
    assert asked(first) == {"landing_fraudulent_transactions_result", "landing_users"}
    assert tick(filled, first.cursor).skip_message == "no hour has begun since the last look"
    lake = S3LakeReader(filled)
    put(lake, filled.naming, Topic.USERS, users("u-1"), at=30, start=77)
    second = tick(filled, first.cursor)
    assert asked(second) == {"landing_users"}
    put(lake, filled.naming, Topic.USERS, users("u-1"), at=30, start=78)
    assert tick(filled, second.cursor).run_requests == []


def test_a_catalog_that_forgot_its_tables_is_built_again(filled: Settings, instance: dg.DagsterInstance) -> None:
    assert dg.materialize([crawl_lake], instance=instance).success
    cursor = tick(filled, None).cursor
    assert tick(filled, cursor).run_requests == []
    client = catalog_of(filled)._client  # type: ignore[attr-defined]
    client.delete_table(DatabaseName=filled.glue_database, Name="landing_users")
    missed = tick(filled, cursor)
    assert asked(missed) == {"landing_users"}
    assert tick(filled, missed.cursor).run_requests == []  # once: the run may find nothing that makes a table
    assert dg.materialize([crawl_lake], instance=instance).success
    again = tick(filled, missed.cursor)
    assert again.run_requests == []
    client.delete_table(DatabaseName=filled.glue_database, Name="landing_users")
    assert asked(tick(filled, again.cursor)) == {"landing_users"}


@pytest.mark.parametrize("cursor", ["", "no JSON", "[]", '{"landing_users": "dt=2026-01-01/hr=00"}'])
def test_a_cursor_that_cannot_be_read_asks_once_more(
    filled: Settings, instance: dg.DagsterInstance, cursor: str
) -> None:
    assert dg.materialize([crawl_lake], instance=instance).success
    found = tick(filled, cursor)
    assert {"landing_fraudulent_transactions_result", "landing_users"} <= asked(found)
    assert tick(filled, found.cursor).run_requests == []


def test_a_store_that_is_away_is_a_reason_to_skip(filled: Settings) -> None:
    found = tick(filled.model_copy(update={"s3_endpoint": "http://127.0.0.1:9"}), None)
    assert "S3 does not answer" in found.skip_message
