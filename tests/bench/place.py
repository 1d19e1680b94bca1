"""Where benchmarks happen: services of their own, a fresh platform for each run, and programs that are measured."""

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from fraud_platform.adapters.admin import ensure_topics
from fraud_platform.banks.generator import TransferGenerator
from fraud_platform.banks.mix import DEFAULT_MIX
from fraud_platform.banks.population import Population
from fraud_platform.local.stack import running_stack
from fraud_platform.settings import Settings
from fraud_platform.topology import Topic
from tests.bench.figures import Run
from tests.conftest import fresh_settings
from tests.failure.slots import environment_of

SERVICES = ("kafka", "registry", "mongod", "s3", "validator")
WORKER_S = 240
CHECKOUT = Path(__file__).resolve().parents[2]

Pair = tuple[bytes, bytes]


def machine() -> str:
    """The machine in one line."""
    names = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    memory = psutil.virtual_memory().total / 2**30
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    return (
        f"{os.cpu_count()} cores ({names[0] if names else platform.machine()}), {memory:.0f} GB,"
        f" Python {platform.python_version()}, load at the start {load}"
    )


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def transfers(count: int, *, seed: int = 1) -> list[Pair]:
    """Keys and JSON values of the demo banks' transfers, the same for the same seed; dated now."""
    generator = TransferGenerator(Population(7), DEFAULT_MIX, run=seed)
    now = datetime.now(UTC)
    made = (generator.next(now) for _ in range(count))
    return [(transfer.key, transfer.value) for transfer in made]


@dataclass(frozen=True)
class Site:
    """Running services and a folder."""

    endpoints: dict[str, str]
    folder: Path

    @contextmanager
    def fresh(self, **changes: str) -> Iterator[Settings]:
        """A platform with topics, a database and a bucket of its own; the topics go afterwards."""
        settings = fresh_settings(self.endpoints, Path(tempfile.mkdtemp(dir=self.folder)), **changes)
        ensure_topics(settings, timeout_s=60)
        try:
            yield settings
        finally:
            client = AdminClient({"bootstrap.servers": settings.require("KAFKA_BOOTSTRAP_SERVERS"), "log_level": 4})
            for gone in client.delete_topics([settings.naming.topic(topic) for topic in Topic]).values():
                gone.exception(30)

    def environment(self, settings: Settings) -> dict[str, str]:
        """What a process needs to belong to that platform."""
        return environment_of(settings, self.endpoints)

    def measured(self, settings: Settings, worker: str, *arguments: str, python: str = sys.executable) -> Run:
        """As `told`, of a worker that says the three figures of a run."""
        return Run(**self.told(settings, worker, *arguments, python=python))

    def told(self, settings: Settings, worker: str, *arguments: str, python: str = sys.executable) -> dict[str, Any]:
        """Run `tests/bench/workers/<worker>.py` and return what it says of itself."""
        program = str(Path(__file__).parent / "workers" / f"{worker}.py")
        found = subprocess.run(
            [python, program, *arguments],
            env={**self.environment(settings), "PYTHONPATH": str(CHECKOUT)},
            capture_output=True, text=True, timeout=WORKER_S, check=False,
        )  # fmt: skip
        if found.returncode:
            raise SystemExit(f"{worker} failed:\n{found.stderr[-2000:]}")
        said: dict[str, Any] = json.loads(found.stdout.splitlines()[-1])
        return said


@contextmanager
def site() -> Iterator[Site]:
    """Services on free ports, or those that `FRAUD_TEST_ENDPOINTS` names; nothing remains."""
    given = os.environ.get("FRAUD_TEST_ENDPOINTS")
    with tempfile.TemporaryDirectory(prefix="fraud-bench-", ignore_cleanup_errors=True) as folder:
        if given:
            yield Site(json.loads(Path(given).read_text()), Path(folder))
            return
        with running_stack(Path(folder) / "stack", services=SERVICES) as endpoints:
            yield Site(dict(endpoints), Path(folder))


def send(settings: Settings, pairs: Iterable[Pair], topic: Topic = Topic.BANK_TRANSACTIONS) -> None:
    """Put the records into a topic, placed as the banks place them."""
    producer = Producer({
        "bootstrap.servers": settings.require("KAFKA_BOOTSTRAP_SERVERS"), "partitioner": "murmur2_random",
        "linger.ms": 10, "compression.type": "lz4", "queue.buffering.max.messages": 1_000_000, "log_level": 4,
    })  # fmt: skip
    name = settings.naming.topic(topic)
    for number, (key, value) in enumerate(pairs):
        producer.produce(name, value, key)
        if number % 1000 == 0:
            producer.poll(0)
    if producer.flush(60):
        raise SystemExit("Kafka did not take the benchmark's input in time.")
