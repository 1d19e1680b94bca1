"""Kills of what Dagster runs and of Dagster itself, again and again under traffic."""

import os
import signal
from pathlib import Path

import pytest
from dagster import DagsterInstance, DagsterRunStatus

from fraud_platform.local.stack import Stack
from fraud_platform.settings import Settings
from tests.failure.arena import SEED
from tests.failure.through_dagster import kill_ingestion_under_traffic, verdict
from tests.orchestration.live import (
    is_replaced,
    pid_at_work,
    pid_of,
    run_of_ingestion,
    seconds_until,
    status,
)
from tests.patience import AT_WORK

# The heaviest trials take turns on one worker.
pytestmark = [
    pytest.mark.services, pytest.mark.long, pytest.mark.timeout(3000), pytest.mark.xdist_group("dagster"),
]  # fmt: skip

ORPHAN_BACK_S = 60


def test_an_op_that_is_killed_again_and_again_comes_back_and_repeats_nothing(
    live_settings: Settings, home: DagsterInstance, tmp_path: Path, sized, note
) -> None:
    run_of_ingestion(live_settings, home)
    opened = kill_ingestion_under_traffic(
        live_settings, tmp_path, lambda: pid_at_work(home), kills=sized(20), seed=SEED
    )
    report = verdict(live_settings, tmp_path)
    note(kills=len(opened), records=report["topics"]["bank-transactions"], longest_pause_s=report["longest_pause_s"])
    assert report["faults"] == [], f"repeat with FRAUD_FAILURE_SEED={SEED}"


@pytest.mark.parametrize("service", ["dagster-code", "dagster-daemon"])
def test_an_op_that_dies_with_its_server_is_replaced(
    stack: Stack, home: DagsterInstance, sized, note, service: str
) -> None:
    took = []
    for _ in range(sized(5)):
        run = run_of_ingestion(stack.settings(), home)
        killed = stack.kill(service)
        os.kill(pid_of(run), signal.SIGKILL)
        stack.wait_restarted(service, killed)
        took.append(seconds_until(lambda run=run: is_replaced(home, run), 120))
        assert status(home, run) is DagsterRunStatus.FAILURE
    note(kills=len(took), longest_s=round(max(took), 1))
    assert max(took) <= AT_WORK * ORPHAN_BACK_S
