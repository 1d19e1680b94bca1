"""The name of the code that a process runs."""

from pathlib import Path

import pytest

from fraud_platform.orchestration.code import fingerprint, own_code, version_of


def test_the_same_files_have_the_same_name(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "inner").mkdir(parents=True)
        (tmp_path / name / "inner" / "a.py").write_text("A = 1\n")
    assert fingerprint(tmp_path / "one") == fingerprint(tmp_path / "two")


@pytest.mark.parametrize("path", ["a.py", "inner/b.py", "schemas/user.avsc", "queries/join.js"])
def test_a_changed_or_added_file_changes_the_name(tmp_path: Path, path: str) -> None:
    names = [fingerprint(tmp_path)]
    for content in ("1", "2"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(content)
        names.append(fingerprint(tmp_path))
    assert len(set(names)) == 3


def test_what_python_leaves_behind_changes_nothing(tmp_path: Path) -> None:
    before = fingerprint(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.cpython-312.pyc").write_text("compiled")
    assert fingerprint(tmp_path) == before


def test_a_process_keeps_the_name_that_it_found_first() -> None:
    assert own_code() == own_code()
    assert len(own_code()) == 12


def test_an_editor_s_lock_is_no_source(tmp_path: Path) -> None:
    (tmp_path / "handler.py").write_text("x = 1")
    before = fingerprint(tmp_path)
    (tmp_path / ".#handler.py").symlink_to("somebody@nowhere.1:2")
    assert fingerprint(tmp_path) == before


def test_a_part_s_version_is_that_of_the_folders_that_make_it() -> None:
    assert version_of("core", "lake") == version_of("core", "lake")
    assert len({version_of("core"), version_of("lake"), version_of("core", "lake")}) == 3
