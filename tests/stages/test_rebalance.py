"""Slots come and go under load; nothing is lost and nothing is repeated."""

import pytest

from fraud_platform.core import ledger
from fraud_platform.core.ledger import Entry
from fraud_platform.settings import Settings
from fraud_platform.topology import INGESTION, Topic
from tests.builders import raw
from tests.stages.flow import has_read_all, ledger_of, send, slot, values, wait_for

pytestmark = pytest.mark.services

ACCOUNTS = 20
ROUNDS = 4
PER_ROUND = 400


def feed(settings: Settings, number: int) -> None:
    """One round of transfers; ids count up per account."""
    first = number * PER_ROUND
    send(
        settings,
        Topic.BANK_TRANSACTIONS,
        [
            (f"A{n % ACCOUNTS}", raw(f"{n}", sender_bank_account=f"A{n % ACCOUNTS}"))
            for n in range(first, first + PER_ROUND)
        ],
    )


def test_slots_that_come_and_go_lose_and_repeat_nothing(settings: Settings) -> None:
    with slot(settings, INGESTION, "0"):
        for number in range(ROUNDS):
            feed(settings, number)
            with slot(settings, INGESTION, str(1 + number % 2)) as told:
                wait_for(lambda told=told: bool(told and told[-1].committed))
                feed(settings, ROUNDS + number)
                wait_for(lambda told=told: told[-1].records > 0)
        wait_for(lambda: has_read_all(settings, INGESTION))
    found = [int(value["transaction_id"]) for value in values(settings, Topic.FRAUDULENT)]
    assert sorted(found) == list(range(2 * ROUNDS * PER_ROUND))
    entries = [Entry.from_avro(entry) for entry in ledger_of(settings, INGESTION)]
    assert ledger.faults(entries) == []
    assert {entry.slot for entry in entries if entry.outcomes} == {"0", "1", "2"}
