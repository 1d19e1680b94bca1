"""fraud-validator-api over HTTP: batches of 500, and single requests of many clients at once."""

import asyncio
import http.client
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import cycle, islice
from urllib.parse import urlsplit

import msgspec
import uvloop

from fraud_platform.banks.generator import TransferGenerator
from fraud_platform.banks.population import Population
from fraud_platform.core.evaluation import UNIDENTIFIED
from fraud_platform.core.questions import encode_question
from fraud_platform.core.transaction import Transaction, parse_transaction, to_avro
from fraud_platform.validation.stage import question_about
from tests.bench.figures import Run, percentile, runs_table, verdict
from tests.bench.place import Site
from tests.bench.services import cpu_by_service, stack_at

BATCH, BATCHES, ROUNDS = 500, 100, 5
CONNECTIONS = 2
CLIENTS, SINGLES = 16, 10_000
"""Clients that ask at once, and how often each asks."""


def validator(site: Site) -> str:
    """Transactions judged per second: in batches of 500 by two connections, then one by one by 16 clients."""
    questions = _questions(BATCH * 10)
    return "\n".join([*_batches(site, questions), *_singles(site, questions)])


def _batches(site: Site, questions: Sequence[bytes]) -> list[str]:
    url, stack = site.endpoints["FRAUD_VALIDATOR_URL"], stack_at(site.endpoints)
    made = [b"[" + b",".join(questions[i : i + BATCH]) + b"]" for i in range(0, len(questions), BATCH)]
    bodies = made * (BATCHES // len(made))
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
    return [
        runs_table({"validator, one process": runs}),
        verdict("best round, transactions/s", best, 100_000),
        f"  by its processor time: {per_core:,.0f} transactions per core second",
    ]


def _questions(count: int) -> Sequence[bytes]:
    generator = TransferGenerator(Population(7), {UNIDENTIFIED: 1.0}, run=1)
    now = datetime.now(UTC)
    questions = []
    for _ in range(count):
        parsed = parse_transaction(generator.next(now).value)
        assert isinstance(parsed, Transaction)
        questions.append(encode_question(question_about(to_avro(parsed, sender_ssn=None, receiver_ssn=None))))
    return questions


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


class _Tally(msgspec.Struct):
    """What one client saw: seconds of each good answer, and how many were none."""

    seconds: list[float]
    errors: int = 0


def _singles(site: Site, questions: Sequence[bytes]) -> list[str]:
    url = site.endpoints["FRAUD_VALIDATOR_URL"]
    uvloop.run(_clients(url, questions, 50))  # warm
    begun = time.perf_counter()
    tallies = uvloop.run(_clients(url, questions, SINGLES))
    elapsed = time.perf_counter() - begun
    times = [seconds * 1e3 for tally in tallies for seconds in tally.seconds]
    errors = sum(tally.errors for tally in tallies)
    rate = len(times) / elapsed
    middle, most, last = (percentile(times, share) for share in (0.5, 0.99, 1.0))
    told = f"median {middle:.1f} ms, p99 {most:.1f} ms, longest {last:.1f} ms"
    return [
        f"  {CLIENTS} clients, {SINGLES:,} single requests each: {rate:,.0f}/s, {told}",
        verdict("errors among them", errors, 0, at_least=False),
    ]


async def _clients(url: str, questions: Sequence[bytes], each: int) -> list[_Tally]:
    shares = [list(islice(cycle(questions[client::CLIENTS]), each)) for client in range(CLIENTS)]
    return await asyncio.gather(*(_client(url, share) for share in shares))


async def _client(url: str, questions: Sequence[bytes]) -> _Tally:
    """One connection that asks again as soon as it has its answer; a bare socket, so that the client costs little."""
    parts, tally = urlsplit(url), _Tally([])
    head = f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\nContent-Length: "
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    for question in questions:
        begun = time.perf_counter()
        writer.write(b"%b%d\r\n\r\n%b" % (head.encode(), len(question), question))
        try:
            answered = await _is_decision(reader)
        except (OSError, EOFError, ValueError):
            answered = False
        if answered:
            tally.seconds.append(time.perf_counter() - begun)
            continue
        tally.errors += 1
        writer.close()
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.close()
    return tally


async def _is_decision(reader: asyncio.StreamReader) -> bool:
    """Read one reply whole."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    body = await reader.readexactly(int(length.partition(b":")[2]))
    return head.startswith(b"HTTP/1.1 200 ") and b'"action"' in body
