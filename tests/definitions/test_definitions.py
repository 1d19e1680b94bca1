"""Definitions load as the code server loads them, and nothing of them vanishes unnoticed."""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from fraud_platform.definitions import defs
from fraud_platform.orchestration import tags
from fraud_platform.settings import CHECKOUT
from fraud_platform.topology import STAGES, Topic

ASSETS: dict[str, list[str]] = {
    "kafka/bank-transactions": [],
    "kafka/transaction.input": [],
    "kafka/labels": [],
    "kafka/fraudulent-transactions": ["kafka/bank-transactions"],
    "kafka/unidentified-transactions": ["kafka/bank-transactions"],
    "kafka/fraudulent-transactions-result": ["kafka/fraudulent-transactions", "kafka/unidentified-transactions"],
    "kafka/users": ["kafka/fraudulent-transactions", "kafka/unidentified-transactions"],
    "kafka/decisions": ["kafka/transaction.input", "kafka/unidentified-transactions"],
    "kafka/transaction.fraud.result": ["kafka/transaction.input"],
    "kafka/monitoring-state": ["kafka/transaction.input"],
    "kafka/ledger": [],
    "kafka/dead-letters": [],
    "kafka/rule-sets": [],
    "rules/active": ["kafka/rule-sets"],
    "rules/replayed": [
        "kafka/decisions",
        "kafka/labels",
        "kafka/transaction.input",
        "kafka/unidentified-transactions",
        "rules/active",
    ],
    "s3/fraudulent-transactions-result": ["kafka/fraudulent-transactions-result"],
    "s3/users": ["kafka/users"],
    "s3/transaction.fraud.result": ["kafka/transaction.fraud.result"],
    "s3/decisions": ["kafka/decisions"],
    "glue/landing_fraudulent_transactions_result": ["s3/fraudulent-transactions-result"],
    "glue/landing_users": ["s3/users"],
    "glue/landing_transaction_fraud_result": ["s3/transaction.fraud.result"],
    "glue/landing_decisions": ["s3/decisions"],
    "glue/curated_fraudulent_transactions_result": ["glue/landing_fraudulent_transactions_result"],
    "glue/curated_users": ["glue/landing_users"],
    "glue/curated_transaction_fraud_result": ["glue/landing_transaction_fraud_result"],
    "glue/curated_decisions": ["glue/landing_decisions"],
    "mongodb/transactions": ["kafka/fraudulent-transactions-result"],
    "mongodb/users": ["kafka/users"],
    "mongodb/monitored_transactions": ["kafka/transaction.fraud.result"],
    "mongodb/decisions": ["kafka/decisions"],
}
EXTERNAL = {"kafka/bank-transactions", "kafka/transaction.input", "kafka/labels", "kafka/rule-sets"}


def environment(home: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "DAGSTER_HOME": str(home), "DAGSTER_DISABLE_TELEMETRY": "yes"}


