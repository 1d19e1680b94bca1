"""Whether a folder in the cache still holds what was put there: a full disk or a cut copy leaves half files."""

import zipfile
from pathlib import Path

from fraud_platform.local.folder import read_json, write_json


def remember(folder: Path) -> None:
    """Note the size of each file in the folder, beside it."""
    write_json(_list_of(folder), {str(path.relative_to(folder)): path.stat().st_size for path in _files(folder)})


def is_whole(folder: Path) -> bool:
    """Whether the folder exists and no file in it is missing or has another size than it had.

    Sizes are compared, not hashes: it is asked at each start. Of a folder without a list the jars must be whole.
    """
    if not folder.is_dir():
        return False
    sizes = read_json(_list_of(folder))
    if not sizes:
        return all(zipfile.is_zipfile(path) for path in _files(folder) if path.suffix == ".jar")
    try:
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except OSError:
        return False


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _list_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.files.json")
