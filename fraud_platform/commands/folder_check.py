"""The doctor's look at the data folder: can it be written, and can libraries be loaded from it?"""

import os
import tempfile
from pathlib import Path

from fraud_platform.commands.finding import Finding, ok, problem

_ABOUT = "Data folder"
_MEND = "Set FRAUD_DATA_DIR to a folder of yours on a local disk."


def existing(folder: Path) -> Path:
    """The folder, or the nearest one above that exists."""
    return next((place for place in (folder, *folder.parents) if place.exists()), Path("/"))


def usable(folder: Path, *, will_write: bool = True, flags: int | None = None) -> Finding:
    """Whether the embedded services can live in `folder`.

    Args:
        folder: the data folder, there or not.
        will_write: False when nothing of ours is kept there.
        flags: those of its file system (`os.statvfs`), asked for when None.
    """
    if not will_write:
        return ok(_ABOUT, f"{folder}; nothing is kept there, since every store is elsewhere")
    place = existing(folder)
    if why := _refusal(place):
        return problem(_ABOUT, f"{folder} cannot be written: {why}.", _MEND)
    if (os.statvfs(place).f_flag if flags is None else flags) & os.ST_NOEXEC:
        return problem(
            _ABOUT,
            f"{folder} is on a file system that runs no programs (noexec), and Kafka unpacks libraries there.",
            _MEND,
        )
    return ok(_ABOUT, str(folder))


def _refusal(place: Path) -> str:
    """Why nothing can be written there, found out by writing: rights alone do not tell."""
    if not place.is_dir():
        return f"{place} is no folder"
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(b".")
    except OSError as error:
        return (error.strerror or type(error).__name__).lower()
    return ""
