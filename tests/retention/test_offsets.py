"""Groups without offsets, and offsets that are no longer in their topic."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from fraud_platform.adapters.admin import committed_offsets, standing
from fraud_platform.core import ledger
from fraud_platform.core.ledger import Entry
from fraud_platform.errors import InputLost
from fraud_platform.runtime.drain import drain
from fraud_platform.runtime.launch import Slot, run_slot
from fraud_platform.runtime.stop import StopRequest
from fraud_platform.runtime.worker import Progress, State
from fraud_platform.settings import Settings
from fraud_platform.topology import INGESTION, Topic
from tests.builders import raw
from tests.retention.offsets import delete_group, delete_records, open_transaction, set_offsets
from tests.stages.flow import has_read_all, ledger_of, send, values

pytestmark = pytest.mark.services

INPUT = Topic.BANK_TRANSACTIONS


def feed(settings: Settings, first: int, count: int) -> None:
    numbers = range(first, first + count)
    send(settings, INPUT, [(f"A{n}", raw(f"{n}", sender_bank_account=f"A{n}")) for n in numbers])


def ids(settings: Settings) -> list[int]:
    """Ids on the output topic, repeats included."""
    return sorted(int(value["transaction_id"]) for value in values(settings, Topic.FRAUDULENT))


def faults(settings: Settings) -> list[str]:
    return ledger.faults(Entry.from_avro(entry) for entry in ledger_of(settings, INGESTION))


@contextmanager
def live_slot(settings: Settings) -> Iterator[list[Progress]]:
    """A long-running slot; yields what it tells of itself."""
    stop, told = StopRequest(), list[Progress]()
    arguments = {"stop": stop, "observe": told.append}
    run = threading.Thread(target=run_slot, args=(settings, Slot(stage=INGESTION, name="0")), kwargs=arguments)
    run.start()
    try:
        yield told
    finally:
        stop.set()
        run.join(30)
        assert not run.is_alive()


def await_pause(told: list[Progress]) -> str:
    """Why it pauses, once it does."""
    deadline = time.monotonic() + 60
    while not told or told[-1].state is not State.PAUSED:
        assert time.monotonic() < deadline, told[-1:]
        time.sleep(0.1)
    return told[-1].paused_because


# Groups without offsets -----------------------------------------------------------------------------


def test_ledger_records_behind_an_open_transaction_of_a_dead_slot_are_not_overlooked(settings: Settings) -> None:
    feed(settings, 0, 20)
    drain(settings, INGESTION)
    left_open = open_transaction(settings, INGESTION, timeout_ms=3000)
    feed(settings, 20, 20)
    drain(settings, INGESTION)  # its ledger records lie behind the open transaction
    delete_group(settings, INGESTION)
    assert drain(settings, INGESTION).read == 0
    assert (ids(settings), faults(settings)) == (list(range(40)), [])
    del left_open


# Offsets that are no longer in their topic ----------------------------------------------------------


def test_an_offset_beyond_the_end_pauses_the_stage_and_is_never_skipped_to(settings: Settings) -> None:
    feed(settings, 0, 20)
    drain(settings, INGESTION)
    set_offsets(settings, INGESTION, INPUT, {0: 1000})
    with live_slot(settings) as told:
        reason = await_pause(told)
        feed(settings, 20, 20)
        time.sleep(0.5)
        assert told[-1].state is State.PAUSED
    assert reason.startswith(f"The committed offset of {settings.naming.topic(INPUT)}/0 is no longer in the topic")
    assert standing(settings, INGESTION).lost == ((INPUT, 0),)
    with pytest.raises(InputLost):
        drain(settings, INGESTION)
    assert committed_offsets(settings, INGESTION)[(INPUT, 0)] == 1000


def test_deleting_the_group_brings_a_stage_back_to_its_last_ledger_record(settings: Settings) -> None:
    feed(settings, 0, 20)
    drain(settings, INGESTION)
    set_offsets(settings, INGESTION, INPUT, {0: 1000, 1: 0})
    feed(settings, 20, 20)
    delete_group(settings, INGESTION)
    assert drain(settings, INGESTION).read == 20
    assert (ids(settings), faults(settings)) == (list(range(40)), [])


def test_records_that_retention_removed_unread_pause_the_stage(settings: Settings) -> None:
    feed(settings, 0, 20)
    drain(settings, INGESTION)
    feed(settings, 20, 20)
    before = committed_offsets(settings, INGESTION)
    delete_records(settings, INPUT, {0: before[(INPUT, 0)] + 3})
    with live_slot(settings) as told:
        assert "no longer in the topic" in await_pause(told)
    assert standing(settings, INGESTION).lost == ((INPUT, 0),)
    assert committed_offsets(settings, INGESTION)[(INPUT, 0)] == before[(INPUT, 0)]


def test_an_accepted_loss_goes_on_at_the_beginning_and_stands_in_the_ledger(settings: Settings) -> None:
    feed(settings, 0, 20)
    drain(settings, INGESTION)
    was = committed_offsets(settings, INGESTION)
    feed(settings, 20, 20)
    delete_records(settings, INPUT, {0: was[(INPUT, 0)] + 3, 1: was[(INPUT, 1)]})
    set_offsets(settings, INGESTION, INPUT, {1: 1000})
    assert drain(settings, INGESTION, accept_loss=True).read == 17
    assert (standing(settings, INGESTION).lost, has_read_all(settings, INGESTION)) == ((), True)
    found = ids(settings)
    assert (len(found), len(set(found))) == (37, 37)
    name = settings.naming.topic(INPUT)
    assert faults(settings) == [f"ingestion: {name}/0 goes on at {was[(INPUT, 0)] + 3} after {was[(INPUT, 0)]}"]
    feed(settings, 40, 5)
    assert drain(settings, INGESTION).read == 5
