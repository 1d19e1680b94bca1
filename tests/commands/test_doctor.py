import json
import os
import platform
import socket
from pathlib import Path

import psutil
import pytest

from fraud_platform.commands import health, machine
from fraud_platform.commands.finding import Finding, Level, ok
from fraud_platform.commands.progress import DeadLetters
from fraud_platform.commands.status import ELSEWHERE, NOT_RUNNING, ServiceRow, StageRow
from fraud_platform.errors import BrokerUnavailable, ConfigurationError
from fraud_platform.local import mongod
from fraud_platform.local.folder import Folder, write_json
from fraud_platform.local.pins import Bundle
from fraud_platform.local.stack import running
from fraud_platform.local.state import ServiceState, Status
from fraud_platform.settings import ENDPOINTS_FILE, Settings
from tests.commands.conftest import Run
from tests.conftest import fresh_settings


def levels(findings: list[Finding]) -> list[Level]:
    return [finding.level for finding in findings]


# The machine ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "in_venv", "level"),
    [
        ((3, 10), True, Level.PROBLEM),
        ((3, 11), True, Level.OK),
        ((3, 13), True, Level.OK),
        ((3, 14), True, Level.PROBLEM),
        ((3, 12), False, Level.NOTE),
    ],
)
def test_python_is_judged_by_version_and_environment(version: tuple[int, int], in_venv: bool, level: Level):
    assert machine.python(version, in_venv=in_venv).level is level


def test_a_program_that_cannot_load_is_a_problem_with_its_remedy():
    def find() -> str:
        raise ConfigurationError("MongoDB cannot start here (libcurl.so.4 is missing): install libcurl4.")

    (finding,) = machine.programs({"mongod": find})
    assert finding.level is Level.PROBLEM
    assert (finding.says, finding.mend) == (
        "MongoDB cannot start here (libcurl.so.4 is missing)",
        "install libcurl4.",
    )


def test_a_program_that_runs_is_shown():
    assert machine.programs({"Java": lambda: Path("/jre/java")}) == [ok("Java", "/jre/java")]


def test_missing_downloads_are_a_note_with_their_size():
    (finding,) = machine.downloads([Bundle("kafka-4", 45_000_000, ())], lambda _: False, Path("/cache"))
    assert finding.level is Level.NOTE
    assert "45 MB" in finding.mend


@pytest.mark.parametrize(("gib", "level"), [(0.5, Level.PROBLEM), (3, Level.NOTE), (50, Level.OK)])
def test_disk_space_is_judged_by_what_is_free(gib: float, level: Level):
    assert machine.disk(int(gib * machine.GIB), Path("/data")).level is level


def test_a_taken_port_says_who_has_it():
    found = machine.ports(["kafka", "mongod"], {"kafka": 9999}, set(), lambda port: port != 9999, lambda _: "java")
    assert levels(found) == [Level.NOTE]
    assert found[0].says == "Port 9999 (kafka) is taken by java."


def test_a_port_that_our_own_service_has_is_no_finding():
    assert levels(machine.ports(["kafka"], {}, {"kafka"}, lambda _: False, lambda _: "us")) == [Level.OK]


def test_the_holder_of_a_port_is_found_by_its_process():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        assert "(process " in machine.port_holder(listener.getsockname()[1])


def test_a_misspelt_setting_is_found_and_the_right_one_guessed():
    (finding,) = machine.unknown_names(["FRAUD_PARTITION", "FRAUD_PREFIX", "FRAUD_CACHE_DIR", "HOME"])
    assert finding.level is Level.PROBLEM
    assert "FRAUD_PARTITION is set" in finding.says
    assert finding.mend == "Did you mean FRAUD_PARTITIONS?"


