"""Stages wait longer than Kafka waits for its consumer, and for input that never comes."""

import random
import threading
import time
from contextlib import ExitStack

import pytest

from tests.adapters.hostile import hostile
from tests.failure.arena import arena
from tests.failure.catching import lag
from tests.failure.evidence import READS
from tests.failure.flaky_validator import FlakyValidator
from tests.failure.longer.conftest import kept_its_word
from tests.failure.watching import seconds_until

pytestmark = [pytest.mark.services, pytest.mark.long, pytest.mark.timeout(3000)]

POLL_INTERVAL_S = 10
"""The shortest that goes with the session."""
TOO_SLOW_S = 1.5 * POLL_INTERVAL_S
POLL_INTERVAL = {
    name: str(POLL_INTERVAL_S * 1000) for name in ("KAFKA_MAX_POLL_INTERVAL_MS", "KAFKA_SESSION_TIMEOUT_MS")
}


class SlowValidator(FlakyValidator):
    """Takes its time for one question after each `be_slow`."""

    def __init__(self, behind: str) -> None:
        super().__init__(behind, 0.0, random.Random(0))
        self._next = threading.Lock()
        self.slowed = 0

    def be_slow(self) -> None:
        self._next.acquire()

    def behave(self, seen, connection):
        if seen.method == "POST" and self._next.locked():
            self._next.release()
            self.slowed += 1
            time.sleep(TOO_SLOW_S)
        return super().behave(seen, connection)


@pytest.mark.xdist_group("storms-2")
def test_a_batch_that_takes_longer_than_the_poll_interval_is_not_repeated(folder, sized, note) -> None:
    """Another slot gets the partitions meanwhile."""
    rounds, slow = sized(6), list[SlowValidator]()
    with ExitStack() as opened:

        def through_it(_, address):
            slow.append(SlowValidator(address))
            server = opened.enter_context(hostile(slow[0].behave))
            return {"validation": {"FRAUD_VALIDATOR_URL": server.url, **POLL_INTERVAL}}

        patient = {"validation": "tests.failure.patient"}
        back = []
        with arena(
            folder, records=sized(10_000), rate=60, more_slots=["validation.1"], own=through_it, programs=patient
        ) as site:
            for number in range(rounds):
                site.storm.wait_for_work("validation.0")
                slow[0].be_slow()
                seconds_until(lambda number=number: slow[0].slowed > number, lambda: "the validator is not asked")
                time.sleep(TOO_SLOW_S)
                back.append(round(site.storm.wait_for_work("validation.0"), 1))
            told = site.slots.logs()
    note(records=site.verdict.sent, slow_batches=slow[0].slowed, interval_s=POLL_INTERVAL_S, back_s=back)
    kept_its_word(site.verdict)
    assert told.count("maximum poll interval") >= rounds


def test_a_stage_that_has_nothing_to_do_stays_in_its_group_and_shows_no_lag(folder, sized, note) -> None:
    idle_s = sized(600)
    with arena(folder, records=300, rate=0) as site:
        site.rest()
        seconds_until(lambda: not any(lag(site.where, stage) for stage in READS), lambda: "a lag stays")
        before = site.slots.cpu_seconds()
        time.sleep(idle_s)
        cpu = {stage: spent - before[stage] for stage, spent in site.slots.cpu_seconds().items()}
        lags = {stage: lag(site.where, stage) for stage in READS}
    note(idle_seconds=idle_s, lag=lags, share_of_a_core={stage: round(s / idle_s, 3) for stage, s in cpu.items()})
    kept_its_word(site.verdict)
    assert lags == dict.fromkeys(READS, 0)
