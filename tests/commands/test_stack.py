"""`up`, `down` and `logs`, with Kafka and the registry placed elsewhere so that little has to start."""

import io
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from rich.console import Console

from fraud_platform.commands import stack as commands
from fraud_platform.commands.stack import Stages, down, logs, up
from fraud_platform.errors import BrokerUnavailable, ConfigurationError
from fraud_platform.local import catalogue, process
from fraud_platform.local.folder import Folder
from fraud_platform.local.ports import Claims, settle
from fraud_platform.local.stack import Stack, clean_environment
from fraud_platform.settings import Settings

# A port of the loopback interface that nothing listens on: up must not care about what it does not start.
ELSEWHERE = {"MONGODB_URI": "mongodb://127.0.0.1:9"}


def console() -> Console:
    return Console(file=io.StringIO(), width=200)


def said(by: Console) -> str:
    assert isinstance(by.file, io.StringIO)
    return by.file.getvalue()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Folder]:
    """An empty data folder with free ports; the process sees no settings of its own, nor a `.env`."""
    for name in set(commands.os.environ) - set(clean_environment()):
        monkeypatch.delenv(name)
    data = Folder(tmp_path / "data")
    settle(data, catalogue.ports_of(catalogue.CATALOGUE), claims=Claims(), prefer_defaults=False)
    yield data
    Stack.of(data.root).stop()


def settings(folder: Folder, monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Settings.from_environment({**environment, "FRAUD_DATA_DIR": str(folder.root)})


@pytest.mark.services
def test_up_starts_what_the_settings_do_not_place_elsewhere_and_down_stops_it(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, platform_settings: Settings
) -> None:
    assert platform_settings.kafka_bootstrap_servers
    assert platform_settings.schema_registry_url
    mine = settings(
        folder,
        monkeypatch,
        **ELSEWHERE,
        KAFKA_BOOTSTRAP_SERVERS=platform_settings.kafka_bootstrap_servers,
        SCHEMA_REGISTRY_URL=platform_settings.schema_registry_url,
        FRAUD_PREFIX=platform_settings.prefix,
    )
    first = console()
    running = up(mine, demo=False, dagster=False, console=first)
    assert {name for name, _ in process.of_stack(folder.root)} == {"s3", "glue", "validator", "supervisor"}
    assert running.validator_url is not None
    assert running.validator_url.removesuffix("/validate") + "/docs" in said(first)
    assert "The platform is up" in said(first)
    assert "Next: " in said(first)

    pids = {name: each.pid for name, each in Stack.of(folder.root).state.services.items()}
    up(running, demo=False, dagster=False, console=console())
    assert {name: each.pid for name, each in Stack.of(folder.root).state.services.items()} == pids

    last = console()
    down(running, console=last)
    assert list(process.of_stack(folder.root)) == []
    assert "Stopped after" in said(last)


def test_down_of_nothing_is_no_error(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    quiet = console()
    down(settings(folder, monkeypatch), console=quiet)
    assert said(quiet) == "Nothing of this platform runs.\n"


def test_a_daemon_of_the_users_own_on_the_same_home_is_refused(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "print('up', flush=True); input()"
    own = {**clean_environment(), "DAGSTER_HOME": str(folder.dagster_home)}
    command = [sys.executable, "-c", script, "-m", "dagster._daemon", "run"]
    with subprocess.Popen(command, env=own, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as daemon:
        assert daemon.stdout is not None
        daemon.stdout.readline()
        with pytest.raises(ConfigurationError, match=rf"daemon process {daemon.pid}.*--no-dagster"):
            up(settings(folder, monkeypatch), demo=False, dagster=True, console=console())
        daemon.kill()


def test_stages_that_cannot_be_stopped_are_said_and_do_not_keep_the_services_up(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Settings) -> None:
        raise BrokerUnavailable("Kafka does not answer.")

    def none(_: Settings) -> Sequence[str]:
        return []

    stages = Stages(begin=lambda *_: None, waiting_for=none, off=none, stop=refuse)
    told = console()
    commands._stop_stages(settings(folder, monkeypatch), stages, told)
    assert said(told) == "The stages could not be stopped in order: Kafka does not answer.\n"


def test_ctrl_c_in_up_says_that_the_services_go_on_and_how_to_stop_them(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "_start", interrupted)
    monkeypatch.setattr(commands, "fetch", lambda *_: 0.0)
    told = console()
    with pytest.raises(KeyboardInterrupt):
        up(settings(folder, monkeypatch), demo=False, dagster=False, console=told)
    (sentence,) = said(told).strip().splitlines()
    assert sentence.startswith("Interrupted. The services keep starting in the background: make up shows")
    assert sentence.endswith("make down stops them.")


def test_logs_writes_the_last_lines(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder.log("kafka")
    path.parent.mkdir(parents=True)
    path.write_text("one\ntwo\nthree\n")
    written: list[str] = []
    logs(settings(folder, monkeypatch), "kafka", lines=2, write=written.append)
    assert written == ["two\n", "three\n"]


@pytest.mark.parametrize(
    ("service", "sentence"),
    [("kafak", "There is no service kafak; the services are kafka, "), ("kafka", "kafka has not run here yet")],
)
def test_logs_of_what_never_ran_name_the_way_out(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, service: str, sentence: str
) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        logs(settings(folder, monkeypatch), service)
