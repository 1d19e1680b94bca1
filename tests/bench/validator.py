"""fraud-validator-api: batches of 500 over HTTP."""

import http.client
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from urllib.parse import urlsplit

import msgspec

from fraud_platform.banks.generator import TransferGenerator
from fraud_platform.banks.population import Population
from fraud_platform.core.evaluation import UNIDENTIFIED
from fraud_platform.core.transaction import Transaction, parse_transaction, to_avro
from fraud_platform.validation.stage import question_about
from tests.bench.figures import Run, runs_table, verdict
from tests.bench.place import Site
from tests.bench.services import cpu_by_service, stack_at

BATCH, BATCHES, ROUNDS = 500, 100, 5
CONNECTIONS = 2
_encode = msgspec.json.Encoder(decimal_format="number").encode


def validator(site: Site) -> str:
    """Transactions judged per second, asked in batches of 500 by two connections."""
    url, stack = site.endpoints["FRAUD_VALIDATOR_URL"], stack_at(site.endpoints)
    bodies = _bodies()
    _ask(url, bodies)  # warm
    runs = []
    for _ in range(ROUNDS):
        before, begun = cpu_by_service(stack)["validator"], time.perf_counter()
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            list(pool.map(lambda part: _ask(url, part), (bodies[0::2], bodies[1::2])))
        seconds = time.perf_counter() - begun
        runs.append(Run(BATCH * BATCHES, seconds, cpu_by_service(stack)["validator"] - before))
    best = max(run.rate for run in runs)
    per_core = 1e6 / min(run.cpu_us for run in runs)
    return "\n".join([
        runs_table({"validator, one process": runs}),
        verdict("best round, transactions/s", best, 100_000),
        f"  by its processor time: {per_core:,.0f} transactions per core second",
    ])  # fmt: skip


def _bodies() -> Sequence[bytes]:
    generator = TransferGenerator(Population(7), {UNIDENTIFIED: 1.0}, run=1)
    now = datetime.now(UTC)
    questions = []
    for _ in range(BATCH * 10):
        parsed = parse_transaction(generator.next(now).value)
        assert isinstance(parsed, Transaction)
        questions.append(_encode(question_about(to_avro(parsed, sender_ssn=None, receiver_ssn=None))))
    made = [b"[" + b",".join(questions[i : i + BATCH]) + b"]" for i in range(0, len(questions), BATCH)]
    return made * (BATCHES // len(made))


def _ask(url: str, bodies: Sequence[bytes]) -> None:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    for body in bodies:
        connection.request("POST", f"{parts.path}/batch", body, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        if reply.status != 200 or reply.read(1) != b"{":
            raise SystemExit(f"The validator answers with status {reply.status}.")
        reply.read()
    connection.close()
