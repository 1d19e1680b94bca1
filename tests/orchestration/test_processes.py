import signal
import subprocess
import sys

import psutil
import pytest

from fraud_platform.orchestration.processes import interrupt, is_gone, own_process


def test_this_process_is_not_gone() -> None:
    assert not is_gone(own_process())


@pytest.mark.parametrize("tag", ["", "elsewhere.example:1:5.00", "no colons", "a:b:c"])
def test_nothing_is_said_of_processes_that_nobody_can_see(tag: str) -> None:
    assert not is_gone(tag)
    assert not interrupt(tag)


def test_a_reused_pid_is_another_process() -> None:
    host, pid, _ = own_process().rsplit(":", 2)
    assert is_gone(f"{host}:{pid}:1.00")


def test_a_clock_that_is_set_makes_no_process_another(monkeypatch: pytest.MonkeyPatch) -> None:
    tag = own_process()
    at = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: at(process) + 3600)
    assert not is_gone(tag)


def test_a_tag_of_before_still_names_its_process() -> None:
    """Ops tagged by an earlier version hold the time of their start."""
    host, pid, _ = own_process().rsplit(":", 2)
    assert not is_gone(f"{host}:{pid}:{psutil.Process().create_time():.2f}")


def test_a_container_of_the_same_host_name_cannot_tell_about_our_processes() -> None:
    host, _, created = own_process().rsplit(":", 2)
    name, _, namespace = host.rpartition("/")
    assert namespace.isdigit()
    assert is_gone(f"{host}:999999999:{created}")
    assert not is_gone(f"{name}/{int(namespace) + 1}:999999999:{created}")


def test_an_interrupt_reaches_the_process_and_its_end_is_seen() -> None:
    code = "from fraud_platform.orchestration.processes import own_process as o; print(o(), flush=True); input()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([sys.executable, "-c", code], text=True, **pipes) as child:
        tag = child.stdout.readline().strip()
        assert not is_gone(tag)
        assert interrupt(tag)
        assert child.wait(60) == -signal.SIGINT
    assert is_gone(tag)
