"""How long a stack is waited for, with a clock of our own."""

import os
import time
from pathlib import Path

import psutil
import pytest

from fraud_platform.errors import ConfigurationError
from fraud_platform.local import state
from fraud_platform.local.folder import Folder
from fraud_platform.local.stack import OWN_WORK_S, Stack
from fraud_platform.local.state import ServiceState, StackState, Status


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were slept through; no time passes otherwise."""
    slept: list[float] = []
    monkeypatch.setattr(time, "monotonic", lambda: sum(slept))
    monkeypatch.setattr(time, "sleep", slept.append)
    return slept


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    """A broker that starts and starts; this process passes for the supervisor."""
    starting = StackState(
        start_timeout_s=240.0,
        supervisor_pid=os.getpid(),
        supervisor_created=psutil.Process().create_time(),
        services={"kafka": ServiceState(status=Status.STARTING)},
    )
    state.write(Folder(tmp_path), starting)
    return Stack.of(tmp_path)


def test_nobody_gives_up_before_the_services_have_had_their_own_time(stack: Stack, waited: list[float]) -> None:
    with pytest.raises(ConfigurationError, match="Not ready within 390 s: kafka; the logs are in"):
        stack.wait_ready()
    assert sum(waited) == pytest.approx(240 + OWN_WORK_S, abs=1)


def test_a_restart_is_waited_for_as_long(stack: Stack, waited: list[float]) -> None:
    with pytest.raises(ConfigurationError, match="Not ready within 390 s: kafka"):
        stack.wait_restarted("kafka", 1)
    assert sum(waited) > 240


def test_who_has_less_time_says_so(stack: Stack, waited: list[float]) -> None:
    with pytest.raises(ConfigurationError, match="Not ready within 5 s: kafka"):
        stack.wait_ready("kafka", timeout_s=5)
    assert sum(waited) < 6
