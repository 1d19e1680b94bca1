"""What the platform costs while nothing happens: services, Dagster, and every stage's process."""

import subprocess
import sys
import time

from fraud_platform.local.stack import clean_environment
from tests.bench.figures import verdict
from tests.bench.place import Site
from tests.bench.services import cpu_by_service, memory_by_service

SETTLE_S, WATCH_S = 30, 60
CORES, MEGABYTES = 0.35, 3_500


def idle(site: Site) -> str:
    """`fraud-platform up --no-demo` in a folder of its own, left alone for a minute."""
    folder = site.folder / "idle"
    environment = {**clean_environment(), "FRAUD_DATA_DIR": str(folder), "FRAUD_ENV_FILE": "/dev/null"}
    command = [sys.executable, "-m", "fraud_platform"]
    try:
        subprocess.run([*command, "up", "--no-demo"], env=environment, check=True, capture_output=True, timeout=240)
        time.sleep(SETTLE_S)
        before, begun = cpu_by_service(folder), time.monotonic()
        time.sleep(WATCH_S)
        used, seconds = cpu_by_service(folder), time.monotonic() - begun
        memory = memory_by_service(folder)
    finally:
        subprocess.run([*command, "down"], env=environment, check=False, capture_output=True, timeout=120)
    used.subtract(before)
    lines = [f"  {'':20}{'cores':>8}{'MB':>8}"]
    lines += [f"  {name:20}{used[name] / seconds:>8.3f}{memory[name]:>8.0f}" for name in memory]
    return "\n".join([
        *lines,
        verdict("cores", sum(used.values()) / seconds, CORES, at_least=False),
        verdict("memory", sum(memory.values()), MEGABYTES, at_least=False, unit=" MB"),
    ])  # fmt: skip
