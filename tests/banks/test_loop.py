import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from fraud_platform.banks.generator import TransferGenerator
from fraud_platform.banks.loop import CHUNK, MOST_BACKLOG, BanksLoop, Clock
from fraud_platform.banks.population import Population
from fraud_platform.topology import BANKS, Topic
from tests.fakes.outbox import FakeOutbox

PEOPLE = Population(7, customers=50)
RECORDS = sum(BANKS.outcomes["sent"].values())
"""Of each transfer."""
START = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


class FakeTime:
    """Time that moves only while the loop sleeps, plus a little at each look at the clock."""

    def __init__(self, per_look: float = 0.0) -> None:
        self.seconds = 0.0
        self.longest_sleep = 0.0
        self.per_look = per_look

    def monotonic(self) -> float:
        self.seconds += self.per_look
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        self.longest_sleep = max(self.longest_sleep, seconds)

    def clock(self) -> Clock:
        return Clock(self.monotonic, lambda: START + timedelta(seconds=self.seconds), self.sleep)

    def is_after(self, seconds: float):
        return lambda: self.seconds >= seconds


def _loop(outbox, time, **choices):
    choices = {"rate": 20, **choices}
    return BanksLoop(TransferGenerator(PEOPLE, run=1), outbox, clock=time.clock(), **choices)


def test_the_rate_is_kept_over_a_minute():
    time, outbox = FakeTime(), FakeOutbox()
    sent = _loop(outbox, time, rate=20).run(time.is_after(60))
    assert sent.transfers == pytest.approx(1200, abs=2)
    assert sent.per_second == pytest.approx(20, rel=0.01)


def _transfers(outbox):
    return [json.loads(value) for topic, _, value in outbox.records if topic == Topic.BANK_TRANSACTIONS]


def test_the_loop_ends_at_the_count_and_each_transfer_and_each_line_has_its_label():
    outbox = FakeOutbox()
    sent = _loop(outbox, FakeTime(), rate=None, count=1234).run(lambda: False)
    assert sent.transfers == 1234
    assert outbox.delivered == {Topic.BANK_TRANSACTIONS: 1234, Topic.STATEMENTS: 2468, Topic.LABELS: 3702}
    transfers = [transfer["transaction_id"] for transfer in _transfers(outbox)]
    lines = [json.loads(value)["transactionId"] for topic, _, value in outbox.records if topic == Topic.STATEMENTS]
    labels = [key.decode() for topic, key, _ in outbox.records if topic == Topic.LABELS]
    assert lines == [f"{transfer}{side}" for transfer in transfers for side in ("-D", "-C")]
    assert sorted(labels) == sorted([*transfers, *lines])


def test_a_count_of_zero_sends_nothing():
    outbox = FakeOutbox()
    assert _loop(outbox, FakeTime(), count=0).run(lambda: False).transfers == 0
    assert outbox.records == []


def test_a_slow_rate_never_sleeps_past_a_stop_signal():
    time = FakeTime()
    _loop(FakeOutbox(), time, rate=0.01).run(time.is_after(30))
    assert time.longest_sleep <= 0.5
    assert time.seconds <= 30.5


def test_transfers_carry_the_clock_s_time():
    time, outbox = FakeTime(), FakeOutbox()
    _loop(outbox, time, rate=2, count=3).run(lambda: False)
    dates = [transfer["transfer_date"] for transfer in _transfers(outbox)]
    assert dates == ["2026-01-31T12:00:00.000Z", "2026-01-31T12:00:00.500Z", "2026-01-31T12:00:01.000Z"]


def test_given_times_replace_the_clock_so_that_a_run_can_be_repeated_to_the_byte():
    def run(per_look):
        outbox = FakeOutbox()
        times = iter([START + timedelta(seconds=n) for n in range(50)])
        _loop(outbox, FakeTime(per_look), rate=None, count=50, times=times).run(lambda: False)
        return outbox.records

    assert run(0.001) == run(0.7)


def test_a_silent_broker_stops_the_making_of_new_transfers():
    time, outbox = FakeTime(per_look=0.01), FakeOutbox(deaf=True)
    sent = _loop(outbox, time, rate=None).run(time.is_after(30))
    assert MOST_BACKLOG < len(outbox.records) < MOST_BACKLOG + 2 * CHUNK * RECORDS
    assert sent.failed == len(outbox.records)
    assert sent.delivered == 0


def test_the_banks_pause_while_a_topic_is_half_full_and_go_on_when_it_has_room():
    """full: [10 s, 20 s), asked every 3 s"""
    time, outbox = FakeTime(), FakeOutbox()
    loop = _loop(outbox, time, rate=20, room=lambda: not 10 <= time.seconds < 20)
    sent = loop.run(time.is_after(30))
    moments = [datetime.fromisoformat(transfer["transfer_date"]) for transfer in _transfers(outbox)]
    silence = max(later - earlier for earlier, later in pairwise(moments))
    assert 6 <= silence.total_seconds() <= 14
    assert 300 < sent.transfers < 500


def test_the_counts_are_told_about_once_a_second():
    time, seen = FakeTime(), []
    _loop(FakeOutbox(), time, rate=20, observe=lambda sent: seen.append(sent.transfers)).run(time.is_after(10))
    assert 9 <= len(seen) <= 10
    assert seen == sorted(seen)


class SlowOutbox(FakeOutbox):
    """Confirms only to those who wait for it, and nothing at its end."""

    def poll(self, timeout_s: float = 0.0) -> None:
        if timeout_s:
            super().poll(timeout_s)


def test_a_full_count_waits_for_its_confirmations():
    sent = _loop(SlowOutbox(), FakeTime(), rate=None, count=700).run(lambda: False)
    assert (sent.delivered, sent.failed) == (700 * RECORDS, 0)


def test_a_stop_does_not_wait_for_confirmations():
    time = FakeTime(per_look=0.01)
    sent = _loop(SlowOutbox(), time, rate=None, count=700).run(time.is_after(0.03))
    assert sent.delivered == 0
    assert sent.failed > 0


def test_what_is_queued_is_flushed_even_when_the_loop_breaks():
    outbox = FakeOutbox()
    asked = iter([False, False])
    with pytest.raises(StopIteration):
        _loop(outbox, FakeTime(), rate=None).run(lambda: next(asked))
    assert outbox.delivered.total() == len(outbox.records) > 0
