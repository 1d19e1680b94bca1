"""One service's life, with small real programs and a clock of our own."""

import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from fraud_platform.errors import BrokerUnavailable, ConfigurationError
from fraud_platform.local.folder import Folder
from fraud_platform.local.liveness import PATIENCE_S
from fraud_platform.local.provision import Step
from fraud_platform.local.service import Service
from fraud_platform.local.state import Status
from fraud_platform.local.unit import LONGEST_BACKOFF_S, Unit, backoff_s
from tests.ports import free_port

SLEEPS = "import time; time.sleep(60)"
IGNORES_TERM = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"

# A program that started it listens, as Python's own launchers and Java's do.
LISTENS = (
    "import socket, subprocess, sys; subprocess.run([sys.executable, '-c',"
    " 'import socket, time; s = socket.create_server((\"127.0.0.1\", {port})); time.sleep(60)'])"
)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def everything(_name: str) -> bool:
    return True


class House:
    """A unit, its folder and its clock; ends the unit's program when the test is over."""

    def __init__(self, root: Path, clock: Clock) -> None:
        self.folder = Folder(root)
        self.clock = clock
        self.units: list[Unit] = []

    def unit(self, program: str = SLEEPS, **changes: object) -> Unit:
        described = {"name": "thing", "command": [sys.executable, "-c", program], "address": "-"}
        service = Service(**{"probe": lambda: True, **described, **changes})  # type: ignore[arg-type]
        self.units.append(Unit(service, self.folder, clock=self.clock, beside=lambda ask: ask()))
        return self.units[-1]

    def pass_seconds(self, unit: Unit, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.now += 1
            unit.tick(everything)

    def find_hung(self, unit: Unit) -> None:
        """Let time pass until the unit is asked to end, and no longer: it would be started again."""
        while unit.state.status is not Status.STOPPING:
            self.pass_seconds(unit, 1)
            assert self.clock.now < 10_000

    def stop(self, unit: Unit) -> None:
        self.until(lambda: unit.is_over, step=unit.stop)

    def tick_until(self, unit: Unit, status: Status) -> None:
        self.until(lambda: unit.state.status is status, step=lambda: unit.tick(everything))

    def until(self, done: Callable[[], bool], *, step: Callable[[], None] = lambda: None) -> None:
        deadline = time.monotonic() + 60
        while not done():
            assert time.monotonic() < deadline
            step()
            time.sleep(0.01)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path, Clock())
    yield made
    for unit in made.units:
        made.clock.now += 1000
        made.stop(unit)


def test_a_service_is_ready_when_its_probe_says_so(house: House) -> None:
    answers = iter([False, True])
    unit = house.unit(probe=lambda: next(answers))
    unit.tick(everything)
    unit.tick(everything)
    assert unit.state.status is Status.STARTING
    unit.tick(everything)
    assert unit.is_ready


def test_a_service_waits_for_what_it_needs(house: House) -> None:
    unit = house.unit(needs=frozenset({"kafka"}))
    unit.tick(lambda name: name != "kafka")
    assert unit.state.status is Status.WAITING
    unit.tick(everything)
    assert unit.state.status is Status.STARTING


def test_a_crash_is_noticed_said_and_mended(house: House) -> None:
    unit = house.unit("raise SystemExit(7)")
    unit.tick(everything)
    house.tick_until(unit, Status.CRASHED)
    assert (unit.state.last_exit, unit.state.restarts) == (7, 1)
    assert "exit code 7" in unit.state.message
    unit.tick(everything)
    assert unit.state.status is Status.CRASHED, "the backoff is not over"
    house.clock.now += backoff_s(1)
    unit.tick(everything)
    assert unit.state.status is Status.STARTING


def test_the_pause_between_starts_grows_to_a_limit() -> None:
    pauses = [backoff_s(failures) for failures in range(1, 10)]
    assert pauses == sorted(pauses)
    assert pauses[0] <= 1
    assert pauses[-1] == LONGEST_BACKOFF_S


def test_a_service_that_is_never_ready_is_started_again(house: House) -> None:
    unit = house.unit(probe=lambda: False, start_timeout_s=30)
    unit.tick(everything)
    house.clock.now += 31
    unit.tick(everything)
    house.tick_until(unit, Status.CRASHED)
    assert "SIGKILL" in unit.state.message


def test_a_missing_part_is_told_to_a_person(house: House) -> None:
    def prepare() -> None:
        raise ConfigurationError("mongod cannot start here: install libcurl4")

    unit = house.unit(prepare=prepare)
    unit.tick(everything)
    assert unit.state.needs_person
    assert unit.state.message == "mongod cannot start here: install libcurl4"


def test_a_program_that_does_not_exist_is_no_traceback(house: House) -> None:
    unit = house.unit(command=["/no/such/program"])
    unit.tick(everything)
    assert unit.state.status is Status.CRASHED
    assert "No such file" in unit.state.message


def test_a_program_that_ignores_the_stop_signal_is_killed_after_its_grace(house: House) -> None:
    unit = house.unit(IGNORES_TERM, grace_s=5)
    unit.tick(everything)
    house.until(lambda: "deaf" in house.folder.log("thing").read_text())
    unit.stop()
    unit.stop()
    assert not unit.is_over
    house.clock.now += 6
    house.stop(unit)
    assert unit.state.status is Status.STOPPED


