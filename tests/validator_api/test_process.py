import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
import requests

from tests.validator_api.builders import question
from tests.validator_api.rule_sets import LARGE_AND_LISTED, compiled, saved
from tests.validator_api.service import COMMAND, STOP_SECONDS, environment, running_validator, started_validator


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_is_quick_quiet_and_no_failure(number: signal.Signals, client: requests.Session) -> None:
    with started_validator() as (process, address):
        client.get(f"{address}/healthz")  # a connection kept open must not hold the stop up
        process.send_signal(number)
        began = time.monotonic()
        out, err = process.communicate(timeout=STOP_SECONDS)
        assert time.monotonic() - began < STOP_SECONDS
    assert (process.returncode, out, err) == (0, "", "")


def test_a_client_that_sends_its_body_slowly_does_not_hold_the_stop_up() -> None:
    with started_validator() as (process, address):
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as slow:
            slow.sendall(b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            requests.get(f"{address}/healthz", timeout=60)  # answered, so the other one is under way too
            process.terminate()
            process.communicate(timeout=STOP_SECONDS)
    assert process.returncode == 0


def test_a_request_is_written_to_no_log(client: requests.Session) -> None:
    with started_validator() as (process, address):
        client.post(f"{address}/validate", json=question("secret-id"))
        client.post(f"{address}/validate", data=b"\xff secret")
        process.terminate()
        assert process.communicate(timeout=STOP_SECONDS) == ("", "")


def test_a_port_that_is_taken_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = [*COMMAND, "--port", str(taken.getsockname()[1])]
        ended = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("Cannot listen on 127.0.0.1:")
    assert len(ended.stderr.splitlines()) == 1


def test_a_wrong_setting_is_one_sentence() -> None:
    wrong = {**environment(), "FRAUD_PARTITIONS": "none"}
    ended = subprocess.run(
        [*COMMAND, "--port", "0"], env=wrong, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert "FRAUD_PARTITIONS" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_another_rule_set_is_named_by_a_setting(tmp_path: Path, client: requests.Session) -> None:
    with running_validator(rules=saved(tmp_path)) as address:
        told = client.get(f"{address}/readyz").json()
    assert told == {"status": "ready", "rule_set_version": compiled(LARGE_AND_LISTED).rule_set.version}


def refused(rules: Path) -> list[str]:
    """What a service says that such a rule set keeps from starting."""
    ended = subprocess.run(
        [*COMMAND, "--port", "0"],
        env=environment(rules=rules), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (1, "")
    return ended.stderr.splitlines()


def test_a_bad_rule_set_is_refused_at_the_start_with_every_line_and_reason(tmp_path: Path) -> None:
    path = saved(tmp_path, LARGE_AND_LISTED.replace("REVIEW", "STOP").replace("at_least", "at_leest"))
    sentence, *faults = refused(path)
    assert sentence == f"The rule set {path} is refused:"
    assert len(faults) == 3
    assert all(fault.startswith(f"  {path}:4: rule large, ") for fault in faults)


def test_a_rule_set_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    assert refused(path) == [f"The rule set {path} cannot be read: No such file or directory."]
