"""Monitoring: 30 rules, 10 of them windowed, before many accounts; exactly once, with state and every decision."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from fraud_platform.core.statement import canonical_key
from fraud_platform.rules.engine import Engine
from fraud_platform.settings import Settings
from fraud_platform.topology import Topic
from tests.bench.figures import Run, runs_table, verdict
from tests.bench.place import Pair, Site, send
from tests.bench.rules import mixed_rules

ACCOUNTS, KNOWN, RECORDS, ROUNDS = 100_000, 100_000, 200_000, 3
AMOUNTS, WINDOWS = 20, 10
TARGET = 20_000


def monitoring(site: Site) -> str:
    """Lines per second of one process that has every account in memory; and what a restore of all of them takes."""
    runs: dict[str, list[Run]] = {"all accounts are new": [], "all accounts are known": []}
    restores: list[Run] = []
    memory: list[float] = []
    for _ in range(ROUNDS):
        with site.fresh() as settings:
            rules = write_rules(settings.data_dir)
            send(settings, first_lines(KNOWN), Topic.STATEMENTS)
            runs["all accounts are new"].append(_slot(site, settings, KNOWN, rules)[0])
            send(settings, lines(RECORDS), Topic.STATEMENTS)
            known, restore, grown = _slot(site, settings, RECORDS, rules)
            runs["all accounts are known"].append(known)
            restores.append(restore)
            memory.append(grown)
    rate = sorted(run.rate for run in runs["all accounts are known"])[ROUNDS // 2]
    return "\n".join([
        f"  {AMOUNTS + WINDOWS} rules, {WINDOWS} with windows, {ACCOUNTS:,} accounts, 4 partitions, {ROUNDS} rounds",
        runs_table({**runs, "restore, accounts": restores}),
        f"  memory: {sorted(memory)[ROUNDS // 2] / ACCOUNTS * 1e6:,.0f} bytes per account",
        verdict("lines per second", rate, TARGET),
    ])  # fmt: skip


def _slot(site: Site, settings: Settings, count: int, rules: Path) -> tuple[Run, Run, float]:
    """One process until it has judged `count` lines: that, its restore, and the megabytes it has grown by."""
    told = site.told(settings, "monitoring", str(count), str(rules))
    restored, seconds, cpu = told["restored"]
    run = Run(told["records"], told["seconds"], told["cpu"])
    return run, Run(max(1, int(restored)), max(1e-9, seconds), cpu), told["memory_mb"]


def write_rules(folder: Path) -> Path:
    """The rule set as a file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "bench-rules.json"
    path.write_bytes(mixed_rules(AMOUNTS, WINDOWS).canonical())
    return path


def first_lines(count: int) -> list[Pair]:
    """One line of each account."""
    return [_line(n, n % ACCOUNTS, 100.0, 0) for n in range(count)]


def lines(count: int, *, seed: int = 1) -> list[Pair]:
    """Lines of accounts at random, a thousand a second, a day after the first."""
    draw = random.Random(seed)
    made: Sequence[tuple[int, float]] = [
        (draw.randrange(ACCOUNTS), draw.lognormvariate(0, 1.2) * 100) for _ in range(count)
    ]
    return [_line(KNOWN + n, account, amount, 3_600 + n // 1_000) for n, (account, amount) in enumerate(made)]


_START = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=2)
_SECTORS = ("Travel", "Retail", "Food", "Cash")


def _line(number: int, account: int, amount: float, seconds: int) -> Pair:
    name = f"4090{account:08d}"
    value = {
        "transactionId": f"t-{number}", "accountNumber": name, "bankId": "10",
        "transactionTimestamp": f"{_START + timedelta(seconds=seconds):%F %T}", "depositAmount": "0",
        "withdrawalAmount": f"{amount:.2f}", "balanceAmount": "183876.79", "chqNo": "",
        "transactionDetails": "NEFT/Example", "valueDate": f"{_START:%F}", "transactionSector": _SECTORS[number % 4],
    }  # fmt: skip
    return canonical_key(name, "10"), msgspec.json.encode(value)


def engine_of(path: Path) -> Engine:
    """The engine of a rule set file."""
    from fraud_platform.rules.files import load

    return Engine(load(path))
