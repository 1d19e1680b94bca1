"""The copy of all schemas beside the registry's own folder; an empty registry begins with it."""

import json
import logging
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from fraud_platform.local.folder import Folder, write_bytes

logger = logging.getLogger(__name__)

READ_WITHIN_S = 30.0
"""An empty registry reads its copy within moments of its start; after this long it has refused it."""


class SchemaCopy:
    """`registry-schemas.zip` of one data folder; one that is of no use is set aside, never deleted."""

    def __init__(self, folder: Folder, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = folder.root / "registry-schemas.zip"
        self._clock = clock
        self._empty_since: float | None = None

    def write(self, content: bytes) -> None:
        """Replace it."""
        write_bytes(self.path, content)

    def before_start(self) -> None:
        """Set it aside when it is damaged: the registry would say nothing about that."""
        self._empty_since = None
        if self.path.exists() and not _is_whole(self.path):
            self._set_aside("is damaged")

    def is_read(self, *, registry_is_empty: bool) -> bool:
        """Whether a registry that answers has begun with it; one that stays empty has refused it."""
        if not registry_is_empty or not self.path.exists():
            return True
        now = self._clock()
        self._empty_since = now if self._empty_since is None else self._empty_since
        if now - self._empty_since < READ_WITHIN_S:
            return False
        self._set_aside("was not taken by the empty registry")
        return True

    def _set_aside(self, why: str) -> None:
        names = (f"{self.path.name}.damaged{number}" for number in ("", *range(2, 1000)))
        aside = next(place for name in names if not (place := self.path.with_name(name)).exists())
        self.path.rename(aside)
        logger.warning(
            "registry: the copy of the schemas %s and lies aside as %s; docs/operations.md tells what an empty"
            " registry needs",
            why,
            aside,
        )


def _is_whole(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:
                return False
            for name in archive.namelist():
                if name.endswith(".json"):
                    json.loads(archive.read(name))
    except (OSError, zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, zlib.error):
        return False
    return True
