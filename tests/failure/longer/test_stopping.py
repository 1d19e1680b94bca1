"""Bare signals to what `make up` keeps running: `down` leaves nothing behind, and the next `up` cleans up."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psutil
import pytest

from fraud_platform.adapters.admin import live_members
from fraud_platform.errors import BrokerUnavailable
from fraud_platform.local import catalogue, process
from fraud_platform.local.folder import Folder
from fraud_platform.local.ports import Claims, settle
from fraud_platform.local.stack import Stack, clean_environment
from fraud_platform.orchestration import control, runs
from fraud_platform.orchestration.processes import is_gone
from fraud_platform.settings import Settings
from fraud_platform.topology import INGESTION, STAGES, VALIDATION
from tests.failure.arena import SEED
from tests.orchestration.live import seconds_until

# The heaviest trials take turns on one worker.
pytestmark = [
    pytest.mark.services, pytest.mark.long, pytest.mark.timeout(3000), pytest.mark.xdist_group("dagster"),
]  # fmt: skip

MEMBERS_GONE_S, PATIENCE_S = 15, 180
OUTSIDE = ("KAFKA_BOOTSTRAP_SERVERS", "SCHEMA_REGISTRY_URL", "MONGODB_URI")
AT_WORK = (INGESTION, VALIDATION)
"""Two stages start in half the time of five."""


@dataclass(frozen=True)
class Platform:
    """What `make up` and `make down` call, on a Kafka of its own that stays: it can be asked who is still there."""

    stack: Stack
    settings: Settings
    environment: dict[str, str]

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "fraud_platform", *arguments]

    def up(self) -> None:
        for _ in range(3):  # it waits two minutes for its stages; a busy machine may need more
            done = self._run("up", "--no-demo")
            if done.returncode == 0:
                return
        raise AssertionError(done.stdout + done.stderr)

    def down(self) -> None:
        done = self._run("down")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Still at work" not in done.stdout

    def _run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command(*arguments), env=self.environment, capture_output=True, text=True, check=False, timeout=300
        )

    def processes(self) -> list[psutil.Process]:
        return [found for _, found in process.of_stack(self.stack.folder.root)]

    def strike(self, number: signal.Signals) -> None:
        """As a terminal or an init system does: the signal goes to the supervisor's whole process group."""
        pid = self.stack.state.supervisor_pid
        assert pid is not None
        os.killpg(pid, number)
        seconds_until(lambda: not self.stack.is_supervised, PATIENCE_S)

    def members(self) -> dict[str, list[str]]:
        return {stage: list(found) for stage, found in live_members(self.settings).items() if found}

    def is_without_members(self) -> bool:
        try:
            return not self.members()
        except BrokerUnavailable:
            return False

    def is_whole(self) -> bool:
        """One member per stage, and one open run, whose process lives."""
        with control.open_instance(self.settings) as home:
            of_stages = [runs.in_progress(home, stage) for stage in AT_WORK]
        alive = all(len(found) == 1 and found[0].working_since and not is_gone(found[0].process) for found in of_stages)
        return alive and self.members() == {stage.name: [f"{stage.name}.0"] for stage in AT_WORK}


@pytest.fixture(scope="module")
def platform(
    service_endpoints: dict[str, str], platform_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    folder = tmp_path_factory.mktemp("stopped")
    settle(Folder(folder), catalogue.ports_of(catalogue.CATALOGUE), claims=Claims(), prefer_defaults=False)
    outside = {
        name: service_endpoints[name] for name in ("KAFKA_BOOTSTRAP_SERVERS", "SCHEMA_REGISTRY_URL", "MONGODB_URI")
    }
    own = {
        "FRAUD_ENV_FILE": os.devnull,
        "FRAUD_DATA_DIR": str(folder),
        "FRAUD_PREFIX": platform_settings.prefix,
        "FRAUD_MONGODB_DATABASE": platform_settings.mongodb_database,
    }
    settings = Settings.from_environment({**outside, **own})
    with control.open_instance(settings) as home:
        for stage in STAGES.values():
            if stage not in AT_WORK:
                control.keeper(home, stage).off()
    yield Platform(Stack.of(folder), settings, {**clean_environment(), **outside, **own})
    Stack.of(folder).stop()


def leaves_nothing(platform: Platform) -> float:
    """What `down` has to do; seconds until Kafka has forgotten the last member."""
    platform.down()
    assert platform.processes() == []
    return seconds_until(platform.is_without_members, MEMBERS_GONE_S)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_after_a_bare_signal_the_next_start_cleans_up_and_down_leaves_nothing(
    platform: Platform, note, number: signal.Signals
) -> None:
    platform.up()
    platform.strike(number)
    survivors = len(platform.processes())
    platform.up()
    whole_after = seconds_until(platform.is_whole, PATIENCE_S)
    platform.strike(number)
    note(processes_after_the_signal=survivors, whole_after_s=whole_after, members_gone_after_s=leaves_nothing(platform))


def test_a_start_cleans_up_after_the_end_of_everything_at_once(platform: Platform, note) -> None:
    """As a power cut."""
    platform.up()
    for each in platform.processes():
        each.kill()
    platform.up()
    note(whole_after_s=seconds_until(platform.is_whole, PATIENCE_S), members_gone_after_s=leaves_nothing(platform))


def test_ctrl_c_in_the_middle_of_a_start_leaves_nothing_that_down_does_not_end(platform: Platform, sized, note) -> None:
    dice, gone_after = random.Random(SEED), []
    for _ in range(sized(4)):
        starting = subprocess.Popen(
            platform.command("up", "--no-demo"), env=platform.environment, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        time.sleep(dice.uniform(1, 15))
        os.killpg(starting.pid, signal.SIGINT)
        told, _ = starting.communicate(timeout=60)
        assert b"Traceback" not in told
        gone_after.append(leaves_nothing(platform))
    note(interruptions=len(gone_after), members_gone_after_s=max(gone_after))
