"""The rule engine alone: in process, no input or output, processor time."""

import gc
import random
import time
from collections.abc import Sequence
from decimal import Decimal

from fraud_platform.rules.engine import Engine
from fraud_platform.rules.event import Event
from fraud_platform.rules.files import load
from fraud_platform.rules.parse import parse
from fraud_platform.rules.rule_set import RuleSet
from tests.bench.figures import Run, runs_table, verdict
from tests.bench.place import Site

EVENTS, ROUNDS = 100_000, 5
ACCOUNTS = 10_000
HOT, LAST = 10_000, 500
_SECOND = 1_000_000


def rules(site: Site) -> str:
    """Transactions judged per processor second by 30 and 1,000 amount rules, and by windowed ones."""
    simple, many = Engine(amount_rules(30)), Engine(amount_rules(1000))
    mixed = Engine(mixed_rules(20, 10))
    rare, frequent = events(EVENTS, typical=100), events(EVENTS, typical=5_000)
    runs = {
        "30 amount rules, few hits": _rounds(simple, rare),
        "30 amount rules, many hits": _rounds(simple, frequent),
        "1,000 amount rules, few hits": _rounds(many, rare),
        "1,000 amount rules, many hits": _rounds(many, frequent[: EVENTS // 10]),
        "20 amount and 10 window rules": _rounds(mixed, rare, keep=True),
    }
    hot = {name: _hot(engine) for name, engine in (("default rule set", Engine(load())), ("10 window rules", mixed))}
    per_second = {name: max(1e6 / run.cpu_us for run in each) for name, each in runs.items()}
    return "\n".join([
        f"  {EVENTS:,} events of {ACCOUNTS:,} accounts, {ROUNDS} rounds; the best round by processor time",
        runs_table(runs),
        *(verdict(f"{name}, per second", value, _target(name)) for name, value in per_second.items()),
        _memory(mixed, rare),
        *(f"  one account with {HOT:,} lines at one a second, {name}: {text}" for name, text in hot.items()),
    ])  # fmt: skip


def amount_rules(count: int) -> RuleSet:
    """Limits from 1,000 to 30,000, as many as asked for."""
    step = Decimal(29_000) / count
    return _made(_amount(n, f"{1_000 + n * step:.2f}") for n in range(count))


def mixed_rules(amounts: int, windowed: int) -> RuleSet:
    """Amount rules beside counts, sums, means, extremes and distinct values over windows from 10 minutes to 30 days."""
    kinds = [("COUNT", ""), ("SUM", "amount"), ("AVG", "withdrawal"), ("MAX", "amount"), ("DISTINCT", "sector")]
    spans = ["10m", "30d", "1h", "24h", "7d", "6h"]
    rules = [_amount(n, str(1_000 * (n + 1))) for n in range(amounts)]
    for n in range(windowed):
        function, field = kinds[n % len(kinds)]
        limit = 50_000 if field in {"amount", "withdrawal"} else 90
        of = f"field: {field}, " if field else ""
        rules.append(
            f"{{id: w-{n}, criterion: WINDOW_AGGREGATE, action: REVIEW, parameters: "
            f"{{function: {function}, {of}window: {spans[n % len(spans)]}, at_least: {limit}}}}}"
        )
    return _made(rules)


def events(count: int, *, typical: int) -> list[Event]:
    """Lognormal amounts around `typical`; time goes on by a second, accounts at random."""
    draw = random.Random(7)
    sectors = ["Travel", "Retail", "Food", "Cash"]
    made = []
    for n in range(count):
        amount = Decimal(f"{draw.lognormvariate(0, 1.2) * typical:.2f}")
        account = f"A-{draw.randrange(ACCOUNTS)}"
        made.append(Event(
            transaction_id=f"t-{n}", account=account, at=n * _SECOND, amount=amount, deposit=Decimal(0),
            withdrawal=amount, sector=draw.choice(sectors),
        ))  # fmt: skip
    return made


def _rounds(engine: Engine, given: Sequence[Event], *, keep: bool = False) -> list[Run]:
    runs = []
    for _ in range(ROUNDS):
        states = {event.account: engine.layout.new() for event in given} if keep else {}
        gc.collect()
        gc.freeze()  # as a stage does after it has restored its accounts: they are never garbage
        begun, cpu = time.perf_counter(), time.process_time()
        for event in given:
            engine.judge(event, states.get(event.account))
        runs.append(Run(len(given), time.perf_counter() - begun, time.process_time() - cpu))
    return runs


def _hot(engine: Engine) -> str:
    """What the busiest account costs: each line is judged, and its whole record made."""
    given = events(HOT, typical=100)
    state = engine.layout.new()
    for event in given[:-LAST]:
        engine.judge(event, state)
    begun = time.process_time()
    for event in given[-LAST:]:
        engine.judge(event, state)
    judged = time.process_time()
    for _ in range(LAST):
        record = engine.layout.dump(state)
    micros = (judged - begun) / LAST * 1e6, (time.process_time() - judged) / LAST * 1e6
    return f"judge {micros[0]:,.0f} us, record {micros[1]:,.0f} us and {len(record):,} bytes"


def _memory(engine: Engine, given: Sequence[Event]) -> str:
    states = {event.account: engine.layout.new() for event in given}
    for event in given:
        engine.judge(event, states[event.account])
    sizes = sorted(len(engine.layout.dump(state)) for state in states.values())
    return f"  one account's record: {sizes[len(sizes) // 2]:,} bytes at {EVENTS // ACCOUNTS} transactions (median)"


def _target(name: str) -> float:
    return 130_000 if name.startswith("30 ") else 5_000 if name.startswith("1,000") else 20_000


def _amount(number: int, limit: str) -> str:
    return f"{{id: a-{number}, criterion: HIGH_TRANSACTION_AMOUNT, action: REVIEW, parameters: {{at_least: {limit}}}}}"


def _made(rules: object) -> RuleSet:
    found = parse("rules:\n" + "".join(f"  - {rule}\n" for rule in rules))
    if not isinstance(found, RuleSet):
        raise SystemExit(f"The rule set of the benchmark is refused: {found[0]}")
    return found
