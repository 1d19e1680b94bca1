"""One slot of monitoring with rules of its own, until it has judged a number of lines: `monitoring.py COUNT RULES`."""

import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil

from fraud_platform.monitoring import stage as module
from fraud_platform.runtime import launch
from fraud_platform.runtime.worker import Worker
from fraud_platform.settings import load
from fraud_platform.topology import MONITORING
from tests.bench.monitoring import engine_of


def main() -> None:
    count, engine = int(sys.argv[1]), engine_of(Path(sys.argv[2]))
    # What the stage would follow.
    module.RuleSets = lambda _: SimpleNamespace(engine=lambda: engine, close=lambda: None)
    log, handler = launch._assemble(load(), launch.Slot(stage=MONITORING, name="0"), lambda: False)
    before = psutil.Process().memory_info().rss
    marks: dict[str, tuple[float, float]] = {}

    def mark(name: str) -> None:
        marks.setdefault(name, (time.perf_counter(), time.process_time()))

    poll, restored = log.poll, [0]

    def timed_poll(timeout_s: float):
        at = time.perf_counter(), time.process_time()
        batch = poll(timeout_s)
        if batch.records:
            marks.setdefault("first", at)
        return batch

    log.poll = timed_poll
    restore = handler._state.restore

    def timed_restore() -> None:
        mark("restore")
        restore()
        marks["restored"] = time.perf_counter(), time.process_time()
        restored[0] = sum(len(shelf.kept) for shelf in handler._state._shelves.values())

    handler._state.restore = timed_restore

    def is_done() -> bool:
        if handler.totals.total() >= count:
            mark("done")
        return "done" in marks

    Worker(log, handler, stop=lambda: False, eager=True).run(until=is_done)
    (begun, begun_cpu), (done, done_cpu) = marks["first"], marks["done"]
    a, b = marks.get("restore", (0.0, 0.0)), marks.get("restored", (0.0, 0.0))
    print(json.dumps({
        "records": handler.totals.total(), "seconds": done - begun, "cpu": done_cpu - begun_cpu,
        "restored": (restored[0], b[0] - a[0], b[1] - a[1]),
        "memory_mb": (psutil.Process().memory_info().rss - before) / 1e6,
    }))  # fmt: skip


main()
