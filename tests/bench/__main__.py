"""`python -m tests.bench [NAME...] [--long]`; without names all but the long ones."""

import argparse
import sys
import time
from collections.abc import Callable, Mapping

from tests.bench import (
    history,
    idle,
    ingestion,
    join,
    lake,
    latency,
    memory,
    monitoring,
    replay,
    rules,
    validator,
    whole,
)
from tests.bench.place import Site, machine, site

BENCHMARKS: Mapping[str, Callable[[Site], str]] = {
    "ingestion": ingestion.ingestion,
    "quix": ingestion.quix,
    "rubbish": ingestion.rubbish,
    "drain": whole.drain,
    "latency": latency.latency,
    "validator": validator.validator,
    "rules": rules.rules,
    "monitoring": monitoring.monitoring,
    "replay": replay.replay,
    "lake": lake.lake,
    "join": join.join,
    "history": history.history,
    "idle": idle.idle,
    "memory": memory.memory,
}
LONG = {"memory", "history"}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *BENCHMARKS], metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--long", action="store_true", help="the long ones as well")
    given = parser.parse_args()
    names = given.names or [name for name in BENCHMARKS if given.long or name not in LONG]
    print(machine(), flush=True)
    with site() as here:
        for name in names:
            started = time.monotonic()
            print(f"\n{name}: {(BENCHMARKS[name].__doc__ or '').splitlines()[0]}", flush=True)
            print(BENCHMARKS[name](here))
            print(f"  ({time.monotonic() - started:.0f} s)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
