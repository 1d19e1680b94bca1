"""Folders below the data folder for files that live as long as what they are made for."""

import shutil
import time
from pathlib import Path

from fraud_platform.errors import ConfigurationError

LEFT_AFTER_S = 24 * 3600
"""No query, and no compaction of an hour, takes so long."""


def scratch_in(data_dir: Path, name: str) -> Path:
    """A folder for files that hold people's data for a while; empties it of what a killed run has left.

    Raises:
        ConfigurationError: it cannot be written to.
    """
    folder = data_dir / name
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in folder.iterdir():
            if left.stat().st_mtime < time.time() - LEFT_AFTER_S:
                shutil.rmtree(left, ignore_errors=True)
    except OSError as error:
        raise ConfigurationError(
            f"Files cannot be built in {folder} ({error.strerror}); set FRAUD_DATA_DIR to a folder of yours."
        ) from None
    return folder