def test_a_held_service_is_not_started_until_released(house: House) -> None:
    mark = house.folder.hold("thing")
    mark.parent.mkdir(parents=True)
    mark.touch()
    unit = house.unit()
    unit.tick(everything)
    assert unit.state.status is Status.HELD
    mark.unlink()
    unit.tick(everything)
    assert unit.state.status is Status.STARTING


def test_a_living_program_is_taken_over_and_a_dead_one_is_not(house: House) -> None:
    first = house.unit()
    first.tick(everything)
    second = house.unit()
    assert second.adopt(first.state)
    assert second.state.pid == first.state.pid
    seen = first.state
    pid, created = seen.pid, seen.created
    house.stop(first)
    seen.pid, seen.created = pid, created
    assert not house.unit().adopt(seen)


def test_a_reused_pid_is_not_mistaken_for_the_service(house: House) -> None:
    first = house.unit()
    first.tick(everything)
    assert first.state.created is not None
    first.state.created -= 3600
    assert not house.unit().adopt(first.state)


def test_a_service_that_hangs_is_restarted_and_the_state_says_so(house: House) -> None:
    answers = [True]
    unit = house.unit(probe=lambda: answers[0])
    house.tick_until(unit, Status.READY)
    first = unit.state.pid
    answers[0] = False
    house.pass_seconds(unit, int(PATIENCE_S))
    assert (unit.state.status, unit.state.pid) == (Status.READY, first), "it has its whole patience"
    house.find_hung(unit)
    answers[0] = True
    house.tick_until(unit, Status.CRASHED)
    assert unit.state.message.startswith("did not answer for 60 s; its log: ")
    assert unit.state.restarts == 1
    house.clock.now += backoff_s(1)
    house.tick_until(unit, Status.READY)
    assert unit.state.pid not in (None, first)
    house.pass_seconds(unit, 600)
    assert unit.state.restarts == 1


def test_a_service_that_hangs_and_is_deaf_is_killed_after_its_grace(house: House) -> None:
    answers = [True]
    unit = house.unit(IGNORES_TERM, probe=lambda: answers[0], grace_s=5)
    house.tick_until(unit, Status.READY)
    house.until(lambda: "deaf" in house.folder.log("thing").read_text())
    answers[0] = False
    house.find_hung(unit)
    house.clock.now += 6
    house.tick_until(unit, Status.CRASHED)
    assert unit.state.last_exit == -signal.SIGKILL


def test_what_a_hung_service_started_outlives_it(house: House) -> None:
    """Dagster's ops are children of their code server and go on without it."""
    answers = [True]
    starts = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {SLEEPS!r}]).pid, flush=True); "
    unit = house.unit(starts + IGNORES_TERM, probe=lambda: answers[0], grace_s=5)
    house.tick_until(unit, Status.READY)
    house.until(lambda: "deaf" in house.folder.log("thing").read_text())
    child = psutil.Process(int(house.folder.log("thing").read_text().splitlines()[-2]))
    answers[0] = False
    house.find_hung(unit)
    house.clock.now += 6
    house.tick_until(unit, Status.CRASHED)
    assert child.is_running()
    child.kill()


def test_a_service_that_is_still_starting_is_not_asked_whether_it_hangs(house: House) -> None:
    unit = house.unit(probe=lambda: False, alive=lambda: False, start_timeout_s=10_000)
    unit.tick(everything)
    house.pass_seconds(unit, 600)
    assert (unit.state.status, unit.state.restarts) == (Status.STARTING, 0)


def test_a_service_that_was_ready_is_asked_its_own_question_also_after_it_was_taken_over(house: House) -> None:
    first = house.unit()
    house.tick_until(first, Status.READY)
    second = house.unit(probe=lambda: False, alive=lambda: True)
    assert second.adopt(first.state)
    house.tick_until(second, Status.READY)
    house.pass_seconds(second, 600)
    assert second.is_ready


def test_a_stranger_on_the_port_is_not_taken_for_the_service(house: House) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        unit = house.unit()
        unit.tick(everything)
        unit.service = replace(unit.service, ports=(port,))
        for _ in range(3):
            unit.tick(everything)
        assert unit.state.status is Status.STARTING


def test_a_program_that_listens_on_its_port_is_the_service(house: House) -> None:
    port = free_port()
    unit = house.unit(LISTENS.format(port=port), ports=(port,))
    house.tick_until(unit, Status.READY)


def test_a_port_that_another_program_took_is_told(house: House) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        unit = house.unit(ports=(port,))
        unit.tick(everything)
    assert unit.lost_port == port
    assert unit.state.message.startswith(f"port {port} is taken by another program; stop that, or `make down`")


def test_a_step_is_done_once_and_again_only_after_a_failure() -> None:
    clock = Clock()
    outcomes: list[Exception | None] = [BrokerUnavailable("Kafka does not answer."), None]
    done = []

    def work() -> None:
        outcome = outcomes.pop(0)
        if outcome:
            raise outcome
        done.append(True)

    step = Step(work, needs=frozenset({"kafka"}), about="topics", clock=clock)
    step.tick(lambda _: False)
    assert step.state.status is Status.WAITING
    step.tick(everything)
    assert (step.state.status, step.state.message) == (Status.CRASHED, "Kafka does not answer.")
    clock.now += 60
    step.tick(everything)
    step.tick(everything)
    assert step.is_ready
    assert done == [True]
