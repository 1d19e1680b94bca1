"""kill -9 of consumers at random moments under live traffic, and an outsider's verdict about what came out."""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fraud_platform.adapters.admin import ensure_topics
from fraud_platform.settings import Settings
from tests.conftest import fresh_settings
from tests.failure.evidence import READS
from tests.failure.inputs import make_inputs, save
from tests.failure.plain import Topics, committed_offsets
from tests.failure.slots import KILLED, Slots, environment_of, frozen, save_where, where_of
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
    """Kills stage processes, each at a moment when it demonstrably has input that is not committed."""

    def __init__(self, settings: Settings, slots: Slots, feeder: "subprocess.Popen[bytes]", dice: random.Random) -> None:
        self._where = where_of(settings)
        self._slots = slots
        self._feeder = feeder
        self._dice = dice

    def wait_for_progress(self, stage: str, since: dict[tuple[str, int], int]) -> dict[tuple[str, int], int]:
        """Until the stage has committed more than `since`, so that it is at work and not starting."""
        deadline = time.monotonic() + PATIENCE_S
        while (now := self.committed(stage)) == since or not any(now.values()):
            assert time.monotonic() < deadline, f"{stage} commits nothing\n{self._slots.log()}"
            time.sleep(0.05)
        return now

    def committed(self, stage: str) -> dict[tuple[str, int], int]:
        offsets = {topic: committed_offsets(self._where, f"fraud-platform.{stage}", topic) for topic in READS[stage]}
        return {(topic, number): at for topic, found in offsets.items() for number, at in found.items()}

    def uncommitted(self, stage: str) -> int:
        """Committed records of the stage's inputs at or above the group's offsets; markers do not count."""
        at = self.committed(stage)
        starts = {topic: {p: offset for (name, p), offset in at.items() if name == topic} for topic in READS[stage]}
        with Topics(self._where) as topics:
            return sum(len(topics.read(topic, starts[topic])) for topic in READS[stage])

    def kill(self, stage: str) -> Kill:
        """Freeze the process at a random moment, then everybody else; look; kill it, or let all go on and try again."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            time.sleep(self._dice.uniform(0.05, 0.6))
            victim = self._slots.processes[stage]
            others = [process for process in self._slots.processes.values() if process is not victim]
            with frozen([victim, self._feeder, *others]):
                uncommitted = self.uncommitted(stage)
                if uncommitted:
                    self._slots.kill(stage, victim)
                    return Kill(stage, uncommitted)
        raise AssertionError(f"{stage} is never caught with uncommitted input\n{self._slots.log()}")

    def wait_until_all_is_read(self) -> None:
        """Until no stage, looked at in flow order, has input left, twice in a row: nothing is on its way."""
        deadline = time.monotonic() + PATIENCE_S
        quiet = 0
        while quiet < 2:
            assert time.monotonic() < deadline, f"the stages do not come to rest\n{self._slots.log()}"
            quiet = 0 if any(self.uncommitted(stage) for stage in READS) else quiet + 1


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
def trial(service_endpoints: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
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
        executioner = Executioner(settings, slots, feeder, random.Random(SEED))
        try:
            kills = _kill_all(executioner)
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
    yield Trial(kills, slots.ended, exits, took, done.returncode, report)


def _kill_all(executioner: Executioner) -> list[Kill]:
    """Every stage once in random order, and more of them up to the number."""
    dice = random.Random(SEED)
    victims = dice.sample(list(READS), len(READS))
    victims += dice.choices(victims, k=KILLS - len(victims))
    at: dict[str, dict[tuple[str, int], int]] = {}
    kills = []
    for stage in victims:
        executioner.wait_for_progress(stage, at.get(stage, {}))
        kills.append(executioner.kill(stage))
        at[stage] = executioner.committed(stage)
    return kills


def test_each_kill_hit_uncommitted_input(trial: Trial) -> None:
    assert len(trial.kills) == KILLS
    assert all(kill.uncommitted > 0 for kill in trial.kills)
    assert {"lake", "documents"} <= {kill.stage for kill in trial.kills}


def test_no_process_died_of_anything_else(trial: Trial) -> None:
    assert trial.ended == [(kill.stage, KILLED) for kill in trial.kills]


def test_the_traffic_was_spread_over_many_transactions(trial: Trial) -> None:
    busy = trial.report["transactions_with_records"]
    assert busy["ingestion"] >= 100
    assert all(busy[stage] >= 10 for stage in READS)


def test_every_input_has_its_outcome_exactly_once_everywhere(trial: Trial) -> None:
    assert trial.report["faults"] == [], f"repeat with FRAUD_FAILURE_SEED={SEED}"
    assert trial.verdict == 0
    assert sum(trial.report["fates"].values()) == RECORDS


def test_a_stop_that_is_asked_for_ends_cleanly_in_time(trial: Trial) -> None:
    assert trial.exits == dict.fromkeys(READS, 0)
    assert trial.stop_seconds < STOP_S
