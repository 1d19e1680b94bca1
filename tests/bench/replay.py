"""Replay: a topic of statement lines judged once more, beside the decisions that monitoring stored."""

import random
import time
from datetime import UTC, datetime, timedelta

import msgspec

from fraud_platform.core.statement import canonical_key
from fraud_platform.live.change import publish
from fraud_platform.replay.run import Wanted
from fraud_platform.replay.run import replay as run_replay
from fraud_platform.rules import files
from fraud_platform.runtime.drain import drain
from fraud_platform.settings import Settings
from fraud_platform.topology import MONITORING, Topic
from tests.bench.figures import Run, runs_table, verdict
from tests.bench.place import Pair, Site, send
from tests.bench.rules import mixed_rules

RECORDS, ACCOUNTS, ROUNDS = 200_000, 20_000, 3
TARGET = 40_000
_START = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=2)


def replay(site: Site) -> str:
    """Lines per second of one process from the topic, compared with every stored decision."""
    runs: dict[str, list[Run]] = {}
    for name, rules in (("default rule set", files.load()), ("30 rules, 10 windowed", mixed_rules(20, 10))):
        with site.fresh() as settings:
            begun_ms = time.time_ns() // 1_000_000
            publish(settings, rules, by="bench")
            send(settings, lines(RECORDS), Topic.STATEMENTS)
            drain(settings, MONITORING)
            runs[name] = [_run(settings, begun_ms) for _ in range(ROUNDS)]
    rate = sorted(run.rate for run in runs["default rule set"])[ROUNDS // 2]
    return "\n".join([
        f"  {RECORDS:,} lines of {ACCOUNTS:,} accounts, 4 partitions, {ROUNDS} rounds, all compared",
        runs_table(runs),
        verdict("lines per second, default rule set", rate, TARGET),
    ])  # fmt: skip


def _run(settings: Settings, begun_ms: int) -> Run:
    begun, cpu = time.perf_counter(), time.process_time()
    report = run_replay(settings, Wanted(begun_ms, stages=(MONITORING.name,)))
    run = Run(RECORDS, time.perf_counter() - begun, time.process_time() - cpu)
    (stage,) = report.stages
    if stage.identical != RECORDS:
        raise SystemExit(f"{stage.identical} of {RECORDS} decisions are identical")
    return run


def lines(count: int) -> list[Pair]:
    """Lines of accounts at random, one a second."""
    draw = random.Random(1)
    return [_line(n, draw.randrange(ACCOUNTS), draw.lognormvariate(0, 1.2) * 100) for n in range(count)]


def _line(number: int, account: int, amount: float) -> Pair:
    name = f"4090{account:08d}"
    value = {
        "transactionId": f"t-{number}", "accountNumber": name, "bankId": "10",
        "transactionTimestamp": f"{_START + timedelta(seconds=number % 160_000):%F %T}", "depositAmount": "0",
        "withdrawalAmount": f"{amount:.2f}", "balanceAmount": "183876.79", "chqNo": "",
        "transactionDetails": "NEFT/Example", "valueDate": f"{_START:%F}", "transactionSector": "Retail",
    }  # fmt: skip
    return canonical_key(name, "10"), msgspec.json.encode(value)