def dagster(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    """A dagster command in a foreign folder, without any variable of ours."""
    command = [sys.executable, "-m", "dagster", *arguments]
    return subprocess.run(
        command, cwd=home, env=environment(home), capture_output=True, text=True, timeout=120, check=True
    )


def test_the_workspace_loads_from_any_folder_without_network_or_variables(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text((CHECKOUT / "dagster.yaml").read_text())
    done = dagster("definitions", "validate", "-w", str(CHECKOUT / "workspace.yaml"), home=tmp_path)
    assert "Validation successful for code location fraud_platform" in done.stdout + done.stderr


def test_definitions_are_loadable_as_a_whole() -> None:
    dg.Definitions.validate_loadable(defs)


def test_assets_and_their_lineage() -> None:
    graph = defs.resolve_asset_graph()
    found = {
        key.to_user_string(): sorted(parent.to_user_string() for parent in graph.get(key).parent_keys)
        for key in graph.get_all_asset_keys()
    }
    assert found == ASSETS


def test_everything_but_the_inputs_from_outside_can_be_materialized() -> None:
    graph = defs.resolve_asset_graph()
    materializable = {key.to_user_string() for key in graph.materializable_asset_keys}
    assert materializable == ASSETS.keys() - EXTERNAL


def test_jobs() -> None:
    names = {job.name for job in defs.resolve_all_job_defs() if not job.name.startswith("__")}
    others = {"catch_up", "crawl", "compact", "check_data_quality", "books", "clean_history"}
    others |= {"publish_rules", "rollback_rules", "replay_hours"}
    assert names == {*STAGES, *others}
    assert defs.resolve_job_def("catch_up").partitions_def is None


def test_each_stage_has_its_keeper_and_only_the_banks_wait_to_be_asked() -> None:
    keepers = {sensor.name: sensor.default_status for sensor in defs.sensors if sensor.name.startswith("keep_")}
    running, stopped = dg.DefaultSensorStatus.RUNNING, dg.DefaultSensorStatus.STOPPED
    assert keepers == {
        "keep_banks_running": stopped,
        "keep_ingestion_running": running,
        "keep_projection_running": running,
        "keep_validation_running": running,
        "keep_monitoring_running": running,
        "keep_lake_running": running,
        "keep_documents_running": running,
    }


def test_the_catalog_is_refreshed_every_15_minutes_and_at_new_hours_and_the_lake_is_compacted_hourly() -> None:
    schedules = {schedule.name: (schedule.cron_schedule, schedule.default_status) for schedule in defs.schedules}
    assert schedules == {
        "refresh_catalog": ("*/15 * * * *", dg.DefaultScheduleStatus.RUNNING),
        "compact_lake": ("20 * * * *", dg.DefaultScheduleStatus.RUNNING),
        "balance_books": ("5 * * * *", dg.DefaultScheduleStatus.RUNNING),
        "clean_history_daily": ("50 2 * * *", dg.DefaultScheduleStatus.RUNNING),
        "check_data_quality_hourly": ("10 * * * *", dg.DefaultScheduleStatus.RUNNING),
    }
    others = {s.name: s.default_status for s in defs.sensors if not s.name.startswith(("keep_", "alert_"))}
    running = dg.DefaultSensorStatus.RUNNING
    assert others == {"first_object_of_an_hour": running, "curated_hours_lost": running, "rules_published": running}


def test_checks_are_not_run_by_catching_up() -> None:
    assert {node.name for node in defs.resolve_job_def("books").nodes} == {"check_books"}
    assert "check_books" not in {node.name for node in defs.resolve_job_def("catch_up").nodes}


def test_each_kind_of_trouble_has_its_alert() -> None:
    kinds = {s.name.removeprefix("alert_"): s.default_status for s in defs.sensors if s.name.startswith("alert_")}
    assert kinds.keys() == {
        "failed_runs", "slots_down", "lag", "dead_letters", "failing_checks", "stale_data", "fraud_surge",
        "validator_down",
    }  # fmt: skip
    assert set(kinds.values()) == {dg.DefaultSensorStatus.RUNNING}


@pytest.mark.parametrize("key", ASSETS)
def test_every_asset_says_what_it_is(key: str) -> None:
    spec = next(s for s in defs.resolve_all_asset_specs() if s.key.to_user_string() == key)
    assert len(spec.description) > 20
    assert spec.owners == ["team:fraud"]
    assert spec.kinds
    assert bool(spec.code_version) is (key not in EXTERNAL)
    assert spec.group_name in {*STAGES, "accounting", "catalog", "curated", "replay", "rules"}


@pytest.mark.parametrize("key", ASSETS)
def test_what_the_platform_makes_steadily_has_a_freshness_policy(key: str) -> None:
    spec = next(s for s in defs.resolve_all_asset_specs() if s.key.to_user_string() == key)
    by_the_hour = spec.group_name in {"curated", "replay"}  # an hour is written once, or again when late rows came
    is_without = by_the_hour or key in EXTERNAL | {
        "kafka/ledger", "kafka/dead-letters", "kafka/monitoring-state", "rules/active",
    }  # fmt: skip
    assert (spec.freshness_policy is None) is is_without


def test_assets_with_a_schema_show_its_columns() -> None:
    specs = {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}
    columns = {column.name for column in specs["s3/users"].metadata["dagster/column_schema"].columns}
    assert {"ID", "SOURCE_PROCESS", "kafka_partition", "kafka_offset", "kafka_timestamp"} <= columns
    assert "dagster/column_schema" not in specs["kafka/bank-transactions"].metadata


@pytest.mark.parametrize("topic", Topic)
def test_every_topic_is_an_asset(topic: Topic) -> None:
    assert f"kafka/{topic.value}" in ASSETS


@pytest.mark.parametrize("stage", STAGES.values(), ids=lambda stage: stage.name)
def test_a_long_run_is_never_retried_nor_limited(stage) -> None:
    job = defs.resolve_job_def(tags.job_name(stage))
    assert job.tags["dagster/max_retries"] == "0"
    assert job.tags["dagster/max_runtime"] == "0"
    assert job.tags[tags.STAGE] == stage.name
    assert job.executor_def is dg.in_process_executor
    assert [node.definition.retry_policy for node in job.nodes] == [None]
    assert [node.retry_policy for node in job.nodes] == [None]