def test_an_old_shell_is_noticed():
    shell = {"FRAUD_EMBEDDED": "/d", "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092", "MONGODB_URI": "same"}
    (finding,) = machine.stale_shell(shell, {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:20001", "MONGODB_URI": "same"})
    assert "KAFKA_BOOTSTRAP_SERVERS in this shell differ" in finding.says
    assert machine.stale_shell(shell, shell) == []


# What runs ------------------------------------------------------------------------------------------


def test_services_are_judged_by_their_state():
    rows = [
        ServiceRow(name="kafka", status="ready", url="-", pid=1),
        ServiceRow(name="registry", status="crashed", url="-", message="no memory"),
        ServiceRow(name="mongod", status=NOT_RUNNING, url="-"),
        ServiceRow(name="s3", status=ELSEWHERE, url="-"),
        ServiceRow(name="validator", status="ready", url="-", pid=2, restarts=9),
        ServiceRow(name="dagster-code", status=NOT_RUNNING, url="-"),
    ]
    found = health.services(rows, with_dagster=False)
    assert levels(found) == [Level.OK, Level.PROBLEM, Level.PROBLEM, Level.NOTE]
    assert found[1].says == "It is crashed (no memory)."


def stage(**more: object) -> StageRow:
    return StageRow(**{"name": "lake", "slots_wanted": 2, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("row", "level"),
    [
        (stage(keeper_on=True, slots_live=2), Level.OK),
        (stage(keeper_on=True, slots_live=1), Level.PROBLEM),
        (stage(keeper_on=True, slots_live=None), Level.NOTE),
        (stage(keeper_on=False), Level.NOTE),
        (stage(keeper_on=False, why_off="S3 refuses us."), Level.PROBLEM),
        (stage(), Level.NOTE),
    ],
)
def test_stages_are_judged_by_their_keeper_and_slots(row: StageRow, level: Level):
    assert levels(health.stages([row])) == [level]


@pytest.mark.parametrize(("age_s", "level"), [(None, Level.PROBLEM), (5.0, Level.OK), (600.0, Level.PROBLEM)])
def test_the_daemon_is_judged_by_its_heartbeat(age_s: float | None, level: Level):
    assert health.daemon(age_s).level is level


@pytest.mark.parametrize(
    ("own", "ours", "problems"), [([], True, 0), ([7], False, 0), ([7], True, 1), ([7, 8], False, 1)]
)
def test_two_daemons_on_one_history_are_a_problem(own: list[int], ours: bool, problems: int):
    assert len(health.daemons(own, ours_runs=ours)) == problems


@pytest.mark.parametrize(
    ("row", "level"),
    [
        (stage(keeper_on=True, slots_live=2, lag=5000, rate=0.0), Level.NOTE),
        (stage(keeper_on=True, slots_live=2, lag=5000, rate=800.0), Level.OK),
        (stage(keeper_on=True, slots_live=2, lag=3, rate=0.0), Level.OK),
    ],
)
def test_a_stage_that_reads_nothing_of_what_waits_is_noticed(row: StageRow, level: Level):
    assert levels(health.stages([row])) == [level]


def test_dead_letters_are_noticed_with_the_command_that_shows_them():
    (finding,) = health.letters(DeadLetters(count=1200, by_stage={"ingestion": 1200}))
    assert (finding.level, finding.says[:13]) == (Level.NOTE, "1,200 records")
    assert "fraud-platform topic dead-letters" in finding.mend
    assert health.letters(DeadLetters(count=0, by_stage={})) == health.letters(None) == []


def test_schemas_that_could_not_be_registered_are_a_problem():
    failed = ServiceState(status=Status.CRASHED, message="The Schema Registry refuses the schema of users.")
    (finding,) = health.preparation(failed)
    assert (finding.level, finding.says) == (Level.PROBLEM, failed.message)
    assert health.preparation(ServiceState(status=Status.READY)) == health.preparation(None) == []


def test_the_way_out_in_an_errors_sentence_is_shown_as_such():
    def check() -> Finding:
        raise ConfigurationError("MongoDB refuses us (code 18); check the user, its password and its rights.")

    finding = health.asked("MongoDB", check)
    assert (finding.says, finding.mend) == (
        "MongoDB refuses us (code 18).",
        "Check the user, its password and its rights.",
    )


def test_a_check_that_fails_in_an_unknown_way_hides_no_other():
    def check() -> Finding:
        raise KeyError("value of a field")

    finding = health.asked("S3", check)
    assert (finding.level, finding.says) == (Level.PROBLEM, "It could not be looked at (KeyError).")


def test_an_error_of_a_check_is_a_finding():
    def check() -> Finding:
        raise BrokerUnavailable("Kafka does not answer.")

    finding = health.asked("Topics", check)
    assert (finding.level, finding.says) == (Level.PROBLEM, "Kafka does not answer.")


# The command ----------------------------------------------------------------------------------------


def test_a_machine_where_nothing_runs_is_well(run: Run):
    result = run("doctor")
    assert "Nothing of it runs here now." in result.stdout
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "All is well.")


def test_wrong_settings_are_a_finding_and_exit_1(run: Run):
    result = run("doctor", FRAUD_REPLICAS="many", FRAUD_PREFIXX="x")
    assert result.exit_code == 1
    assert "FRAUD_REPLICAS: takes numbers from 1 to 64" in result.stdout
    assert "Did you mean FRAUD_PREFIX?" in result.stdout
    assert result.stdout.splitlines()[-1] == "2 problems to mend"
    assert "ok      " not in result.stdout


def test_a_misspelt_setting_alone_leaves_the_settings_not_well(run: Run):
    result = run("doctor", FRAUD_PREFIXX="x")
    assert result.exit_code == 1
    assert "ok      Settings" not in result.stdout


def test_a_taken_port_is_found_with_its_holder(run: Run, data_dir: Path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        write_json(Folder(data_dir).ports, {"kafka": port})
        result = run("doctor")
    assert f"Port {port} (kafka) is taken by" in result.stdout
    assert f"(process {os.getpid()})" in result.stdout


def test_a_platform_without_any_mongod_says_what_to_do(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(mongod, "_packaged", lambda: None)
    result = run("doctor", PATH="/nonexistent")
    assert result.exit_code == 1
    said = " ".join(result.stdout.split())
    assert f"mongod: There is no mongod here, and none is packaged for Linux on {platform.machine()}" in said
    assert "install a mongod of your own, or set MONGODB_URI" in said


def test_a_data_folder_that_is_none_is_found(run: Run, data_dir: Path):
    data_dir.write_text("no folder")
    result = run("doctor")
    assert result.exit_code == 1
    said = " ".join(result.stdout.split())
    assert f"Settings: The data folder {data_dir} cannot be read (not a directory); set FRAUD_DATA_DIR" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("command", [("status",), ("logs", "kafka"), ("topic", "users"), ("env",), ("up",), ("down",)])
def test_such_a_folder_is_one_sentence_in_every_command(run: Run, data_dir: Path, command: tuple[str, ...]):
    data_dir.write_text("no folder")
    result = run(*command)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"fraud-platform: The data folder {data_dir} cannot be read")
    assert len(result.stderr.splitlines()) == 1


# On real services -----------------------------------------------------------------------------------


def said(findings: list[Finding]) -> dict[str, Level]:
    return {finding.about: finding.level for finding in findings}


@pytest.mark.services
def test_missing_topics_schemas_and_bucket_are_problems(service_endpoints: dict[str, str], tmp_path: Path):
    found = said(health.answers(fresh_settings(service_endpoints, tmp_path)))
    assert (found["Topics"], found["Schemas"], found["S3"]) == (Level.PROBLEM,) * 3
    assert found["MongoDB"] is Level.OK


@pytest.mark.services
def test_real_services_with_all_they_need_are_well(platform_settings: Settings):
    from fraud_platform.adapters.registry import SchemaRegistry
    from fraud_platform.adapters.s3 import S3ObjectStore

    SchemaRegistry(platform_settings).register_all()
    S3ObjectStore(platform_settings).prepare()
    found = said(health.answers(platform_settings))
    assert [found[about] for about in ("Topics", "Schemas", "MongoDB", "S3")] == [Level.OK] * 4


@pytest.mark.services
def test_wrong_credentials_are_named_with_the_way_out(service_endpoints: dict[str, str], tmp_path: Path):
    address = service_endpoints["MONGODB_URI"].replace("://", "://somebody:hunter2@")
    wrong = {**service_endpoints, "MONGODB_URI": address, "local_s3_secret_key": "hunter2"}
    found = {each.about: each for each in health.answers(fresh_settings(wrong, tmp_path), only=("mongod", "s3"))}
    assert set(found) == {"MongoDB", "S3"}
    assert found["MongoDB"].mend == "Check the user, its password and its rights."
    assert found["S3"].mend.startswith("Check the credentials")
    assert "hunter2" not in str(found)


@pytest.mark.services
def test_services_of_the_users_own_are_asked_while_nothing_runs_here(run: Run, service_endpoints: dict[str, str]):
    result = run("doctor", KAFKA_BOOTSTRAP_SERVERS=service_endpoints["KAFKA_BOOTSTRAP_SERVERS"], FRAUD_PREFIX="none-")
    assert "Nothing of it runs here now." in result.stdout
    assert "Topics: Missing: bank-transactions" in result.stdout
    assert "MongoDB:" not in result.stdout


@pytest.mark.services
def test_a_dead_supervisor_is_found(run: Run, data_dir: Path, service_endpoints: dict[str, str]):
    with running(data_dir, services=("s3",), prefer_defaults=False) as stack:
        pid = stack.state.supervisor_pid
        assert pid
        psutil.Process(pid).kill()
        psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=30)
        result = run("doctor")
    assert result.exit_code == 1
    assert "supervisor: died; `make up` starts it again" in result.stdout


@pytest.mark.services
def test_the_doctor_finds_the_service_that_is_down(run: Run, data_dir: Path, service_endpoints: dict[str, str]):
    with running(data_dir, services=("s3",), prefer_defaults=False) as stack:
        own = json.loads((data_dir / ENDPOINTS_FILE).read_text())
        (data_dir / ENDPOINTS_FILE).write_text(json.dumps({**service_endpoints, **own}))
        with stack.held_down("s3"):
            result = run("doctor")
    assert result.exit_code == 1
    assert "S3: S3 does not answer" in result.stdout
    assert "MongoDB: answers" in result.stdout
    assert "s3: It is held" in result.stdout
