"""The real service in a process of its own, on a free port."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

COMMAND = (sys.executable, "-m", "fraud_platform.validator_api")
STOP_SECONDS = 9  # three are promised, two of them for a request under way; other tests work beside this one
NOWHERE = Path(tempfile.gettempdir()) / "no-platform-here"


def environment(api_key: str = "", rules: Path | None = None) -> dict[str, str]:
    """This process's environment with this key and these rules alone, and away from a platform of the checkout."""
    own = {"FRAUD_VALIDATOR_API_KEY": api_key, "FRAUD_RULES_FILE": str(rules or ""), "FRAUD_DATA_DIR": str(NOWHERE)}
    return {**os.environ, **own}


@contextmanager
def running_validator(*, api_key: str = "", rules: Path | None = None) -> Iterator[str]:
    """Start the service, with the default rules unless given others, and give its base address once it listens."""
    with started_validator(api_key=api_key, rules=rules) as (_, address):
        yield address


@contextmanager
def started_validator(
    *, api_key: str = "", rules: Path | None = None, port: int = 0, **more: str
) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """As `running_validator`, with the process itself; `more` are settings by their environment's names."""
    process = subprocess.Popen(
        [*COMMAND, "--port", str(port)],
        env={**environment(api_key, rules), **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert "listens on" in line, process.stderr.read() if process.stderr else line
        yield process, line.split()[-1]
    finally:
        process.kill()
        process.communicate()
