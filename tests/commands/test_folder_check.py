import os
from pathlib import Path

from fraud_platform.commands.finding import Level
from fraud_platform.commands.folder_check import existing, usable


def test_a_folder_of_ours_is_well_before_it_is_there(tmp_path: Path):
    assert usable(tmp_path / "not" / "yet").level is Level.OK
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_a_file_is_a_problem(tmp_path: Path):
    (tmp_path / "file").write_text("")
    found = usable(tmp_path / "file" / "data")
    assert (found.level, found.says) == (
        Level.PROBLEM,
        f"{tmp_path}/file/data cannot be written: {tmp_path}/file is no folder.",
    )


def test_a_file_system_that_refuses_is_found_by_writing():
    """Root may write everywhere by its rights; here the kernel says no to all."""
    found = usable(Path("/proc/data"))
    assert found.level is Level.PROBLEM
    assert "FRAUD_DATA_DIR" in found.mend


def test_a_file_system_without_programs_is_a_problem(tmp_path: Path):
    found = usable(tmp_path, flags=os.ST_NOEXEC)
    assert found.level is Level.PROBLEM
    assert "noexec" in found.says


def test_nothing_needs_to_be_writable_when_every_store_is_elsewhere():
    assert usable(Path("/proc/data"), will_write=False).level is Level.OK


def test_the_nearest_folder_above_counts(tmp_path: Path):
    assert existing(tmp_path / "a" / "b") == tmp_path
