"""Monitoring on real Kafka: whatever happens to its slots, the decisions are those of an undisturbed run."""

import io
import json
import os
import random
import signal
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fastavro
import pytest
from pymongo import MongoClient
from rich.console import Console

from fraud_platform.books.examine import examine
from fraud_platform.commands.explain import explain
from fraud_platform.core import ledger
from fraud_platform.core.ledger import Entry
from fraud_platform.core.statement import canonical_key
from fraud_platform.runtime.drain import drain
from fraud_platform.settings import Settings
from fraud_platform.topology import DOCUMENTS, LAKE, MONITORING, Topic
from tests.builders import raw_line
from tests.failure.plain import lake_objects
from tests.failure.slots import Slots, environment_of, is_stopped, where_of
from tests.stages.conftest import made
from tests.stages.flow import HOUR_AGO, PATIENCE_S, has_read_all, ledger_of, send, slot, values, wait_for

pytestmark = pytest.mark.services

ACCOUNTS, ROUNDS, PER_ROUND = 20, 4, 100
FOREIGN = 5
"""Accounts whose lines come with keys that are no keys of ours."""
START = datetime(2026, 1, 1, 12, tzinfo=UTC)


def lines(number: int) -> list[tuple[str, bytes]]:
    """One round: bursts of an account, large sums, repetitions, late lines, and something that is no line."""
    draw = random.Random(number)
    found, sent = [("anyone", b"{")], dict[str, str]()
    for n in range(number * PER_ROUND, (number + 1) * PER_ROUND):
        account = f"A{draw.randrange(ACCOUNTS)}"
        sent[account] = name = sent.get(account, f"t-{n}") if draw.random() < 0.2 else f"t-{n}"
        at = START + timedelta(seconds=n - draw.choice([0, 0, 0, 90, 80_000]))
        amount = draw.choice(["5", "1,500.25", "10,000"])
        key = account if int(account[1:]) < FOREIGN else canonical_key(account, "10").decode()
        found.append((key, raw_line(name, accountNumber=account, transactionTimestamp=f" {at:%F %T}",
                                    withdrawalAmount=amount)))  # fmt: skip
    return found


def feed(settings: Settings, number: int) -> None:
    send(settings, Topic.STATEMENTS, lines(number), at_ms=HOUR_AGO)


Decided = tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]], dict[str, int]]


def decided(settings: Settings) -> Decided:
    """Decisions and rows by transaction and account, without the moment of deciding, and the outcomes of all lines."""
    found = [{**value, "decided_at": None} for value in values(settings, Topic.DECISIONS)]
    rows = values(settings, Topic.MONITORED)
    entries = [Entry.from_avro(entry) for entry in ledger_of(settings, MONITORING)]
    assert ledger.faults(entries) == []
    keyed = {json.dumps(value, sort_keys=True, default=str): value for value in found}
    assert len(keyed) == len(found), "a line was judged twice"
    return keyed, {json.dumps(row, sort_keys=True, default=str): row for row in rows}, dict(ledger.outcomes(entries))


