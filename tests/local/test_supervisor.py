"""What the supervisor does when a stranger is quicker at a port than the service it was chosen for."""

import argparse
import logging
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fraud_platform.local import supervisor
from fraud_platform.local.folder import Folder
from fraud_platform.local.provision import Step
from fraud_platform.local.service import Service
from fraud_platform.local.state import Phase
from fraud_platform.local.supervisor import Supervisor
from tests.ports import free_port

LISTENS = "import socket, time; s = socket.create_server(('127.0.0.1', {port})); time.sleep(60)"


def listener(port: int) -> Service:
    command = [sys.executable, "-c", LISTENS.format(port=port)]
    return Service(name="thing", command=command, address="-", probe=lambda: True, ports=(port,))


def of(root: Path, *services: Service) -> Supervisor:
    return Supervisor(Folder(root), services, Step(lambda: None, needs=frozenset(), about="nothing"))


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        yield stranger.getsockname()[1]


def test_a_port_that_is_lost_at_the_start_ends_the_round_with_all_stopped(tmp_path: Path, taken: int) -> None:
    other = Service(name="other", command=["sleep", "60"], address="-", probe=lambda: True)
    running = of(tmp_path, other, listener(taken))
    assert running.run() is False
    assert running.units["other"].is_over
    assert running._phase is Phase.STOPPED


def test_a_port_that_is_lost_later_is_waited_for(tmp_path: Path) -> None:
    port = free_port()
    running = of(tmp_path, listener(port))
    deadline = time.monotonic() + 60
    while running._phase is not Phase.READY:
        assert time.monotonic() < deadline
        running.tick()
        time.sleep(0.01)
    running.units["thing"].lost_port = port
    assert not running._lost_a_port()
    running.leave(signal.SIGTERM)
    assert running.run() is True


def test_after_a_lost_port_other_ports_are_chosen(
    tmp_path: Path, taken: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    rounds = [taken, free_port()]
    made: list[Supervisor] = []

    def assemble(*_: object, **__: object) -> Supervisor:
        made.append(of(tmp_path, listener(rounds[len(made)])))
        if len(made) == len(rounds):
            monkeypatch.setattr(made[-1], "run", lambda: True)
        return made[-1]

    monkeypatch.setattr(supervisor, "assemble", assemble)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    given = argparse.Namespace(services=["thing"], any_ports=True, while_pid=None)
    supervisor._supervise(given, Folder(tmp_path))
    assert len(made) == 2
    assert f"thing: another program was quicker at port {taken}; all starts again on other ports" in caplog.messages


def test_a_signal_that_came_between_two_rounds_ends_the_second(tmp_path: Path) -> None:
    first, second = of(tmp_path, listener(free_port())), of(tmp_path, listener(free_port()))
    first.leave(signal.SIGTERM)
    second.follow(first)
    assert second.run() is True
    assert second.units["thing"].is_over
