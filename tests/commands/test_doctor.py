import json
import socket
from pathlib import Path

import pytest

from fraud_platform.commands import health, machine
from fraud_platform.commands.finding import Finding, Level, ok
from fraud_platform.commands.status import ELSEWHERE, NOT_RUNNING, ServiceRow, StageRow
from fraud_platform.errors import BrokerUnavailable, ConfigurationError
from fraud_platform.local.pins import Bundle
from fraud_platform.local.stack import running
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
