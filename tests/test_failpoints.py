"""A process that is told to stops itself at a named point; all others never notice the points."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import fraud_platform
from fraud_platform import failpoints
from fraud_platform.failpoints import FailPoint, Point, reach
from tests.failure.slots import is_stopped
from tests.failure.watching import seconds_until

PROGRAM = """
from fraud_platform.failpoints import FailPoint, Point, arm, reach
arm(FailPoint.parse("after_plan:2"))
for point in (Point.AFTER_PLAN, Point.AFTER_COMMIT, Point.AFTER_PLAN, Point.AFTER_PLAN):
    print(point, flush=True)
    reach(point)
"""


@pytest.fixture
def process() -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as started:
        yield started
        started.kill()


def test_a_process_stands_still_at_its_point_and_its_time_only_and_can_go_on(process) -> None:
    seconds_until(lambda: is_stopped(process.pid), lambda: "it does not stop")
    assert [process.stdout.readline().strip() for _ in range(3)] == ["after_plan", "after_commit", "after_plan"]
    process.send_signal(signal.SIGCONT)
    assert process.communicate(timeout=60)[0].split() == ["after_plan"]
    assert process.returncode == 0


def test_a_point_that_is_not_armed_does_nothing_and_costs_next_to_nothing() -> None:
    failpoints.arm(None)
    begun = time.perf_counter()
    for _ in range(100_000):
        reach(Point.AFTER_COMMIT)
    assert time.perf_counter() - begun < 1.0


@pytest.mark.parametrize("text", ["nowhere", "after_plan:0", "after_plan:soon", ""])
def test_a_point_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"valid|literal|number 1"):
        FailPoint.parse(text)


def test_the_first_pass_is_meant_when_no_number_is_given() -> None:
    assert FailPoint.parse("after_commit") == FailPoint(Point.AFTER_COMMIT, 1)


def test_the_runtime_refuses_a_point_that_it_does_not_know() -> None:
    command = [sys.executable, "-m", "fraud_platform.runtime", "lake", "--stop-at", "nowhere"]
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert told.returncode == 2
    assert "--stop-at" in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize("point", Point)
def test_every_point_is_passed_somewhere(point: Point) -> None:
    package = Path(fraud_platform.__file__).parent
    passed = [path for path in package.rglob("*.py") if f"reach(Point.{point.name})" in path.read_text()]
    assert len(passed) == 1