@pytest.fixture(scope="module")
def drained(service_endpoints: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A platform in which one drain after the other has judged all lines."""
    settings = made(service_endpoints, tmp_path_factory.mktemp("undisturbed"))
    for number in range(ROUNDS):
        feed(settings, number)
    drain(settings, MONITORING)
    drain(settings, MONITORING)  # what was sent where it belongs lies behind the end of the first
    return settings


@pytest.fixture(scope="module")
def undisturbed(drained: Settings) -> Decided:
    """What nothing has disturbed."""
    return decided(drained)


def test_lines_become_decisions_and_hits_by_what_their_accounts_did_before(undisturbed: Decided) -> None:
    decisions, rows, outcomes = undisturbed
    assert outcomes["dead-lettered"] == ROUNDS
    assert outcomes["rekeyed"] > 20
    assert outcomes["discarded.duplicate"] > 5
    assert len(decisions) == outcomes["accepted.hit"] + outcomes["accepted.clear"]
    assert len(rows) == outcomes["accepted.hit"]
    assert {c for row in rows.values() for c in row["monitoringCriteriaType"]} == {
        "HIGH_TRANSACTION_AMOUNT", "SMALL_INTERVAL",
    }  # fmt: skip
    assert sum(outcomes.values()) == ROUNDS * (PER_ROUND + 1) + outcomes["rekeyed"]


def test_the_stores_carry_it_on_and_the_books_balance(drained: Settings, undisturbed: Decided) -> None:
    decisions, rows, _ = undisturbed
    for sink in (LAKE, DOCUMENTS):
        drain(drained, sink)
    assert examine(drained, topics=()).balances
    bodies = lake_objects(where_of(drained), Topic.MONITORED).values()
    in_lake = [row for body in bodies for row in fastavro.reader(io.BytesIO(body))]
    assert len(in_lake) == len(rows)
    with MongoClient[dict[str, Any]](drained.mongodb_address) as client:
        database = client[drained.mongodb_database]
        ids = {row["transactionId"] for row in rows.values()}
        assert {document["_id"] for document in database["monitored_transactions"].find()} == ids
        names = {f"monitoring:{decision['transaction_id']}" for decision in decisions.values()}
        assert {document["_id"] for document in database["decisions"].find()} == names


def test_explain_tells_what_was_sent_on_and_what_came_again(drained: Settings, undisturbed: Decided) -> None:
    sent = Counter(json.loads(value)["transactionId"] for key, value in lines(0) if key in ("A0", "A1", "A2"))
    (name, times), *_ = sent.most_common()
    out = io.StringIO()
    assert explain(drained, name, Console(file=out), whole=False, as_json=True) == 0
    way = [step for step in json.loads(out.getvalue())["way"] if step["stage"] == "monitoring"]
    outcomes = Counter(step["outcome"].partition(".")[0] for step in way)
    assert times > 1
    assert outcomes == {"rekeyed": times, "accepted": 1, "discarded": times - 1}
    home = [step["read"] for step in way if step["outcome"] != "rekeyed"]
    assert [place for step in way if step["outcome"] == "rekeyed" for place in step["wrote"]] == home


def test_after_kills_in_the_middle_of_transactions_the_decisions_are_the_same(
    settings: Settings, service_endpoints: dict[str, str], tmp_path: Path, undisturbed: Decided
) -> None:
    points = ["before_commit:2", "after_send_offsets:2", "after_commit:3"]
    environment = environment_of(settings, service_endpoints)
    slots = Slots(["monitoring"], environment, tmp_path, orders={"monitoring": points})
    try:
        for number in range(ROUNDS):
            feed(settings, number)
            if number < len(points):
                pid = slots.processes["monitoring"].pid
                wait_for(lambda pid=pid: is_stopped(pid))
                os.kill(pid, signal.SIGKILL)
                slots.wait_for_successor("monitoring", pid)
        wait_for(lambda: has_read_all(settings, MONITORING))
    finally:
        left = slots.stop(PATIENCE_S)
    assert left == {"monitoring": 0}, slots.log()
    assert decided(settings) == undisturbed


def test_slots_that_come_and_go_decide_the_same(settings: Settings, undisturbed: Decided) -> None:
    with slot(settings, MONITORING, "0"):
        feed(settings, 0)
        with slot(settings, MONITORING, "1") as told:
            feed(settings, 1)
            wait_for(lambda: bool(told and told[-1].committed))
            feed(settings, 2)
            wait_for(lambda: told[-1].records > 0)
        feed(settings, 3)
        wait_for(lambda: has_read_all(settings, MONITORING))
    entries = [Entry.from_avro(entry) for entry in ledger_of(settings, MONITORING)]
    assert {entry.slot for entry in entries if entry.outcomes} == {"0", "1"}
    assert decided(settings) == undisturbed
