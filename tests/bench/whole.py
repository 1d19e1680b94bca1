"""All stages together: a backlog from bank-transactions to MongoDB and S3."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from fraud_platform.adapters.mongo_client import database, mongo_client
from fraud_platform.settings import Settings
from fraud_platform.topology import DOCUMENTS, INGESTION, LAKE, PROJECTION, VALIDATION, Stage
from tests.bench.figures import verdict
from tests.bench.place import Pair, Site, send, transfers
from tests.bench.services import cpu_by_service, cpu_of, stack_at
from tests.stages.flow import has_progress, has_read_all, ledger_of

RECORDS = 100_000
TARGET = 8_000
FLUSH_SECONDS = "2"
FLOW = (INGESTION, PROJECTION, VALIDATION, LAKE, DOCUMENTS)
WITHIN_S = 240
LOOK_S = 0.2


@contextmanager
def stages(site: Site, settings: Settings) -> Iterator[Mapping[str, psutil.Process]]:
    """One process per stage, as in production; all are gone after the block."""
    environment = site.environment(settings)
    folder = Path(settings.data_dir)
    started = {}
    for stage in FLOW:
        command = [sys.executable, "-m", "fraud_platform.runtime", stage.name]
        with (folder / f"{stage.name}.log").open("wb") as log:
            started[stage.name] = psutil.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield started
    finally:
        for process in started.values():
            process.terminate()
        for process in started.values():
            process.wait(20)


@dataclass(frozen=True)
class Drained:
    """What one pass took: per stage its span and processor seconds; `services` in processor seconds."""

    spans: Mapping[str, tuple[float, float, int]]
    cpu: Mapping[str, float]
    start_cpu: float
    services: Mapping[str, float]
    rows: Mapping[str, int]

    @property
    def first(self) -> float:
        return min(start for start, _, _ in self.spans.values())

    @property
    def rate(self) -> float:
        """Transfers per second from the first commit to the last row."""
        return RECORDS / (max(end for _, end, _ in self.spans.values()) - self.first)

    @property
    def cpu_seconds(self) -> float:
        return sum(self.cpu.values()) + sum(self.services.values())


def drain(site: Site) -> str:
    """100,000 transfers lie in bank-transactions; then all stages start, each one process. The second pass counts."""
    pairs = transfers(RECORDS)
    cold, warm = _pass(site, pairs), _pass(site, pairs)
    lines = [f"  {'stage':12}{'records':>10}{'from s':>9}{'to s':>8}{'CPU us/record':>16}"]
    for name, (start, end, count) in warm.spans.items():
        since, until, cost = start - warm.first, end - warm.first, warm.cpu[name] / count * 1e6
        lines.append(f"  {name:12}{count:>10,}{since:>9.1f}{until:>8.1f}{cost:>16.1f}")
    lines += [f"  {name:12}{used / RECORDS * 1e6:>43.1f} (per transfer)" for name, used in warm.services.items()]
    stored = ", ".join(f"{count:,} {name}" for name, count in warm.rows.items())
    return "\n".join([
        *lines,
        f"  in MongoDB: {stored}; lake flush {FLUSH_SECONDS} s",
        f"  {warm.cpu_seconds:.1f} CPU seconds, services included, and {warm.start_cpu:.1f} for the processes' start",
        f"  the pass before: {cold.rate:,.0f}/s, {cold.cpu_seconds:.1f} s",
        verdict("first commit to last row, transfers/s", warm.rate, TARGET),
        verdict("two cores full, by that processor time", 2 * RECORDS / warm.cpu_seconds, TARGET),
    ])  # fmt: skip


def _pass(site: Site, pairs: Sequence[Pair]) -> Drained:
    stack = stack_at(site.endpoints)
    with site.fresh(FRAUD_LAKE_FLUSH_SECONDS=FLUSH_SECONDS) as settings:
        send(settings, pairs)
        with stages(site, settings) as processes:
            while not has_progress(settings, INGESTION):
                time.sleep(LOOK_S / 4)
            services, start = cpu_by_service(stack), {name: cpu_of(process) for name, process in processes.items()}
            _wait_until_all_is_stored(settings)
            cpu = {name: cpu_of(process) - start[name] for name, process in processes.items()}
            others = cpu_by_service(stack)
            others.subtract(services)
            spans = {stage.name: _span(settings, stage) for stage in FLOW}
        return Drained(spans, cpu, sum(start.values()), others, _rows(settings))


def _wait_until_all_is_stored(settings: Settings) -> None:
    deadline = time.monotonic() + WITHIN_S
    for stage in FLOW:  # in flow order: what comes later has no more input once the earlier are through
        while not has_read_all(settings, stage):
            if time.monotonic() > deadline:
                raise SystemExit(f"{stage.name} did not get through within {WITHIN_S} s.")
            time.sleep(LOOK_S)


def _span(settings: Settings, stage: Stage) -> tuple[float, float, int]:
    """When the stage's first and last commits with records were (epoch s), and how many records those had."""
    entries = [
        (e["committed_at"].timestamp(), sum(i["count"] for i in e["inputs"])) for e in ledger_of(settings, stage)
    ]
    entries = [entry for entry in entries if entry[1]]
    return entries[0][0], entries[-1][0], sum(count for _, count in entries)


def _rows(settings: Settings) -> dict[str, int]:
    client = mongo_client(settings)
    try:
        names = ("transactions", "users", "decisions")
        return {name: database(client, settings)[name].estimated_document_count() for name in names}
    finally:
        client.close()
