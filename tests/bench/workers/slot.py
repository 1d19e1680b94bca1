"""One slot of a stage, as the platform runs it, until it has done a number of records: `slot.py STAGE COUNT`."""

import json
import sys
import time

from fraud_platform.runtime import launch
from fraud_platform.runtime.worker import Worker
from fraud_platform.settings import load
from fraud_platform.topology import STAGES


def main() -> None:
    stage, count = STAGES[sys.argv[1]], int(sys.argv[2])
    log, handler = launch._assemble(load(), launch.Slot(stage=stage, name="0"), lambda: False)
    begun = [0.0, 0.0]
    poll = log.poll

    def timed_poll(timeout_s: float):
        if begun[0]:
            return poll(timeout_s)
        before = time.perf_counter(), time.process_time()
        batch = poll(timeout_s)
        if batch.records:
            begun[:] = before if before[0] else begun
        return batch

    log.poll = timed_poll
    done: list[float] = []

    def is_done() -> bool:
        if handler.totals.total() >= count and not done:
            done.extend((time.perf_counter() - begun[0], time.process_time() - begun[1]))
        return bool(done)

    Worker(log, handler, stop=lambda: False, eager=True).run(until=is_done)
    print(json.dumps({"records": handler.totals.total(), "seconds": done[0], "cpu": done[1]}))


main()
