"""A trial for a live stack whose ingestion runs under Dagster: traffic, proved kills, the verifier's verdict."""

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fraud_platform.runtime.drain import drain
from fraud_platform.settings import Settings
from fraud_platform.topology import STAGES
from tests.failure.catching import committed, kill_in_the_middle
from tests.failure.drains import drain_all
from tests.failure.inputs import make_inputs
from tests.failure.lines import save
from tests.failure.plain import Where
from tests.failure.slots import save_where, where_of
from tests.failure.traffic import Traffic, files_of
from tests.failure.watching import PATIENCE_S, seconds_until
from tests.validator_api.service import running_validator

RECORDS, RATE = 1_000, 40
PER_KILL = 3_000
"""Lines in reserve: the traffic flows until the last kill is over."""


@contextmanager
def traffic_for_ingestion(settings: Settings, folder: Path, *, lines: int, seed: int) -> Iterator[tuple[Where, int]]:
    """Traffic inside the block, of `lines` at most; after it all of it has been sent and read.

    Yields the platform's addresses and the pid of the feeder.
    """
    save(make_inputs(lines, seed=seed), folder / "inputs.jsonl")
    where = where_of(settings)
    save_where(where, folder / "where.json")
    traffic = Traffic(folder, rate=RATE, at_least=RECORDS)
    try:
        yield where, traffic.pid
        traffic.finish()
    finally:
        traffic.kill()
    # Waits for the live slot: a drain never reads beside one.
    drain(settings, STAGES["ingestion"])


def kill_ingestion_under_traffic(
    settings: Settings, folder: Path, pid: Callable[[], int | None], *, kills: int, seed: int
) -> list[int]:
    """Feed, kill the process behind `pid` with input open, again and again, and see that all traffic is read.

    Who replaces the process is the stack's own affair: nothing here starts one. `pid` tells None while there is
    none. Returns what was open at each kill.
    """
    dice, opened = random.Random(seed), list[int]()
    with traffic_for_ingestion(settings, folder, lines=RECORDS + kills * PER_KILL, seed=seed) as (where, feeder):
        for _ in range(kills):
            victim = _next_at_work(where, pid)
            opened.append(
                kill_in_the_middle(
                    where,
                    "ingestion",
                    victim=lambda victim=victim: victim,
                    others=lambda _: [feeder],
                    dice=dice,
                    patience_s=PATIENCE_S,
                )
            )
            seconds_until(lambda victim=victim: pid() not in (None, victim), lambda: "nobody replaces the process")
    return opened


def _next_at_work(where: Where, pid: Callable[[], int | None]) -> int:
    """The process that has committed something since it is looked at."""
    before, found = committed(where, "ingestion"), list[int]()

    def look() -> bool:
        there = pid()
        if there is not None and committed(where, "ingestion") != before:
            found.append(there)
        return bool(found)

    seconds_until(look, lambda: "the stage commits nothing")
    return found[0]


def verdict(settings: Settings, folder: Path) -> dict[str, Any]:
    """Bring the traffic through the other stages and ask the verifier."""
    with running_validator() as validator:
        asking = settings.model_copy(update={"validator_url": f"{validator}/validate"})
        drain_all(asking, but=["ingestion"])
    command = [sys.executable, "-m", "tests.failure.verify", *files_of(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report
