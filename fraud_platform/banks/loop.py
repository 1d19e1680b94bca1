"""The banks at work: generate at a rate, send, stop when asked."""

import random
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol

from fraud_platform.adapters.producer import InputProducer
from fraud_platform.banks.generator import RUN_BITS, Scenario, TransferGenerator
from fraud_platform.banks.mix import DEFAULT_MIX
from fraud_platform.banks.pace import Pace
from fraud_platform.banks.population import Population
from fraud_platform.banks.room import look
from fraud_platform.settings import Settings
from fraud_platform.topology import BANKS, Topic

CHUNK = 500
"""Transfers between two looks at the stop signal: 20 ms or so at full speed."""
MOST_BACKLOG = 30_000
"""Unconfirmed records above which nothing new is made: 12 MB, half a second to flush."""
LONGEST_WAIT_S = 0.2
ROOM_EVERY_S = 3.0
OBSERVE_EVERY_S = 1.0
FLUSH_S = 4.0
REST_S = 11.0
"""Longer than SMALL_INTERVAL looks back by default, so that honest lines seldom hit it."""
ANSWER_S = 4.0
"""Longest wait for a silent broker at the start; with the flush, a stop is never later than 5 s."""


class Outbox(Protocol):
    """What the loop needs of a producer."""

    delivered: Counter[Topic]
    failed: Counter[Topic]

    def send(self, topic: Topic, key: bytes | None, value: bytes) -> None: ...  # noqa: D102
    def poll(self, timeout_s: float = 0.0) -> None: ...  # noqa: D102
    @property
    def backlog(self) -> int: ...  # noqa: D102
    def close(self, timeout_s: float = 4.0) -> int: ...  # noqa: D102


@dataclass(slots=True)
class Sent:
    """What a run has sent: transfers made, records the broker confirmed or not (lines, labels), seconds."""

    transfers: int = 0
    delivered: int = 0
    failed: int = 0
    seconds: float = 0.0
    by_evaluation: Counter[str] = field(default_factory=Counter)
    by_scenario: Counter[Scenario] = field(default_factory=Counter)

    @property
    def per_second(self) -> float:
        """Transfers per second over the whole run."""
        return self.transfers / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as the loop sees it; tests bring their own. `now` is aware UTC, the others seconds."""

    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep


def always() -> bool:
    """Room for ever: topics without a size limit."""
    return True


def run_banks(
    settings: Settings,
    *,
    rate: float | None,
    stop: Callable[[], bool],
    count: int | None = None,
    seed: int = 7,
    id_seed: int | None = None,
    mix: Mapping[str, float] = DEFAULT_MIX,
    start: datetime | None = None,
    room: Callable[[], bool] | None = None,
    observe: Callable[[Sent], None] | None = None,
) -> Sent:
    """Send demo transfers, their statement lines and labels until `count` are out or `stop()` says so.

    Args:
        settings: where Kafka is.
        rate: transfers per second; None = as fast as possible.
        stop: asked at least twice a second, also while waiting.
        count: how many transfers; None = no end.
        seed: fixes the people.
        id_seed: fixes ids and traffic too; None = different ones each run.
        mix: weight per `evaluation`.
        start: time of the first transfer, the others follow at the rate (1,000/s when unthrottled);
            None = the clock's time. With `id_seed` it makes a run repeatable to the byte.
        room: whether the topics have room, asked every few seconds, with a pause while they have not;
            None = until one is half full, see `fraud_platform.banks.room`.
        observe: called with the counts so far, at most once a second.

    Raises:
        BrokerUnavailable: Kafka does not answer at the start.
        ConfigurationError: wrong settings or mix, or a topic that does not exist.
    """
    run = random.Random(f"ids {id_seed}").getrandbits(RUN_BITS) if id_seed is not None else secrets.randbits(RUN_BITS)
    rest_s = REST_S if rate else 0.0  # unthrottled, nobody would be left who does not rest
    generator = TransferGenerator(Population(seed), mix, run=run, rest_s=rest_s)
    times = None if start is None else _times(start, rate)
    outbox = InputProducer(settings)
    outbox.require_topics(BANKS.writes, ANSWER_S)
    room = room or partial(look, settings)
    loop = BanksLoop(generator, outbox, rate=rate, count=count, times=times, room=room, observe=observe)
    return loop.run(stop)


def _times(start: datetime, rate: float | None) -> Iterator[datetime]:
    step = timedelta(seconds=1 / (rate or 1000))
    number = 0
    while True:
        yield start + number * step
        number += 1


class BanksLoop:
    """Moves transfers from a generator to an outbox at a rate."""

    def __init__(
        self,
        generator: TransferGenerator,
        outbox: Outbox,
        *,
        rate: float | None,
        count: int | None = None,
        times: Iterator[datetime] | None = None,
        room: Callable[[], bool] = always,
        observe: Callable[[Sent], None] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._generator = generator
        self._outbox = outbox
        self._count = count
        self._times = times
        self._room = room
        self._observe = observe
        self._clock = clock or Clock()
        self._started = self._room_asked = self._observed = self._clock.monotonic()
        self._pace = Pace(rate, self._started)
        self._has_room = room()
        self.sent = Sent()

    def run(self, stop: Callable[[], bool]) -> Sent:
        """Work until the count is reached or `stop()`; whatever was queued is flushed, errors or not."""
        try:
            while not stop() and not self._done():
                self._step()
            while self._outbox.backlog and not stop():  # a full count waits for its confirmations
                self._outbox.poll(LONGEST_WAIT_S)
        finally:
            self._outbox.close(FLUSH_S)
            self._tally()
        return self.sent

    def _done(self) -> bool:
        return self._count is not None and self.sent.transfers >= self._count

    def _step(self) -> None:
        now = self._clock.monotonic()
        self._look_around(now)
        if not self._has_room:
            self._clock.sleep(LONGEST_WAIT_S)
        elif self._outbox.backlog > MOST_BACKLOG:
            self._outbox.poll(LONGEST_WAIT_S)
        elif due := self._pace.due(now):
            self._send(min(due, CHUNK))
        else:
            self._clock.sleep(min(self._pace.wait(now), LONGEST_WAIT_S))
        self._outbox.poll(0)

    def _look_around(self, now: float) -> None:
        if now - self._room_asked >= ROOM_EVERY_S:
            self._room_asked, self._has_room = now, self._room()
        if self._observe and now - self._observed >= OBSERVE_EVERY_S:
            self._observed = now
            self._tally()
            self._observe(self.sent)

    def _send(self, number: int) -> None:
        if self._count is not None:
            number = min(number, self._count - self.sent.transfers)
        at = self._clock.now()
        for _ in range(number):
            transfer = self._generator.next(at if self._times is None else next(self._times))
            self._outbox.send(Topic.BANK_TRANSACTIONS, transfer.key, transfer.value)
            self._outbox.send(Topic.LABELS, transfer.transaction_id, transfer.label)
            for line, label in transfer.labelled_lines:
                self._outbox.send(Topic.STATEMENTS, line.key, line.value)
                self._outbox.send(Topic.LABELS, line.transaction_id, label)
            self.sent.by_evaluation[transfer.evaluation] += 1
            self.sent.by_scenario[transfer.scenario] += 1
            self.sent.transfers += 1
        self._pace.take(number)

    def _tally(self) -> None:
        self.sent.delivered = self._outbox.delivered.total()
        self.sent.failed = self._outbox.failed.total()
        self.sent.seconds = self._clock.monotonic() - self._started
