"""The lake at a million result rows in small objects: crawl, queries, compaction, and the same queries again."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from fraud_platform.adapters.lake_reader import S3LakeReader
from fraud_platform.catalog import ready
from fraud_platform.catalog.access import engine_of
from fraud_platform.catalog.refresh import refresh
from fraud_platform.catalog.tables import BY_NAME
from fraud_platform.core.partitioning import object_key
from fraud_platform.curated.run import Curation
from fraud_platform.lake.container import Container, RowFormat
from fraud_platform.local.stack import running_stack
from fraud_platform.settings import Settings
from fraud_platform.topology import Topic
from tests.bench.figures import verdict
from tests.bench.place import Site
from tests.builders import NOON
from tests.catalog.conftest import own_settings
from tests.catalog.objects import START
from tests.rows import result

ROWS, HOURS, PARTITIONS, OBJECTS = 1_000_000, 10, 4, 90
"""Objects per hour and partition: one each 40 s."""
RESULTS = BY_NAME["landing_fraudulent_transactions_result"]
BANKS = 8
FASTER = 3
PUTTERS = 8
ONE_HOUR = "SELECT count(*) AS n, sum(amount) AS s FROM {} WHERE dt = '2026-01-01' AND hr = '03'"
BY_HOUR = "all rows of one hour"
QUERIES = {
    BY_HOUR: ONE_HOUR,
    "sum of all amounts": "SELECT count(*) AS n, sum(amount) AS s FROM {}",
    "newest row per id, by bank": (
        "SELECT sender_bank, count(*) AS n FROM raw_fraudulent_transactions_result GROUP BY 1 ORDER BY 1"
    ),
    "ready: fraud-by-bank-and-hour": ready.text("fraud-by-bank-and-hour", local=True),
}


def lake(site: Site) -> str:
    """1,000,000 rows in 3,600 objects of ten hours, queried; then compacted to a file an hour, and queried again."""
    with running_stack(site.folder / "glue", services=("glue",)) as found:
        settings = own_settings({**site.endpoints, **found}, site.folder / "data")
        written = _timed(lambda: _fill(settings))
        crawled = _timed(lambda: refresh(settings, [RESULTS]))
        objects, before = _objects(settings), _queries(settings, RESULTS.name)
        curation = Curation.of(settings)
        compacted = _timed(lambda: list(curation.hours(RESULTS, [("2026-01-01", f"{hr:02}") for hr in range(HOURS)])))
        after = _queries(settings, RESULTS.curated)
        again = _timed(lambda: refresh(settings, [RESULTS]))
        files = _objects(settings, curated=True)
    lines = [
        f"  {ROWS:,} rows, {objects[0]:,} raw objects with {objects[1] / 1e6:.0f} MB, written in {written:.1f} s",
        f"  first crawl {crawled:.1f} s ({ROWS / crawled:,.0f} rows/s), a crawl of nothing new {again:.1f} s",
        f"  compaction {compacted:.1f} s ({ROWS / compacted:,.0f} rows/s)",
        f"  {files[0]} curated files with {files[1] / 1e6:.0f} MB",
        f"  {'query':32}{'before s':>10}{'after s':>10}",
        *(f"  {name:32}{before[name]:>10.2f}{after[name]:>10.2f}" for name in QUERIES),
    ]
    least = min(before[name] / after[name] for name in QUERIES if name != BY_HOUR)
    return "\n".join(
        [*lines, verdict("of the queries over all hours the one that gains least is faster by", least, FASTER)]
    )


def _fill(settings: Settings) -> None:
    store, rows = S3LakeReader(settings), RowFormat.of(Topic.RESULT)
    store.prepare()
    each = ROWS // (HOURS * PARTITIONS * OBJECTS) + 1
    topic, left, number = settings.naming.topic(Topic.RESULT), ROWS, 0
    puts: list[Future[None]] = []
    with ThreadPoolExecutor(PUTTERS) as putters:
        for at in range(HOURS):
            for partition in range(PARTITIONS):
                for place in range(OBJECTS):
                    start = (at * OBJECTS + place) * each
                    key = object_key(topic, partition, start, START + timedelta(hours=at))
                    some = range(number, number + min(each, left))
                    puts.append(putters.submit(store.put, key, _body(key, rows, partition, start, some)))
                    number, left = number + len(some), left - len(some)
    for each_put in puts:
        each_put.result()


def _body(key: str, rows: RowFormat, partition: int, start: int, numbers: Sequence[int]) -> bytes:
    container = Container(key, rows)
    for offset, number in enumerate(numbers, start=start):
        row = result(f"t-{number:09}", **_facts(number * 2_654_435_761))
        container.append(row | {"kafka_partition": partition, "kafka_offset": offset, "kafka_timestamp": NOON})
    return container.to_bytes()


def _facts(drawn: int) -> dict[str, Any]:
    """What differs from row to row, so that it compresses no better than life."""
    return {
        "SENDER_BANK": f"Bank {drawn % BANKS}",
        "SENDER_ID": f"u-{drawn % 50_021}",
        "SENDER_BANK_ACCOUNT": f"GB{drawn % 10**18:018}",
        "RECEIVER_ID": f"u-{drawn % 49_999}",
        "RECEIVER_BANK_ACCOUNT": f"GB{drawn // 7 % 10**18:018}",
        "AMOUNT": Decimal(drawn % 1_000_003) / 100,
    }


def _objects(settings: Settings, *, curated: bool = False) -> tuple[int, int]:
    """Number and bytes of the data files."""
    naming = settings.naming
    prefix = RESULTS.curated_prefix(naming) if curated else RESULTS.prefix(naming)
    found = [info for info in S3LakeReader(settings).list(prefix) if not Path(info.key).name.startswith("_")]
    return len(found), sum(info.size for info in found)


def _queries(settings: Settings, table: str) -> dict[str, float]:
    """The best of three, seconds."""
    return {
        name: min(_timed(lambda text=text: _ask(settings, text.format(table))) for _ in range(3))  # type: ignore[misc]
        for name, text in QUERIES.items()
    }


def _ask(settings: Settings, sql: str) -> None:
    if not list(engine_of(settings).ask(sql).rows):
        raise SystemExit(f"No rows: {sql}")


def _timed(work: Callable[[], object]) -> float:
    begun = time.monotonic()
    work()
    return time.monotonic() - begun
