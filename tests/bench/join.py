"""MongoDB's ready join over 200,000 transactions and 50,000 users: how it looks users up, and how long it takes."""

import time
from typing import Any

from fraud_platform.adapters import mongo_query
from fraud_platform.adapters.mongo import Document, MongoStore
from fraud_platform.adapters.mongo_client import database, mongo_client
from fraud_platform.documents import ready, shell
from fraud_platform.documents.collections import COLLECTIONS
from fraud_platform.settings import Settings
from tests.bench.place import Site
from tests.documents.plans import lookups_of
from tests.rows import result, user

TRANSACTIONS, USERS = 200_000, 50_000
CHUNK = 1000
JOIN = "transactions-with-users"


def join(site: Site) -> str:
    """The ready join over 200,000 transactions and 50,000 users; its plan, and the time of its rows."""
    with site.fresh() as settings:
        _fill(settings)
        query = shell.parse(ready.text(JOIN))
        begun = time.monotonic()
        rows = mongo_query.rows(settings, query)
        next(rows)
        first = time.monotonic() - begun
        count = 1 + sum(1 for _ in rows)
        whole = time.monotonic() - begun
        plan, looked_at = _explained(settings, query)
    return "\n".join([
        f"  {TRANSACTIONS:,} transactions, {USERS:,} users",
        *(f"  $lookup of {each['localField']}: {each['strategy']} by index {each['indexName']}" for each in plan),
        f"  documents looked at: {looked_at:,}",
        f"  {count:,} rows in {whole:.1f} s, the first after {first * 1000:.0f} ms",
    ])  # fmt: skip


def _fill(settings: Settings) -> None:
    store = MongoStore(settings)
    for collection in COLLECTIONS.values():
        store.index(collection.name, unique=collection.unique, indexed=collection.indexed)
    for start in range(0, USERS, CHUNK):
        store.write("users", [Document(f"u-{n}", 0, n, user(f"u-{n}")) for n in range(start, start + CHUNK)])
    for start in range(0, TRANSACTIONS, CHUNK):
        store.write("transactions", [_transfer(n) for n in range(start, start + CHUNK)])
    store.close()


def _transfer(number: int) -> Document:
    people = {"SENDER_ID": f"u-{number % USERS}", "RECEIVER_ID": f"u-{number * 7919 % USERS}"}
    return Document(f"t-{number}", 0, number, result(f"t-{number}", **people))


def _explained(settings: Settings, query: shell.Query) -> tuple[list[dict[str, Any]], int]:
    """The plan's joins, and how many documents of both collections were looked at."""
    command = {"aggregate": query.collection, "pipeline": query.arguments[0], "cursor": {}}
    with mongo_client(settings) as client:
        told = database(client, settings).command("explain", command, verbosity="executionStats")
    cursor = told["stages"][0]["$cursor"]
    return list(lookups_of(cursor["queryPlanner"])), cursor["executionStats"]["totalDocsExamined"]
