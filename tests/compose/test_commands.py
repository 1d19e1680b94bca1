"""Every program that the compose file calls exists here too, and knows the options that it is given."""

import re
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from fraud_platform.local import probes, registry
from tests.compose.stack import OURS, words

BIN = Path(sys.executable).parent
CALLS = {
    **{name: words(name) for name in OURS},
    "the daemon's health check": words("dagster-daemon", "healthcheck"),
}


def choose_one() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def asked_for_help(call: list[str]) -> list[str]:
    """The program with its subcommands, up to the first option that is not `-m`, and --help."""
    end = next((at for at, word in enumerate(call) if word.startswith("-") and word != "-m"), len(call))
    is_grpc = "grpc" in call
    end = call.index("grpc") + 1 if is_grpc else end
    names = [word for word in call[:end] if not word.startswith("/")]
    return [str(BIN / names[0]), *names[1:], "--help"]


@pytest.mark.parametrize("name", CALLS)
def test_a_called_program_exists_and_knows_its_options(name: str):
    done = subprocess.run(asked_for_help(CALLS[name]), capture_output=True, text=True, check=True, timeout=60)
    known = set(re.findall(r"(?<![\w-])--?[\w-]+", done.stdout + done.stderr))
    if CALLS[name][0] == "rclone":  # tells of its global options in a place of their own
        known |= set(re.findall(r"--[\w-]+", subprocess.check_output([BIN / "rclone", "help", "flags"], text=True)))
    own = CALLS[name][2:] if CALLS[name][0] == "python" else CALLS[name]
    assert {word for word in own if re.fullmatch(r"--?[a-z][\w-]*", word)} - known == set()


def test_the_validators_health_check_passes_on_the_real_one():
    port = choose_one()
    command = words("validator")
    command[command.index("--port") + 1] = str(port)
    check = [word.replace("8000", str(port)) for word in words("validator", "healthcheck")]
    running = subprocess.Popen([sys.executable, *command[1:]], stdout=subprocess.PIPE, text=True)
    try:
        assert running.stdout
        assert str(port) in running.stdout.readline()
        assert subprocess.run([sys.executable, *check[1:]], check=False, timeout=30).returncode == 0
    finally:
        running.terminate()
        running.wait(30)
    assert subprocess.run([sys.executable, *check[1:]], check=False, stderr=subprocess.DEVNULL).returncode == 1


@pytest.mark.services
def test_the_registrys_health_check_asks_what_the_real_one_answers(service_endpoints: dict[str, str]):
    (path,) = {word.partition("8081")[2] for word in words("registry", "healthcheck") if "8081" in word}
    assert path == f"{registry.API}/subjects"
    port = urlsplit(service_endpoints["SCHEMA_REGISTRY_URL"]).port
    assert port
    assert probes.answers(port, path)


def test_the_s3_health_check_needs_only_a_listener():
    check = words("s3", "healthcheck")
    port = choose_one()
    assert not probes.listens(port)
    tried = [word.replace("9000", str(port)) for word in check[1:]]
    assert subprocess.run([sys.executable, *tried], check=False, stderr=subprocess.DEVNULL).returncode == 1
