"""Every program that the compose file calls exists here too, and knows the options that it is given."""

import importlib
import re
import subprocess
import sys
from contextvars import copy_context
from importlib.metadata import entry_points
from pathlib import Path
from urllib.parse import urlsplit

import click
import pytest

from fraud_platform.local import probes, registry
from tests.compose.stack import FOLDER, OURS, words
from tests.ports import free_port
from tests.validator_api.service import environment

IN_THE_IMAGE = "/etc/fraud-platform/workspace.yaml"
BIN = Path(sys.executable).parent
CALLS = {
    **{name: words(name) for name in OURS},
    "the daemon's health check": words("dagster-daemon", "healthcheck"),
}


def of(*programs: str) -> list[str]:
    return [name for name, call in CALLS.items() if call[0] in programs]


@pytest.mark.parametrize("name", of("dagster", "dagster-daemon", "dagster-webserver"))
def test_dagsters_programs_take_the_call_as_it_stands(name: str):
    program, *call = [word.replace(IN_THE_IMAGE, str(FOLDER / "workspace.yaml")) for word in CALLS[name]]
    (script,) = entry_points(group="console_scripts", name=program)
    module = importlib.import_module(script.module)
    command = module.dagster_webserver if program == "dagster-webserver" else module.cli
    while isinstance(command, click.Group):
        command = command.commands[call.pop(0)]
    with command.make_context(program, call) as context:
        assert context.args == []


@pytest.mark.parametrize("name", of("python"))
def test_our_modules_exist_and_know_their_options(name: str):
    call = CALLS[name]
    done = subprocess.run(
        [sys.executable, *call[1:3], "--help"], capture_output=True, text=True, check=True, timeout=60
    )
    assert options(call[3:]) <= options(done.stdout.split())


def test_rclone_knows_its_options():
    (name,) = of("rclone")
    said = subprocess.check_output([BIN / "rclone", "serve", "s3", "--help"], text=True)
    said += subprocess.check_output([BIN / "rclone", "help", "flags"], text=True)
    assert options(CALLS[name]) <= options(said.split())


def options(said: list[str]) -> set[str]:
    return {found for word in said for found in re.findall(r"(?<![\w-])--[a-z][\w-]*", word)}


def test_the_validators_health_check_passes_on_the_real_one():
    port = free_port()
    command = words("validator")
    command[command.index("--port") + 1] = str(port)
    check = [word.replace("8000", str(port)) for word in words("validator", "healthcheck")]
    running = subprocess.Popen([sys.executable, *command[1:]], env=environment(), stdout=subprocess.PIPE, text=True)
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
    patient = copy_context()
    patient.run(probes.TIMEOUT_S.set, 30.0)
    assert patient.run(probes.answers, port, path)


def test_the_s3_health_check_needs_only_a_listener():
    check = words("s3", "healthcheck")
    port = free_port()
    assert not probes.listens(port)
    tried = [word.replace("9000", str(port)) for word in check[1:]]
    assert subprocess.run([sys.executable, *tried], check=False, stderr=subprocess.DEVNULL).returncode == 1
