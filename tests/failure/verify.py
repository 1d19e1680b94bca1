"""Says whether a platform that has come to rest kept its word: `python -m tests.failure.verify --inputs FILE ...`.

A process of its own that knows only the inputs, the topics and the stores. It prints one JSON report and
leaves with 1 when something is off.
"""

import argparse
import json
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.failure import checks, ledger_checks
from tests.failure.evidence import LEDGER, READS, STORED, Evidence, gather
from tests.failure.lines import read
from tests.failure.monitored import Lot
from tests.failure.plain import Where


def faults_of(evidence: Evidence) -> list[str]:
    """Everything that is off, one sentence each."""
    return [fault for check in (*checks.CHECKS, *ledger_checks.CHECKS) for fault in check(evidence)]


def counts_of(evidence: Evidence) -> dict[str, Any]:
    """What was looked at, for people."""
    busy = Counter(entry["stage"] for entry in evidence.values[LEDGER] if any(i["count"] for i in entry["inputs"]))
    return {
        "fates": dict(Counter([*evidence.fates, *(line.lot for line in evidence.lines if line.lot is not Lot.AWAY)])),
        "sent_again": sum(line.lot is Lot.AWAY for line in evidence.lines),
        "topics": {topic: len(rows) for topic, rows in evidence.rows.items()},
        "s3": {topic: len(evidence.lake[topic]) for topic in STORED},
        "mongodb": {name: len(evidence.documents[topic]) for topic, name in STORED.items()},
        "transactions_with_records": dict(busy),
        "longest_pause_s": {stage: longest_pause(evidence, stage) for stage in READS},
        "outcomes": {f"{stage} {name}": n for (stage, name), n in sorted(ledger_checks.outcomes(evidence).items())},
    }


def longest_pause(evidence: Evidence, stage: str) -> float:
    """The most seconds between two entries of the stage in the ledger."""
    times = sorted(entry["committed_at"] for entry in evidence.values[LEDGER] if entry["stage"] == stage)
    return max(((later - earlier).total_seconds() for earlier, later in pairwise(times)), default=0.0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=Path, required=True, help="what was sent, as tests.failure.inputs writes it")
    parser.add_argument("--where", type=Path, required=True, help="addresses and names, one JSON object")
    asked = parser.parse_args()
    evidence = gather(Where(**json.loads(asked.where.read_text())), list(read(asked.inputs)))
    faults = faults_of(evidence)
    print(json.dumps({"faults": faults, **counts_of(evidence)}))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
