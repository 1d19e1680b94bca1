"""Stage processes under a small supervisor that starts a dead one again at once."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import psutil

from fraud_platform.local.stack import clean_environment
from fraud_platform.settings import ENDPOINTS_FILE, Settings
from tests.failure.plain import Where

CHECK_S = 0.02
KILLED = -signal.SIGKILL
TAKEN_OVER = "Another process took over this slot"


def where_of(settings: Settings) -> Where:
    """What an outsider has to know about the platform of these settings."""
    secret = settings.local_s3_secret_key
    return Where(
        bootstrap=settings.require("KAFKA_BOOTSTRAP_SERVERS"),
        registry=settings.require("SCHEMA_REGISTRY_URL"),
        prefix=settings.prefix,
        mongodb=settings.mongodb_address,
        database=settings.mongodb_database,
        s3=settings.require("AWS_ENDPOINT_URL_S3"),
        s3_access_key=settings.local_s3_access_key or "",
        s3_secret_key=secret.get_secret_value() if secret else "",
        bucket=settings.lake_bucket,
    )


def environment_of(settings: Settings, endpoints: dict[str, str]) -> dict[str, str]:
    """What a stage process needs to work with these settings; puts the endpoints where it looks for them."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    (settings.data_dir / ENDPOINTS_FILE).write_text(json.dumps(endpoints))
    own = {
        "FRAUD_PREFIX": settings.prefix,
        "FRAUD_MONGODB_DATABASE": settings.mongodb_database,
        "FRAUD_LAKE_BUCKET": settings.lake_bucket,
        "FRAUD_DATA_DIR": str(settings.data_dir),
        "FRAUD_LAKE_FLUSH_SECONDS": str(settings.flush_seconds),
        "FRAUD_PII_KEY": settings.pii_key.get_secret_value() if settings.pii_key else "",
        "FRAUD_VALIDATOR_URL": settings.require("FRAUD_VALIDATOR_URL"),
        "FRAUD_AWS": "local",
    }
    addresses = {name: value for name, value in endpoints.items() if name.isupper()}
    return {**clean_environment(), **addresses, **own}


def save_where(where: Where, path: Path) -> Path:
    path.write_text(json.dumps(asdict(where)))
    return path


class Slots:
    """One process per stage, `python -m fraud_platform.runtime STAGE --slot 0`; `ended` keeps each exit.

    Processes go by the stage's name, those of other slots by `stage.slot`. `orders` says per stage at which point
    its first process stops itself, then the second, and so on.
    """

    def __init__(
        self, stages: Sequence[str], environment: dict[str, str], logs: Path,
        *, orders: Mapping[str, Sequence[str]] | None = None, own: Mapping[str, Mapping[str, str]] | None = None,
        programs: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        """`own` = variables that only one process sees; `programs` = modules that run in place of the platform's."""
        self._programs = programs or {}
        self._environment = environment
        self._own = own or {}
        self._logs = logs
        self._orders = {stage: list(points) for stage, points in (orders or {}).items()}
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self.processes = {stage: self._start(stage) for stage in stages}
        self.ended: list[tuple[str, int]] = []
        self._watch = threading.Thread(target=self._keep_alive, daemon=True)
        self._watch.start()

    def _start(self, name: str, *, armed: bool = True) -> "subprocess.Popen[bytes]":
        stage, _, slot = name.partition(".")
        program = self._programs.get(name, "fraud_platform.runtime")
        command = [sys.executable, "-m", program, stage, "--slot", slot or "0"]
        if armed and (orders := self._orders.get(name)):
            command += ["--stop-at", orders.pop(0)]
        with (self._logs / f"{name}.log").open("ab") as log:
            environment = {**self._environment, **self._own.get(name, {})}
            return subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def _keep_alive(self) -> None:
        while not self._stopping.wait(CHECK_S):
            with self._lock:
                for name, process in self.processes.items():
                    if process.poll() is not None:
                        self.ended.append((name, process.returncode))
                        self.processes[name] = self._start(name)

    def wait_for_successor(self, name: str, pid: int) -> None:
        """Until another process has the place of the killed one."""
        while self.processes[name].pid == pid:
            time.sleep(CHECK_S)

    def add(self, name: str) -> None:
        """Start one more slot, `stage.slot`."""
        with self._lock:
            self.processes[name] = self._start(name)

    def remove(self, name: str, timeout_s: float) -> int:
        """Ask a slot to leave for good; its exit code."""
        with self._lock:
            process = self.processes.pop(name)
        process.send_signal(signal.SIGTERM)
        return _leave(process, time.monotonic() + timeout_s)

    def displace(self, name: str, *, armed: bool = True) -> "subprocess.Popen[bytes]":
        """Start another process for the same slot beside the present one, which is returned and not watched.

        One that is not `armed` stops itself nowhere.
        """
        with self._lock:
            displaced = self.processes[name]
            self.processes[name] = self._start(name, armed=armed)
        return displaced

    def arm(self, name: str, timeout_s: float) -> None:
        """Let one that stops itself take the place of the present process, if more of them are due."""
        with self._lock:
            if not self._orders.get(name):
                return
            present = self.processes[name]
            present.send_signal(signal.SIGTERM)
            left = _leave(present, time.monotonic() + timeout_s)
            # On a machine that stood still the one that was awake again may get in before it.
            assert left == 0 or (left == 1 and TAKEN_OVER in self.logs()), self.log()
            self.processes[name] = self._start(name)

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in list(self.processes.values())]

    def cpu_seconds(self) -> dict[str, float]:
        """What each process has used since its start."""
        times = {name: psutil.Process(process.pid).cpu_times() for name, process in self.processes.items()}
        return {name: spent.user + spent.system for name, spent in times.items()}

    def stop(self, timeout_s: float) -> dict[str, int]:
        """SIGTERM to all; their exit codes. One that does not leave within `timeout_s` is killed."""
        self._stopping.set()
        self._watch.join()
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + timeout_s
        return {name: _leave(process, deadline) for name, process in self.processes.items()}

    def logs(self) -> str:
        """All that they have said."""
        return "\n".join(path.read_text() for path in sorted(self._logs.glob("*.log")))

    def log(self) -> str:
        """The end of what each has said."""
        return "\n".join(f"{path.stem}: {path.read_text()[-800:]}" for path in sorted(self._logs.glob("*.log")))


def is_stopped(pid: int) -> bool:
    """Whether the process stands still, by a signal."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_STOPPED
    except psutil.NoSuchProcess:
        return False


def _leave(process: "subprocess.Popen[bytes]", deadline: float) -> int:
    try:
        return process.wait(max(0.01, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return KILLED
