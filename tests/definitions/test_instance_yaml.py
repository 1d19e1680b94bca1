"""The instance that dagster.yaml makes."""

from pathlib import Path

import pytest
import yaml
from dagster import DagsterInstance

from fraud_platform.settings import CHECKOUT


@pytest.fixture
def instance(tmp_path: Path):
    (tmp_path / "dagster.yaml").write_text((CHECKOUT / "dagster.yaml").read_text())
    with DagsterInstance.from_config(str(tmp_path)) as instance:
        yield instance


def test_nothing_phones_home(instance: DagsterInstance) -> None:
    assert not instance.telemetry_enabled
    assert not instance.nux_enabled


def test_long_runs_leave_room_for_everything_else(instance: DagsterInstance) -> None:
    queue = instance.get_concurrency_config().run_queue_config
    assert queue.max_concurrent_runs == 200
    limits = {limit["key"]: limit for limit in queue.tag_concurrency_limits}
    assert limits["fraud/slot"] == {
        "key": "fraud/slot", "limit": 1, "value": {"applyLimitPerUniqueValue": True},
    }  # fmt: skip
    assert limits["fraud/batch"]["limit"] == 2


def test_nobody_but_the_keepers_starts_a_run_again(instance: DagsterInstance) -> None:
    assert not instance.run_retries_enabled
    assert instance.run_monitoring_enabled
    assert instance.run_monitoring_max_runtime_seconds in (0, None)


def test_history_lives_in_the_home(instance: DagsterInstance, tmp_path: Path) -> None:
    instance.add_dynamic_partitions("banks", ["one"])  # any write makes the files
    assert (tmp_path / "history" / "runs" / "index.db").exists()
    assert Path(instance.root_directory) == tmp_path


def test_old_ticks_are_purged() -> None:
    retention = yaml.safe_load((CHECKOUT / "dagster.yaml").read_text())["retention"]
    assert retention["sensor"]["purge_after_days"]["skipped"] == 1
