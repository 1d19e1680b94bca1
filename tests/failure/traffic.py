"""The banks' side of a trial: a feeder process that sends until it is told that it is enough."""

import subprocess
import sys
from pathlib import Path

from tests.failure.lines import read, save

FINISH_S = 180


class Traffic:
    """Sends the lines of `folder/inputs.jsonl` at a rate; `finish` leaves only those that were sent in the file."""

    def __init__(self, folder: Path, *, rate: float, at_least: int) -> None:
        self._inputs = folder / "inputs.jsonl"
        command = [sys.executable, "-m", "tests.failure.feed", *files_of(folder)]
        command += ["--rate", str(rate), "--at-least", str(at_least)]
        self._sent: int | None = None
        # The end of its input tells it that it is enough: a signal could come before it listens to signals.
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_flowing(self) -> bool:
        return self._process.poll() is None

    def finish(self) -> int:
        """Let it send what is still missing, and return how many records there are."""
        if self._sent is not None:
            return self._sent
        told, _ = self._process.communicate(timeout=FINISH_S)
        assert self._process.returncode == 0, "an input did not arrive"
        self._sent = int(told)
        save(list(read(self._inputs))[: self._sent], self._inputs)
        return self._sent

    def kill(self) -> None:
        if self.is_flowing:
            self._process.kill()
            self._process.communicate()


def files_of(folder: Path) -> list[str]:
    """What feeder and verifier are told about a trial."""
    return ["--inputs", str(folder / "inputs.jsonl"), "--where", str(folder / "where.json")]
