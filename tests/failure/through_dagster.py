"""A trial for a live stack whose ingestion runs under Dagster: traffic, one proved kill -9, the verifier's verdict."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fraud_platform.runtime.drain import drain
from fraud_platform.settings import Settings
from fraud_platform.topology import STAGES
from tests.failure.catching import committed, kill_in_the_middle
from tests.failure.evidence import READS
from tests.failure.inputs import make_inputs
from tests.failure.lines import save
from tests.failure.slots import save_where, where_of
from tests.validator_api.service import running_validator

RECORDS, RATE = 1_000, 60
PATIENCE_S = 90


def kill_ingestion_under_traffic(settings: Settings, folder: Path, pid: Callable[[], int], *, seed: int) -> int:
    """Feed, kill the process behind `pid` with input open, and see that all traffic is read. Returns what was open.

    Who replaces the process is the stack's own affair: nothing here starts one.
    """
    save(make_inputs(RECORDS, seed=seed), folder / "inputs.jsonl")
    where = where_of(settings)
    save_where(where, folder / "where.json")
    command = [sys.executable, "-m", "tests.failure.feed", *_files(folder), "--rate", str(RATE)]
    with subprocess.Popen(command) as feeder:
        try:
            _wait(lambda: any(committed(where, "ingestion").values()))
            count = kill_in_the_middle(
                where,
                "ingestion",
                victim=pid,
                others=lambda _: [feeder.pid],
                dice=random.Random(seed),
                patience_s=PATIENCE_S,
            )
            assert feeder.wait(PATIENCE_S) == 0
        finally:
            feeder.kill()
    # Waits for the live slot: a drain never reads beside one.
    drain(settings, STAGES["ingestion"])
    return count


def verdict(settings: Settings, folder: Path) -> dict[str, Any]:
    """Bring the traffic through the other stages and ask the verifier."""
    with running_validator() as validator:
        asking = settings.model_copy(update={"validator_url": f"{validator}/validate"})
        for stage in READS:
            if stage != "ingestion":
                drain(asking, STAGES[stage])
    command = [sys.executable, "-m", "tests.failure.verify", *_files(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def _files(folder: Path) -> list[str]:
    return ["--inputs", str(folder / "inputs.jsonl"), "--where", str(folder / "where.json")]


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "the stage commits nothing"
        time.sleep(0.1)
