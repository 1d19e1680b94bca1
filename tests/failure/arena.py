"""Where a trial takes place: services of its own, stage processes, a validator, traffic; and the verdict at the end."""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fraud_platform.adapters.admin import ensure_topics
from fraud_platform.local.stack import Stack, running
from tests.conftest import SERVICES, fresh_settings
from tests.failure.evidence import READS
from tests.failure.inputs import make_inputs
from tests.failure.lines import save
from tests.failure.plain import Where
from tests.failure.plan import Stops
from tests.failure.slots import Slots, environment_of, save_where, where_of
from tests.failure.storm import Storm
from tests.failure.traffic import Traffic, files_of
from tests.failure.witness import Witness
from tests.ports import free_port
from tests.validator_api.service import started_validator

SEED = int(os.environ.get("FRAUD_FAILURE_SEED") or random.SystemRandom().randrange(1_000_000))
STOP_S = 20
RESERVE = 3
"""Lines are written for this many times the traffic: how long it flows depends on the machine."""


class Validator:
    """fraud-validator-api on a port of its own, that can go away and come back."""

    def __init__(self) -> None:
        self._service = started_validator(port=free_port())
        _, self.address = self._service.__enter__()

    def down(self) -> None:
        """kill -9."""
        self._service.__exit__(None, None, None)

    def up(self) -> None:
        """Start it again on the same port."""
        self._service = started_validator(port=int(self.address.rpartition(":")[2]))
        self._service.__enter__()


@dataclass
class Verdict:
    """How the stage processes ended, and the verifier's report about what they have left behind."""

    sent: int = 0
    unexpected: list[tuple[str, int]] = field(default_factory=list)
    exits: Mapping[str, int] = field(default_factory=dict)
    stop_seconds: float = 0.0
    seen_otherwise: int = -1
    """Results that a reader who looked on all the time saw twice, not at all, or beyond those that are there."""
    exit_code: int = -1
    report: Mapping[str, Any] = field(default_factory=dict)

    @property
    def faults(self) -> list[str]:
        return list(self.report["faults"])


@dataclass
class Arena:
    """A live platform under traffic; `verdict` is there once the block is left."""

    where: Where
    stack: Stack
    validator: Validator
    slots: Slots
    traffic: Traffic
    storm: Storm
    verdict: Verdict
    folder: Path
    witness: Witness

    def rest(self) -> None:
        """Complete the traffic and have it read to its end."""
        self.verdict.sent = self.traffic.finish()
        self.storm.wait_until_all_is_read()
        self.verdict.seen_otherwise = self.witness.differences()

    def judge(self) -> None:
        """What there is now counts, once."""
        if not self.verdict.report:
            _judge(self.verdict, self.folder)


@contextmanager
def arena(
    folder: Path, *, records: int, rate: float, stops: Stops | None = None, more_slots: Sequence[str] = (),
    own: Callable[[Where, str], Mapping[str, Mapping[str, str]]] = lambda _, __: {}, reserve: float = RESERVE,
    programs: Mapping[str, str] | None = None,
) -> Iterator[Arena]:  # fmt: skip
    """Leave the block when the storm is over: the platform comes to rest, stops and is judged, unless it was before.

    `own` is told the addresses and the validator's, and says which variables only one process sees; `programs` as
    in `Slots`. There are `reserve` times as many lines as `records`.
    """
    print(f"FRAUD_FAILURE_SEED={SEED}")
    dice = random.Random(SEED)
    save(make_inputs(round(reserve * records), seed=SEED), folder / "inputs.jsonl")
    with running(folder / "stack", services=SERVICES) as stack:
        validator = Validator()
        changes = {"FRAUD_VALIDATOR_URL": f"{validator.address}/validate", "FRAUD_LAKE_FLUSH_SECONDS": "0.7"}
        settings = fresh_settings(dict(stack.endpoints), folder / "data", **changes)
        ensure_topics(settings, timeout_s=60)
        save_where(where_of(settings), folder / "where.json")
        orders = {stage: [stop.order(dice) for stop in of_stage] for stage, of_stage in (stops or {}).items()}
        logs = folder / "logs"
        logs.mkdir()
        where, environment = where_of(settings), environment_of(settings, dict(stack.endpoints))
        alone = own(where, validator.address)
        slots = Slots([*READS, *more_slots], environment, logs, orders=orders, own=alone, programs=programs)
        traffic = Traffic(folder, rate=rate, at_least=records)
        witness = Witness(where)
        storm = Storm(where, slots, traffic, dice)
        found = Arena(where, stack, validator, slots, traffic, storm, Verdict(), folder, witness)
        try:
            yield found
            found.rest()
        finally:
            traffic.kill()
            witness.leave()
            began = time.monotonic()
            found.verdict.exits = slots.stop(STOP_S)
            found.verdict.stop_seconds = time.monotonic() - began
            found.verdict.unexpected = slots.ended
            validator.down()
        found.judge()


def _judge(verdict: Verdict, folder: Path) -> None:
    command = [sys.executable, "-m", "tests.failure.verify", *files_of(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    verdict.exit_code, verdict.report = done.returncode, json.loads(done.stdout)
