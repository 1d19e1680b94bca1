"""Where a stack keeps its things: the files and folders below one data folder."""

import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fraud_platform.settings import ENDPOINTS_FILE

PRIVATE = 0o600
LOG_LIMIT_BYTES = 20 * 1024 * 1024
LOG_GENERATIONS = 3

OWNER_ONLY = 0o700
"""The topics in it hold people's data."""


@dataclass(frozen=True, slots=True)
class Folder:
    """The data folder of one stack."""

    root: Path

    @property
    def state(self) -> Path:
        """What runs, as the supervisor last saw it (JSON)."""
        return self.root / "state.json"

    @property
    def lock(self) -> Path:
        """Held by the one supervisor of this folder."""
        return self.root / "supervisor.lock"

    @property
    def ports(self) -> Path:
        """The ports that were chosen at the first start (JSON)."""
        return self.root / "ports.json"

    @property
    def endpoints(self) -> Path:
        """Addresses of the embedded services, under the names that `Settings` reads (JSON)."""
        return self.root / ENDPOINTS_FILE

    @property
    def dagster_home(self) -> Path:
        """The DAGSTER_HOME of this stack."""
        return self.root / "dagster-home"

    def hold(self, service: str) -> Path:
        """While this file exists, the supervisor leaves the service down."""
        return self.root / "hold" / service

    def log(self, service: str) -> Path:
        """The service's log file."""
        return self.root / "logs" / f"{service}.log"

    def make(self, *parts: str) -> Path:
        """The folder below the root, created when missing."""
        path = self.root.joinpath(*parts)
        path.mkdir(parents=True, exist_ok=True)
        self.root.chmod(OWNER_ONLY)
        return path


def write_json(path: Path, content: Any, *, mode: int = 0o644) -> None:
    """Replace `path` in one step, so that no reader ever sees half of it."""
    write_text(path, json.dumps(content, indent=1, sort_keys=True) + "\n", mode=mode)


def write_text(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Replace `path` in one step; the folder is created when missing."""
    write_bytes(path, text.encode(), mode=mode)


def write_bytes(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Replace `path` in one step; the folder is created when missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict[str, Any]:
    """The object in `path`; empty when the file is missing or damaged."""
    try:
        content = json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return content if isinstance(content, dict) else {}


def rotate(log: Path, *, limit_bytes: int = LOG_LIMIT_BYTES, generations: int = LOG_GENERATIONS) -> None:
    """Move a log that outgrew `limit_bytes` aside (`.1` is the newest), keeping `generations` of them."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if not log.exists() or log.stat().st_size <= limit_bytes:
        return
    _shift(log, generations)
    log.replace(_older(log, 1))


def trim(log: Path, *, limit_bytes: int = LOG_LIMIT_BYTES, generations: int = LOG_GENERATIONS) -> None:
    """As `rotate`, for a log that a running program appends to: its content is copied, then the file emptied.

    What the program writes between the two is lost.
    """
    if not log.exists() or log.stat().st_size <= limit_bytes:
        return
    copy = log.with_name(f"{log.name}.copy")
    try:
        shutil.copyfile(log, copy)  # first: on a full disk it fails, and the older ones must stay
    except OSError:
        copy.unlink(missing_ok=True)
        raise
    _shift(log, generations)
    copy.replace(_older(log, 1))
    os.truncate(log, 0)


def _shift(log: Path, generations: int) -> None:
    for number in range(generations - 1, 0, -1):
        if _older(log, number).exists():
            _older(log, number).replace(_older(log, number + 1))


def _older(log: Path, number: int) -> Path:
    return log.with_name(f"{log.name}.{number}")
