"""Memory over a long backlog: it must not grow with what has gone through."""

import sys
import time
from pathlib import Path

import psutil

from fraud_platform.topology import INGESTION
from tests.bench.figures import slope, verdict
from tests.bench.place import Site, send, transfers
from tests.stages.flow import has_read_all

RECORDS, CHUNK = 1_000_000, 100_000
LOOK_S, WITHIN_S = 1.0, 600.0
WARM_SHARE = 0.3
MOST_MB_PER_MILLION = 20.0


def memory(site: Site) -> str:
    """Resident memory of ingestion over a backlog of a million transfers; the first third fills its caches."""
    with site.fresh() as settings:
        for number in range(RECORDS // CHUNK):
            send(settings, transfers(CHUNK, seed=number))
        log = Path(settings.data_dir) / "ingestion.log"
        with log.open("wb") as output:
            command = [sys.executable, "-m", "fraud_platform.runtime", "ingestion"]
            slot = psutil.Popen(command, env=site.environment(settings), stdout=output, stderr=output)
        points: list[tuple[float, float]] = []
        begun = time.monotonic()
        try:
            while not has_read_all(settings, INGESTION) and time.monotonic() - begun < WITHIN_S:
                points.append((time.monotonic() - begun, slot.memory_info().rss / 1e6))
                time.sleep(LOOK_S)
        finally:
            slot.terminate()
            slot.wait(20)
    total = points[-1][0]
    settled = [(at / total, size) for at, size in points if at >= WARM_SHARE * total]
    return "\n".join([
        f"  {RECORDS:,} transfers in {total:.0f} s",
        f"  {settled[0][1]:.0f} MB after a third, {settled[-1][1]:.0f} MB at the end",
        verdict("growth per million", slope(settled), MOST_MB_PER_MILLION, at_least=False, unit=" MB"),
    ])  # fmt: skip
