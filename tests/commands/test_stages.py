import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from fraud_platform.commands import stages
from fraud_platform.local.process import STACK_MARK
from fraud_platform.orchestration import control
from fraud_platform.settings import Settings
from fraud_platform.topology import BANKS, STAGES
from tests.commands.conftest import Run

EMBEDDED = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092"}


@pytest.fixture(scope="module")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Dagster history in which nothing has happened: it takes seconds to make, so it is copied."""
    folder = tmp_path_factory.mktemp("home")
    control.stage_states(Settings.from_environment({"FRAUD_DATA_DIR": str(folder)}))
    return folder / "dagster-home"


@pytest.fixture
def embedded(data_dir: Path, empty_home: Path) -> Settings:
    """Settings whose Kafka is the embedded one."""
    shutil.copytree(empty_home, data_dir / "dagster-home")
    from fraud_platform.local.folder import Folder, write_json

    write_json(Folder(data_dir).endpoints, EMBEDDED)
    return Settings.from_environment({"FRAUD_DATA_DIR": str(data_dir)})


@pytest.fixture
def foreign(embedded: Settings, data_dir: Path) -> Settings:
    """Settings of the same data folder whose Kafka is the user's own."""
    return Settings.from_environment({"FRAUD_DATA_DIR": str(data_dir), "KAFKA_BOOTSTRAP_SERVERS": "far:9092"})


def on(settings: Settings) -> set[str]:
    return {state.name for state in control.stage_states(settings) if state.keeper_on}


def begin(settings: Settings, demo: bool | None) -> set[str]:
    stages.hooks(demo).begin(settings, bool(demo))
    return on(settings)


def test_the_first_start_on_embedded_kafka_includes_the_demo_banks(embedded: Settings):
    assert begin(embedded, None) == set(STAGES)


def test_a_foreign_kafka_gets_the_demo_banks_only_when_asked(foreign: Settings):
    assert BANKS.name not in begin(foreign, None)
    assert BANKS.name in begin(foreign, True)
    assert BANKS.name not in begin(foreign, None)


def test_banks_of_an_embedded_time_do_not_write_to_a_foreign_kafka(embedded: Settings, foreign: Settings):
    begin(embedded, None)
    assert BANKS.name not in begin(foreign, None)


def test_no_demo_stops_the_banks_and_is_remembered(embedded: Settings):
    begin(embedded, None)
    assert BANKS.name not in begin(embedded, False)
    assert BANKS.name not in begin(embedded, None)


def test_down_and_up_bring_back_what_was_on(embedded: Settings, run: Run):
    begin(embedded, None)
    assert run("stop", "lake").stdout == "lake is stopped; `fraud-platform start lake` starts it again.\n"
    stages.hooks(None).stop(embedded)
    assert on(embedded) == set()
    assert begin(embedded, None) == set(STAGES) - {"lake"}


def test_up_waits_for_what_is_on_and_lists_what_is_off(embedded: Settings):
    hooks = stages.hooks(None)
    hooks.begin(embedded, False)
    control.stop_stage(embedded, STAGES["lake"])
    assert list(hooks.waiting_for(embedded)) == [name for name in STAGES if name != "lake"]
    assert list(hooks.off(embedded)) == ["lake"]


# A Dagster of the user's own ------------------------------------------------------------------------


def program(settings: Settings, **more: str) -> "subprocess.Popen[bytes]":
    """A process that looks like the daemon of a `dagster dev`."""
    environment = {**os.environ, "DAGSTER_HOME": str(settings.data_dir / "dagster-home"), **more}
    code = "import sys; sys.stdout.write('.'); sys.stdout.flush(); sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "dagster._daemon"], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.read(1) == b"."
    return process


def test_a_daemon_of_the_user_s_own_is_seen_and_ours_is_not(embedded: Settings):
    theirs, ours = program(embedded), program(embedded, **{STACK_MARK: str(embedded.data_dir)})
    try:
        assert list(stages.foreign_processes(embedded)) == [(theirs.pid, True)]
    finally:
        for process in (theirs, ours):
            process.communicate()


def test_down_ends_the_runs_of_the_user_s_own_dagster_and_names_it(
    embedded: Settings, capsys: pytest.CaptureFixture[str]
):
    begin(embedded, None)
    theirs = program(embedded)
    try:
        stages.end_foreign_runs(embedded, Console())
    finally:
        theirs.communicate()
    assert f"(daemon process {theirs.pid}) runs on" in capsys.readouterr().out.replace("\n", " ")
    assert on(embedded) == set()


def test_without_such_a_dagster_nothing_is_touched(embedded: Settings):
    before = begin(embedded, None)
    stages.end_foreign_runs(embedded, Console())
    assert on(embedded) == before
