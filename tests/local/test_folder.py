"""Files that are replaced in one step, and logs that stay small."""

import errno
import shutil
import stat
from pathlib import Path

import pytest

from fraud_platform.local import state
from fraud_platform.local.folder import PRIVATE, Folder, read_json, rotate, trim, write_json
from fraud_platform.local.state import Phase, ServiceState, StackState, Status


def test_a_private_file_is_for_its_owner_only(tmp_path: Path) -> None:
    write_json(tmp_path / "keys.json", {"a": 1}, mode=PRIVATE)
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600


def test_a_failed_write_leaves_the_old_content_and_no_rubbish(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert read_json(path) == {"a": 1}
    assert [each.name for each in tmp_path.iterdir()] == ["state.json"]


@pytest.mark.parametrize("content", ["", "{", "[1]"])
def test_a_damaged_file_reads_as_empty(tmp_path: Path, content: str) -> None:
    (tmp_path / "f.json").write_text(content)
    assert read_json(tmp_path / "f.json") == {}


def test_a_small_log_stays(tmp_path: Path) -> None:
    log = tmp_path / "kafka.log"
    log.write_text("small")
    rotate(log, limit_bytes=10)
    assert log.read_text() == "small"


def test_a_large_log_moves_aside_and_the_oldest_goes(tmp_path: Path) -> None:
    log = tmp_path / "kafka.log"
    for content in ("first " * 10, "second " * 10, "third " * 10, "fourth " * 10):
        log.write_text(content)
        rotate(log, limit_bytes=10, generations=2)
    assert not log.exists()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["kafka.log.1", "kafka.log.2"]
    assert log.with_name("kafka.log.1").read_text().startswith("fourth")


def test_a_log_that_a_program_appends_to_is_emptied_under_it(tmp_path: Path) -> None:
    log = tmp_path / "kafka.log"
    with log.open("ab", buffering=0) as program:
        for content in (b"first " * 10, b"second " * 10, b"third " * 10):
            program.write(content)
            trim(log, limit_bytes=10, generations=2)
        program.write(b"fourth")
    trim(log, limit_bytes=10, generations=2)
    assert log.read_text() == "fourth"
    kept = {each.name: each.read_text().split()[0] for each in tmp_path.iterdir() if each != log}
    assert kept == {"kafka.log.1": "third", "kafka.log.2": "second"}


def test_a_log_that_is_not_there_yet_needs_no_trimming(tmp_path: Path) -> None:
    trim(tmp_path / "kafka.log", limit_bytes=10)
    assert list(tmp_path.iterdir()) == []


def test_the_state_survives_its_file(tmp_path: Path) -> None:
    written = StackState(
        phase=Phase.READY,
        start_timeout_s=240.0,
        supervisor_pid=1,
        supervisor_created=2.5,
        services={"kafka": ServiceState(status=Status.CRASHED, restarts=3, last_exit=-9, message="killed")},
    )
    state.write(Folder(tmp_path), written)
    assert state.read(Folder(tmp_path)) == written


def test_a_folder_that_never_ran_is_stopped(tmp_path: Path) -> None:
    assert state.read(Folder(tmp_path)) == StackState(phase=Phase.STOPPED)


def test_a_log_that_cannot_be_copied_costs_no_older_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "kafka.log"
    log.write_text("present " * 10)
    log.with_name("kafka.log.1").write_text("older")

    def full(_source: Path, target: Path) -> None:
        target.write_text("pres")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OSError, match="No space"):
        trim(log, limit_bytes=10, generations=2)
    assert {each.name: each.read_text().split()[0] for each in tmp_path.iterdir()} == {
        "kafka.log": "present",
        "kafka.log.1": "older",
    }
