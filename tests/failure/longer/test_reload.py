"""New code under traffic: a reload brings it to the slot, and planned hand-overs leave no gap that anybody notices."""

import os
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

from fraud_platform.local.stack import Stack
from fraud_platform.orchestration import control, tags
from fraud_platform.settings import CHECKOUT
from fraud_platform.topology import INGESTION
from tests.failure.arena import SEED
from tests.failure.evidence import LEDGER
from tests.failure.plain import Topics, Where
from tests.failure.through_dagster import traffic_for_ingestion, verdict
from tests.orchestration.live import (
    is_replaced,
    live_stack,
    most_at_once,
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

STAY_S = 40
LIVE_S, GAP_S, PATIENCE_S = 60, 15, 180
LINES = 60_000
NEWS = {
    "__init__.py": [('__version__ = "0.1.0"', '__version__ = "0.2.0"')],
    "orchestration/long_run.py": [("HAND_OVER_S = 24 * 3600.0", f"HAND_OVER_S = {STAY_S}.0")],
}
"""The new version: another name in the ledger, and slots that hand over all the time."""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A copy of the package that a test may change."""
    copy = tmp_path / "source"
    shutil.copytree(CHECKOUT / "fraud_platform", copy / "fraud_platform", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CHECKOUT / "dagster.yaml", copy)
    return copy


@pytest.fixture
def stack(source: Path, tmp_path: Path) -> Iterator[Stack]:
    path = os.pathsep.join([str(source), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    with live_stack(tmp_path / "live", PYTHONPATH=path) as stack:
        yield stack


def change(source: Path) -> None:
    for name, edits in NEWS.items():
        path = source / "fraud_platform" / name
        text = path.read_text()
        for old, new in edits:
            assert old in text
            text = text.replace(old, new)
        path.write_text(text)


def entries(where: Where) -> list[dict[str, Any]]:
    """What ingestion has written into the ledger so far, by time."""
    with Topics(where) as topics:
        found = [topics.decode(row.value) for row in topics.read(LEDGER, wait=False)]
    return sorted((each for each in found if each["stage"] == INGESTION.name), key=lambda each: each["committed_at"])


def versions(where: Where) -> set[str]:
    """The code versions that have done some of the work."""
    return {entry["code_version"] for entry in entries(where) if entry["outcomes"]}


def gaps_s(where: Where) -> list[float]:
    """From the last entry of each run to the first of the next."""
    return [
        (later["committed_at"] - earlier["committed_at"]).total_seconds()
        for earlier, later in pairwise(entries(where))
        if earlier["run_id"] != later["run_id"]
    ]


def handed_over(home: DagsterInstance) -> int:
    ended = RunsFilter(job_name=tags.job_name(INGESTION), statuses=[DagsterRunStatus.SUCCESS])
    return home.get_runs_count(ended)


def test_new_code_is_live_after_a_reload_and_planned_hand_overs_leave_no_gap(
    stack: Stack, source: Path, tmp_path: Path, sized, note
) -> None:
    settings, rounds = stack.settings(), sized(8)
    with control.open_instance(settings) as home:
        old = run_of_ingestion(settings, home)
        traffic = traffic_for_ingestion(settings, tmp_path, lines=LINES, seed=SEED)
        with most_at_once(settings) as most, traffic as (where, _):
            seconds_until(lambda: versions(where) == {"0.1.0"}, PATIENCE_S)
            change(source)
            reloaded = stack.kill("dagster-code")
            live_after = seconds_until(lambda: "0.2.0" in versions(where), PATIENCE_S)
            stack.wait_restarted("dagster-code", reloaded)
            assert is_replaced(home, old)
            assert status(home, old) is DagsterRunStatus.CANCELED
            assert control.keeper(home, INGESTION).is_on
            seconds_until(lambda: not psutil.pid_exists(pid_of(old)), PATIENCE_S)
            seconds_until(lambda: handed_over(home) >= rounds, PATIENCE_S * rounds)
            gaps = gaps_s(where)
    report = verdict(settings, tmp_path)
    note(new_code_after_s=live_after, hand_overs=rounds, gaps_s=gaps, consumers_at_once=most[0])
    assert report["faults"] == [], f"repeat with FRAUD_FAILURE_SEED={SEED}"
    assert most == [1]
    assert live_after <= AT_WORK * LIVE_S
    assert len(gaps) >= rounds
    assert max(gaps) <= AT_WORK * GAP_S  # a gap is the start of a process: on a busy machine some take long
