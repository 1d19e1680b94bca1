"""Ingestion: against a bare pass-through, against Quix Streams, with rubbish, and over a long backlog."""

import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import fraud_platform
from fraud_platform.settings import Settings
from tests.bench.figures import Run, cpu_ratio, rate_ratio, runs_table, verdict
from tests.bench.place import Pair, Site, send, transfers

RECORDS, ROUNDS = 150_000, 3
QUIX = "quixstreams==3.28.1"
SCHEMA = Path(fraud_platform.__file__).parent / "schemas" / "transaction.avsc"

Contestant = Callable[[Settings], Run]


def ingestion(site: Site) -> str:
    """Exactly once per process: JSON to Avro, against the same records passed through unread."""
    runs = _alternate(
        site, transfers(RECORDS),
        ingestion=lambda settings: site.measured(settings, "slot", "ingestion", str(RECORDS)),
        passthrough=lambda settings: site.measured(settings, "passthrough", str(RECORDS)),
    )  # fmt: skip
    ours, bare = runs["ingestion"], runs["passthrough"]
    return "\n".join([
        f"  {RECORDS:,} records of 1.2 KB, 5,000 per transaction, lz4, 4 partitions, {ROUNDS} rounds",
        runs_table(runs),
        verdict("ingestion / pass-through, rate", rate_ratio(ours, bare), 0.6),
        f"  the same by processor time: {cpu_ratio(ours, bare):.2f}",
    ])  # fmt: skip


def quix(site: Site) -> str:
    """The same work on Quix Streams, exactly once, in an environment of its own."""
    python = _quix_python()

    def theirs(settings: Settings) -> Run:
        address = settings.require("KAFKA_BOOTSTRAP_SERVERS")
        arguments = (address, settings.prefix, str(RECORDS), str(SCHEMA))
        return site.measured(settings, "quix", *arguments, python=python)

    runs = _alternate(
        site, transfers(RECORDS), quixstreams=theirs,
        ingestion=lambda settings: site.measured(settings, "slot", "ingestion", str(RECORDS)),
    )  # fmt: skip
    ours, others = runs["ingestion"], runs["quixstreams"]
    return "\n".join([
        f"  {RECORDS:,} records of 1.2 KB, {QUIX}, 5,000 per transaction, {ROUNDS} rounds",
        runs_table(runs),
        verdict("ingestion / Quix Streams, rate", rate_ratio(ours, others), 4),
        f"  the same by processor time: {cpu_ratio(ours, others):.2f}",
    ])  # fmt: skip


def rubbish(site: Site) -> str:
    """What one bad record in a hundred costs."""
    clean = transfers(RECORDS)
    dirty = [(key, value[:-9] if number % 100 == 0 else value) for number, (key, value) in enumerate(clean)]
    runs: dict[str, list[Run]] = {"no rubbish": [], "1 % rubbish": []}
    for turn in range(ROUNDS):
        contestants = [("no rubbish", clean), ("1 % rubbish", dirty)]
        for name, pairs in contestants if turn % 2 else contestants[::-1]:
            with site.fresh() as settings:
                send(settings, pairs)
                runs[name].append(site.measured(settings, "slot", "ingestion", str(RECORDS)))
    loss = 1 - rate_ratio(runs["1 % rubbish"], runs["no rubbish"])
    cpu = 1 - cpu_ratio(runs["1 % rubbish"], runs["no rubbish"])
    return "\n".join([
        runs_table(runs),
        verdict("loss of rate", loss, 0.1, at_least=False),
        f"  the same by processor time: {cpu:.3f}",
    ])  # fmt: skip


def _alternate(site: Site, pairs: list[Pair], **contestants: Contestant) -> dict[str, list[Run]]:
    """Each round on the same fresh records, the order turned round each time."""
    runs: dict[str, list[Run]] = {name: [] for name in contestants}
    for turn in range(ROUNDS):
        with site.fresh() as settings:
            send(settings, pairs)
            names = list(contestants)
            for name in names if turn % 2 else names[::-1]:
                runs[name].append(contestants[name](settings))
    return runs


def _quix_python() -> str:
    """The interpreter of an environment that holds Quix Streams; made once, outside of the checkout."""
    home = Path.home() / ".cache" / "fraud-platform" / f"bench-{QUIX.replace('==', '-')}-py{sys.version_info.minor}"
    python = home / "bin" / "python"
    if not (home / ".complete").exists():
        venv.create(home, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "-q", QUIX, "fastavro", "msgspec"], check=True)
        (home / ".complete").touch()
    return str(python)
