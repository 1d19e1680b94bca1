import signal
import socket
import subprocess
import time

import pytest
import requests

from tests.validator_api.builders import question
from tests.validator_api.service import COMMAND, STOP_SECONDS, environment, started_validator


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
