import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fraud_platform.commands import stack, stages
from fraud_platform.errors import BrokerUnavailable
from fraud_platform.local.folder import trim
from tests.commands.conftest import Run

COMMANDS = (
    "up", "down", "status", "logs", "doctor", "env", "start", "stop", "restart", "topic", "send", "query", "compact",
    "books", "alerts", "rules", "explain", "replay",
)  # fmt: skip


def test_help_names_every_command(run: Run):
    result = run("--help")
    assert result.exit_code == 0
    assert [name for name in COMMANDS if f"\n  {name} " not in result.stdout] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(run: Run, command: str):
    result = run(command, "-h")
    assert result.exit_code == 0
    assert f"fraud-platform {command}" in result.stdout.replace("root ", "fraud-platform ")


def test_help_needs_nothing_heavy():
    heavy = "dagster confluent_kafka pymongo boto3 requests pydantic rich.console psutil"
    code = f"import sys, fraud_platform.cli; print([m for m in {heavy.split()} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("arguments", [["nonsense"], ["topic"], ["up", "--turbo"], ["status", "more"], ["logs"]])
def test_a_mistyped_command_exits_2(run: Run, arguments: list[str]):
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Error: " in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["start", "banking"], "There is no stage 'banking'; the stages are banks, ingestion, "),
        (["stop", "banking"], "There is no stage 'banking'"),
        (["restart", "banking"], "There is no stage 'banking'"),
        (["start", "lake"], "The platform has never been started here; `make up` starts it."),
        (["stop", "lake"], "The platform has never been started here; `make up` starts it."),
        (["logs", "kafak"], "There is no service kafak; the services are kafka, "),
        (["logs", "kafka"], "kafka has not run here yet; `make up` starts it."),
        (["env"], "run `make up` first, or set KAFKA_BOOTSTRAP_SERVERS"),
        (["topic", "users"], "run `make up` first, or set SCHEMA_REGISTRY_URL"),
        (["topic", "usres"], "There is no topic 'usres'"),
        (["send", "/nowhere/x.jsonl"], "/nowhere/x.jsonl cannot be read"),
        (["query", "athena", "nothing"], "There is no ready query 'nothing'"),
        (["books"], "run `make up` first, or set SCHEMA_REGISTRY_URL"),
        (["query", "mongo", "nothing"], "There is no ready query 'nothing'"),
    ],
)
def test_a_user_s_mistake_is_one_sentence_and_exit_1(run: Run, arguments: list[str], sentence: str):
    result = run(*arguments)
    assert result.exit_code == 1
    assert sentence in result.stderr
    assert result.stderr.startswith("fraud-platform: ")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


@pytest.mark.parametrize("command", [["status"], ["up"], ["down"], ["env"], ["topic", "users"]])
def test_wrong_settings_are_one_sentence_for_every_command(run: Run, command: list[str]):
    result = run(*command, FRAUD_PARTITIONS="many")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("fraud-platform: The settings are wrong: FRAUD_PARTITIONS: ")


def test_an_error_of_the_platform_is_no_traceback(run: Run, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object, **__: object) -> None:
        raise BrokerUnavailable("Kafka does not answer.")

    monkeypatch.setattr(stack, "up", fail)
    assert run("up").stderr == "fraud-platform: Kafka does not answer.\n"


def test_ctrl_c_ends_with_a_sentence_and_130(run: Run, monkeypatch: pytest.MonkeyPatch):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(stack, "up", interrupted)
    result = run("up")
    assert (result.exit_code, result.stderr.strip()) == (130, "Interrupted.")


