"""kill -9 of consumers at random moments under live traffic, and an outsider's verdict about what came out."""

import json
import os
import random
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

import pytest

from fraud_platform.adapters.admin import ensure_topics
from tests.conftest import fresh_settings
from tests.failure.catching import Offsets, committed, kill_in_the_middle, uncommitted
from tests.failure.evidence import READS
from tests.failure.inputs import make_inputs
from tests.failure.lines import save
from tests.failure.plain import Where
from tests.failure.slots import KILLED, Slots, environment_of, save_where, where_of
from tests.validator_api.service import running_validator

pytestmark = [pytest.mark.services, pytest.mark.failure]

RECORDS, RATE, KILLS = 2_000, 110, 6
PATIENCE_S = 60
STOP_S = 5
SEED = int(os.environ.get("FRAUD_FAILURE_SEED") or random.SystemRandom().randrange(1_000_000))


@dataclass(frozen=True)
class Kill:
    """One proved kill: records of the input that lay behind the group's offsets while all stood still."""

    stage: str
    uncommitted: int


class Executioner:
    """Kills stage processes in the middle of their work, and waits for what must follow."""

    def __init__(self, where: Where, slots: Slots, feeder: int) -> None:
        self._where = where
        self._slots = slots
        self._feeder = feeder
        self._dice = random.Random(SEED)
        self._killed_at: dict[str, Offsets] = {}

    def kill_all(self) -> list[Kill]:
        """Every stage once in random order, and more of them up to the number."""
        victims = self._dice.sample(list(READS), len(READS))
        victims += self._dice.choices(victims, k=KILLS - len(victims))
        return [self._kill(stage) for stage in victims]

    def _kill(self, stage: str) -> Kill:
        self._wait_for_progress(stage)
        victim = self._slots.processes[stage].pid
        count = kill_in_the_middle(
            self._where,
            stage,
            victim=lambda: victim,
            others=lambda _: [self._feeder, *(pid for pid in self._slots.pids if pid != victim)],
            dice=self._dice,
            patience_s=PATIENCE_S,
        )
        self._slots.wait_for_successor(stage, victim)
        self._killed_at[stage] = committed(self._where, stage)
        return Kill(stage, count)

    def _wait_for_progress(self, stage: str) -> None:
        """Until the stage has committed more than at its last death, so that it is at work and not starting."""
        deadline = time.monotonic() + PATIENCE_S
        while (now := committed(self._where, stage)) == self._killed_at.get(stage) or not any(now.values()):
            assert time.monotonic() < deadline, f"{stage} commits nothing\n{self._slots.log()}"
            time.sleep(0.05)

    def wait_until_all_is_read(self) -> None:
        """Until no stage, looked at in flow order, has input left, twice in a row: nothing is on its way."""
        deadline = time.monotonic() + PATIENCE_S
        quiet = 0
        while quiet < 2:
            assert time.monotonic() < deadline, f"the stages do not come to rest\n{self._slots.log()}"
            quiet = 0 if any(uncommitted(self._where, stage) for stage in READS) else quiet + 1


@dataclass(frozen=True)
class Trial:
    """What happened, and the verifier's report."""

    kills: list[Kill]
    ended: list[tuple[str, int]]
    exits: dict[str, int]
    stop_seconds: float
    verdict: int
    report: dict[str, Any]


@pytest.fixture(scope="module")
def trial(service_endpoints: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Trial:
    print(f"FRAUD_FAILURE_SEED={SEED}")
    folder = tmp_path_factory.mktemp("kill")
    inputs = folder / "inputs.jsonl"
    save(make_inputs(RECORDS, seed=SEED), inputs)
    with running_validator() as validator:
        changes = {"FRAUD_VALIDATOR_URL": f"{validator}/validate", "FRAUD_LAKE_FLUSH_SECONDS": "0.3"}
        settings = fresh_settings(service_endpoints, folder / "data", **changes)
        ensure_topics(settings)
        where = save_where(where_of(settings), folder / "where.json")
        files = ["--inputs", str(inputs), "--where", str(where)]
        slots = Slots(list(READS), environment_of(settings, service_endpoints), folder)
        feeder = subprocess.Popen([sys.executable, "-m", "tests.failure.feed", *files, "--rate", str(RATE)])
        executioner = Executioner(where_of(settings), slots, feeder.pid)
        try:
            kills = executioner.kill_all()
            assert feeder.poll() is None, "the kills took longer than the traffic"
            assert feeder.wait(PATIENCE_S) == 0
            executioner.wait_until_all_is_read()
        finally:
            feeder.kill()
            feeder.wait()
            began = time.monotonic()
            exits = slots.stop(2 * STOP_S)
            took = time.monotonic() - began
    verifier = [sys.executable, "-m", "tests.failure.verify", *files]
    done = subprocess.run(verifier, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    print(json.dumps({"kills": [vars(kill) for kill in kills], "stop_seconds": round(took, 1), **report}, indent=1))
    return Trial(kills, slots.ended, exits, took, done.returncode, report)


def test_each_kill_hit_uncommitted_input(trial: Trial) -> None:
    assert len(trial.kills) == KILLS
    assert all(kill.uncommitted > 0 for kill in trial.kills)
    assert {"lake", "documents"} <= {kill.stage for kill in trial.kills}


def test_no_process_died_of_anything_else(trial: Trial) -> None:
    assert trial.ended == [(kill.stage, KILLED) for kill in trial.kills]


def test_the_traffic_was_spread_over_many_transactions(trial: Trial) -> None:
    busy = trial.report["transactions_with_records"]
    assert busy["ingestion"] >= 50
    assert all(busy[stage] >= 5 for stage in READS)


def test_every_input_has_its_outcome_exactly_once_everywhere(trial: Trial) -> None:
    assert trial.report["faults"] == [], f"repeat with FRAUD_FAILURE_SEED={SEED}"
    assert trial.verdict == 0
    assert sum(trial.report["fates"].values()) == RECORDS


def test_a_stop_that_is_asked_for_ends_cleanly_in_time(trial: Trial) -> None:
    assert trial.exits == dict.fromkeys(READS, 0)
    assert trial.stop_seconds < STOP_S
