"""The copy of the schemas: used when whole, set aside when not, never deleted."""

import zipfile
from pathlib import Path

import pytest

from fraud_platform.local.folder import Folder
from fraud_platform.local.schema_copy import READ_WITHIN_S, SchemaCopy


def archive(path: Path, **files: str) -> bytes:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, text in files.items():
            made.writestr(f"{name}.json", text)
    return path.read_bytes()


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_a_whole_copy_stays(tmp_path: Path) -> None:
    copy = SchemaCopy(Folder(tmp_path))
    archive(copy.path, content='{"id": 1}')
    copy.before_start()
    assert names(tmp_path) == ["registry-schemas.zip"]


@pytest.mark.parametrize("fault", ["empty", "rubbish", "cut", "a byte changed", "half a schema"])
def test_a_damaged_copy_is_set_aside_and_said(tmp_path: Path, fault: str, caplog: pytest.LogCaptureFixture) -> None:
    copy = SchemaCopy(Folder(tmp_path))
    whole = archive(copy.path, content='{"id": "' + "abc" * 500 + '"}')
    damaged = {
        "empty": b"",
        "rubbish": b"rubbish" * 100,
        "cut": whole[: len(whole) // 2],
        "a byte changed": whole[:50] + bytes([whole[50] ^ 255]) + whole[51:],
        "half a schema": archive(tmp_path / "other.zip", content='{"id": '),
    }[fault]
    (tmp_path / "other.zip").unlink()
    copy.path.write_bytes(damaged)
    copy.before_start()
    assert names(tmp_path) == ["registry-schemas.zip.damaged"]
    assert (tmp_path / "registry-schemas.zip.damaged").read_bytes() == damaged
    (said,) = caplog.messages
    assert said.startswith("registry: the copy of the schemas is damaged and lies aside as ")


def test_what_lies_aside_already_is_never_overwritten(tmp_path: Path) -> None:
    copy = SchemaCopy(Folder(tmp_path))
    for content in ("first", "second", "third"):
        copy.path.write_text(content)
        copy.before_start()
    kept = [(tmp_path / f"registry-schemas.zip.damaged{number}").read_text() for number in ("", 2, 3)]
    assert kept == ["first", "second", "third"]


def test_an_empty_registry_is_given_time_to_read_its_copy(tmp_path: Path) -> None:
    now = [0.0]
    copy = SchemaCopy(Folder(tmp_path), clock=lambda: now[0])
    assert copy.is_read(registry_is_empty=True), "there is none"
    archive(copy.path, content="{}")
    assert not copy.is_read(registry_is_empty=True)
    now[0] += READ_WITHIN_S / 2
    assert not copy.is_read(registry_is_empty=True)
    assert copy.is_read(registry_is_empty=False)
    assert names(tmp_path) == ["registry-schemas.zip"]


def test_a_copy_that_the_registry_refuses_is_set_aside(tmp_path: Path) -> None:
    now = [0.0]
    copy = SchemaCopy(Folder(tmp_path), clock=lambda: now[0])
    archive(copy.path, nonsense="{}")
    copy.before_start()
    assert not copy.is_read(registry_is_empty=True)
    now[0] += READ_WITHIN_S
    assert copy.is_read(registry_is_empty=True)
    assert names(tmp_path) == ["registry-schemas.zip.damaged"]