# up and down ----------------------------------------------------------------------------------------


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What `up` and `down` are called with, instead of starting services."""
    seen: dict[str, object] = {}

    def up(settings: object, **choices: object) -> object:
        seen.update(choices)
        return settings

    monkeypatch.setattr(stack, "up", up)
    monkeypatch.setattr(stack, "down", lambda _, **choices: seen.update(choices))
    monkeypatch.setattr(stages, "hooks", lambda demo: _hooks(demo, seen))
    return seen


def _hooks(demo: bool | None, seen: dict[str, object]) -> stack.Stages:
    seen["hooks for demo"] = demo
    return stack.Stages(
        begin=lambda _, __: seen.update(began=True),
        waiting_for=lambda _: [],
        off=lambda _: [],
        stop=lambda _: None,
    )


@pytest.mark.parametrize(("flags", "demo"), [([], None), (["--demo"], True), (["--no-demo"], False)])
def test_up_tells_the_stages_what_was_said_about_the_demo(
    run: Run, calls: dict[str, object], flags: list[str], demo: bool | None
):
    assert run("up", *flags).exit_code == 0
    assert calls["hooks for demo"] is demo
    assert calls["dagster"] is True


def test_up_without_dagster_switches_the_keepers_on_for_the_user_s_own(run: Run, calls: dict[str, object]):
    assert run("up", "--no-dagster").exit_code == 0
    assert calls["dagster"] is False
    assert calls["began"] is True


def test_down_stops_the_stages_first(run: Run, calls: dict[str, object]):
    assert run("down").exit_code == 0
    assert isinstance(calls["stages"], stack.Stages)


def test_down_where_nothing_runs_is_harmless(run: Run):
    result = run("down")
    assert (result.exit_code, result.stdout) == (0, "Nothing of this platform runs.\n")


# Processes ------------------------------------------------------------------------------------------


def start(*arguments: str, data_dir: Path, **pipes: object) -> "subprocess.Popen[str]":
    environment = {**os.environ, "FRAUD_DATA_DIR": str(data_dir)}
    command = [sys.executable, "-m", "fraud_platform", *arguments]
    return subprocess.Popen(command, env=environment, text=True, **pipes)  # type: ignore[call-overload,no-any-return]


@pytest.fixture
def kafka_log(data_dir: Path) -> Path:
    log = data_dir / "logs" / "kafka.log"
    log.parent.mkdir(parents=True)
    log.write_text("".join(f"line {number}\n" for number in range(1, 151)))
    return log


def test_logs_print_the_last_100_lines(run: Run, kafka_log: Path):
    shown = run("logs", "kafka").stdout.splitlines()
    assert (shown[0], shown[-1], len(shown)) == ("line 51", "line 150", 100)


def test_followed_logs_show_new_lines_until_ctrl_c(clean_shell: None, data_dir: Path, kafka_log: Path):
    with start("logs", "kafka", "-f", data_dir=data_dir, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        seen = [process.stdout.readline() for _ in range(100)]
        with kafka_log.open("a") as log:
            log.write("a new line\n")
        seen.append(process.stdout.readline())
        trim(kafka_log, limit_bytes=100)
        with kafka_log.open("a") as log:
            log.write("a line after the log was emptied\n")
        seen.append(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert seen[-2:] == ["a new line\n", "a line after the log was emptied\n"]
    assert (process.returncode, said.strip()) == (130, "Interrupted.")


def test_a_reader_that_leaves_causes_no_complaint(clean_shell: None, data_dir: Path, kafka_log: Path):
    kafka_log.write_text("x" * 2_000_000 + "\n")
    with start("logs", "kafka", data_dir=data_dir, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_help_costs_less_than_half_a_second_of_processor_time(clean_shell: None, data_dir: Path):
    """Three times that is let pass: on a machine at work the same steps cost more of it."""
    with start("--help", data_dir=data_dir, stdout=subprocess.DEVNULL) as process:
        _, ended, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(ended)
    assert process.returncode == 0
    assert used.ru_utime + used.ru_stime < 1.5


def test_nobody_can_start_the_stage_of_a_daemon_that_never_ran(run: Run, data_dir: Path):
    (data_dir / "dagster-home").mkdir(parents=True)
    result = run("start", "lake")
    assert "Dagster does not run, so nothing would start the stage; run `make up` first." in result.stderr
    assert result.exit_code == 1
