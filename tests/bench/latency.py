"""How long a transfer takes from bank-transactions to MongoDB at a steady rate, and where it spends the time."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from confluent_kafka import Consumer, Message, TopicPartition
from pymongo.errors import PyMongoError

from fraud_platform.adapters.mongo_client import database, mongo_client
from fraud_platform.settings import Settings
from fraud_platform.topology import INGESTION, Topic
from tests.bench.figures import percentile, verdict
from tests.bench.place import Site
from tests.bench.whole import stages
from tests.stages.flow import has_progress

RATE, SECONDS, WINDOW_S, AFTER_S = 500, 120, 30.0, 4.0
"""The broker's Java compiles itself for a minute under load: the first window is shown, the last one is judged."""
P50_MS, P99_MS = 120, 600
INPUT, ROUTED, RESULTS = (
    Topic.BANK_TRANSACTIONS,
    (Topic.FRAUDULENT, Topic.UNIDENTIFIED),
    (Topic.RESULT, Topic.DECISIONS),
)
MONGODB = "MongoDB"
STEPS = (
    ("banks' producer", "sent", INPUT),
    ("ingestion", INPUT, "routed"),
    ("projection, validation", "routed", "judged"),
    ("documents", "judged", MONGODB),
    ("whole", "sent", MONGODB),
)

Seen = dict[str, dict[str, float]]
"""Where -> transaction id -> epoch seconds of its arrival, for a live reader of committed records."""


def latency(site: Site) -> str:
    """500 transfers a second for 120 s; times of arrival as live readers of topics and of MongoDB see them."""
    with site.fresh() as settings, stages(site, settings):
        watch = Watch(settings)
        environment = site.environment(settings)
        _banks(environment, Path(settings.data_dir), count=RATE * 2)
        while not has_progress(settings, INGESTION):
            time.sleep(0.1)
        begun = time.time()
        _banks(environment, Path(settings.data_dir), count=RATE * SECONDS)
        time.sleep(AFTER_S)
        seen = watch.stop()
    return "\n".join(report(seen, begun))


def report(seen: Seen, begun: float) -> list[str]:
    """Medians of all windows since `begun`, then the last one in full: each step's share, and the verdicts."""
    starts = [begun + number * WINDOW_S for number in range(int(SECONDS / WINDOW_S))]
    windows = [_window(seen, start, MONGODB) for start in starts]
    medians = [f"{percentile(_took(seen, names, 'sent', MONGODB), 0.5):.0f}" for names in windows]
    last, done = starts[-1], windows[-1]
    lines = [f"  p50 ms of each {WINDOW_S:.0f} s: {', '.join(medians)}; of the last:"]
    lines.append(f"  {len(done):,} of {len(_window(seen, last, 'sent')):,} transfers reach MongoDB, {RATE}/s")
    lines.append(f"  {'step':24}{'p50 ms':>9}{'p99 ms':>9}")
    for name, before, after in STEPS:
        took = _took(seen, done, before, after)
        lines.append(f"  {name:24}{percentile(took, 0.5):>9.0f}{percentile(took, 0.99):>9.0f}")
    whole = _took(seen, done, "sent", MONGODB)
    lines.append(verdict("p50", percentile(whole, 0.5), P50_MS, at_least=False, unit=" ms"))
    lines.append(verdict("p99", percentile(whole, 0.99), P99_MS, at_least=False, unit=" ms"))
    return lines


def _window(seen: Seen, start: float, place: str) -> list[str]:
    """The transfers sent in one window that reached the place; discarded ones never reach MongoDB."""
    return [name for name, at in seen["sent"].items() if start <= at < start + WINDOW_S and name in seen[place]]


def _took(seen: Seen, names: Sequence[str], before: str, after: str) -> list[float]:
    """Milliseconds between two places, of the transfers that both have seen."""
    return [1000 * (seen[after][i] - seen[before][i]) for i in names if i in seen[after] and i in seen[before]]


def _banks(environment: Mapping[str, str], folder: Path, *, count: int) -> None:
    command = [sys.executable, "-m", "fraud_platform.banks", "--rate", str(RATE), "--count", str(count)]
    with (folder / "banks.log").open("ab") as log:
        subprocess.run(command, env=dict(environment), stdout=log, stderr=log, check=True)


class Watch:
    """Live readers on threads: one per group of topics, and MongoDB's change streams."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._over = threading.Event()
        self.seen: Seen = {name: {} for name in ("sent", INPUT, "routed", "judged", MONGODB)}
        self._client = mongo_client(settings)
        work = [
            (self._topics, ([INPUT], INPUT)),
            (self._topics, (ROUTED, "routed")),
            (self._topics, (RESULTS, "judged")),
        ]
        self._threads = [threading.Thread(target=target, args=args, daemon=True) for target, args in work]
        self._threads.append(threading.Thread(target=self._documents, daemon=True))
        for thread in self._threads:
            thread.start()

    def stop(self) -> Seen:
        self._over.set()
        for thread in self._threads:
            thread.join(10)
        self._client.close()
        return self.seen

    def _topics(self, topics: Sequence[Topic], place: str) -> None:
        reader = Consumer({
            "bootstrap.servers": self._settings.require("KAFKA_BOOTSTRAP_SERVERS"), "group.id": "unused",
            "enable.auto.commit": False, "isolation.level": "read_committed", "fetch.wait.max.ms": 10,
        })  # fmt: skip
        names = [self._settings.naming.topic(topic) for topic in topics]
        reader.assign([TopicPartition(name, number, 0) for name in names for number in range(4)])
        while not self._over.is_set():
            for message in reader.consume(200, 0.005):
                if message.error() is None:
                    self._note(message, place)
        reader.close()

    def _note(self, message: Message, place: str) -> None:
        name = transaction_id(message.key(), message.value(), place)
        self.seen[place].setdefault(name, time.time())
        if place == INPUT:
            self.seen["sent"][name] = message.timestamp()[1] / 1000

    def _documents(self) -> None:
        """Both collections that are named after transfers, as their changes become durable."""
        chosen = [{"$match": {"ns.coll": {"$in": ["transactions", "decisions"]}}}, {"$project": {"documentKey": 1}}]
        arrived = self.seen[MONGODB]
        with (
            suppress(PyMongoError),
            database(self._client, self._settings).watch(chosen, max_await_time_ms=20) as changes,
        ):
            while not self._over.is_set():
                change = changes.try_next()
                if change is not None:
                    arrived.setdefault(change["documentKey"]["_id"].rpartition(":")[2], time.time())


def transaction_id(key: bytes | None, value: bytes | None, place: str) -> str:
    """The id of the transfer behind a record; in routed ones it is the first field of the Avro body."""
    if place == INPUT:
        return str(json.loads(value or b"{}")["transaction_id"])
    if place == "routed" and value is not None:
        length, at = value[5] >> 1, 6
        return value[at : at + length].decode()
    return (key or b"").decode()
