"""A machine whose clock was set back or forward: event time and offsets decide, and nothing is lost."""

import time

import pytest

from fraud_platform.core import ledger
from fraud_platform.core.ledger import Entry
from fraud_platform.errors import BrokerUnavailable
from fraud_platform.runtime.drain import drain
from fraud_platform.settings import Settings
from fraud_platform.topology import INGESTION, Topic
from tests.builders import raw
from tests.stages.flow import ledger_of, rows, send

pytestmark = pytest.mark.services

HOUR_MS = 3_600_000
_time_ns = time.time_ns


def set_clock(patch: pytest.MonkeyPatch, ahead_ms: int) -> None:
    """The wall clock of this process from now on; the broker keeps its own."""
    patch.setattr(time, "time_ns", lambda: _time_ns() + ahead_ms * 1_000_000)


def feed(settings: Settings, name: str, at_ms: int) -> None:
    send(settings, Topic.BANK_TRANSACTIONS, [("ACC-1", raw(name))], at_ms=at_ms)


def test_a_clock_set_back_an_hour_loses_nothing_and_dates_nothing_in_its_future(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = _time_ns() // 1_000_000
    feed(settings, "old", now - 24 * HOUR_MS)
    feed(settings, "present", now)
    feed(settings, "ahead", now + HOUR_MS // 2)
    assert drain(settings, INGESTION).read == 3
    feed(settings, "later", now)
    set_clock(monkeypatch, -HOUR_MS)
    assert drain(settings, INGESTION).read == 1
    set_clock(monkeypatch, 0)
    feed(settings, "again", now)
    assert drain(settings, INGESTION).read == 1
    old, present, ahead, later, again = (row.timestamp_ms for row in rows(settings, Topic.FRAUDULENT))
    assert (old, present, again) == (now - 24 * HOUR_MS, now, now)
    assert now <= ahead < now + HOUR_MS // 2  # capped at the moment of the commit
    assert now - HOUR_MS <= later < now  # capped at what this machine thought was now
    assert ledger.faults(Entry.from_avro(entry) for entry in ledger_of(settings, INGESTION)) == []


def test_a_clock_a_day_ahead_of_the_broker_s_waits_with_a_sentence_and_goes_on_when_it_is_right(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed(settings, "one", _time_ns() // 1_000_000)
    set_clock(monkeypatch, 24 * HOUR_MS)
    monkeypatch.setattr("fraud_platform.runtime.drain.PATIENCE_S", 2.0)
    with pytest.raises(BrokerUnavailable, match="clock"):
        drain(settings, INGESTION)
    assert rows(settings, Topic.FRAUDULENT) == []
    set_clock(monkeypatch, 0)
    assert drain(settings, INGESTION).read == 1
    assert len(rows(settings, Topic.FRAUDULENT)) == 1
