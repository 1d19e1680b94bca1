"""Messages on their way to the channels: pure but for the channels it is given.

Each channel has a queue of its own. One that does not take its messages is asked again after 30 s, then after twice as
long each time, up to five minutes, or when it asks for it, up to an hour; meanwhile nobody waits for it. Everything is
offered at least once; of what a channel does not take, the oldest warnings go first when it grows too much, and are
counted.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

import msgspec

from fraud_platform.alerts.book import Message
from fraud_platform.alerts.problem import Severity
from fraud_platform.errors import ChannelUnavailable

FIRST_PAUSE_S, LONGEST_PAUSE_S = 30.0, 300.0
LONGEST_ASKED_S = 3600.0
MAX_WAITING = 30
MAX_AGE_S = 24 * 3600.0


class Channel(ABC):
    """A way to reach a person."""

    name: str
    most: int = 10
    """Messages in one delivery: receivers limit the size of a post, and people what they read."""

    @abstractmethod
    def send(self, messages: Sequence[Message], *, dropped: int = 0) -> None:
        """Deliver all of them, at most `most`, in order and in one go; `dropped` earlier ones were given up.

        Returns or raises within seconds.

        Raises:
            ChannelUnavailable: none of them can be said to have arrived.
        """


class Queue(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What waits for one channel; `next_at` = when it is asked again, Unix seconds."""

    waiting: Sequence[Message] = ()
    dropped: int = 0
    failures: int = 0
    next_at: float = 0.0
    why: str = ""


Queues = Mapping[str, Queue]


def deliver(
    queues: Queues,
    messages: Sequence[Message],
    channels: Sequence[Channel],
    *,
    clock: Callable[[], float],
    has_time: Callable[[], bool] = lambda: True,
) -> dict[str, Queue]:
    """Offer what waits and what is new to each channel that is due, while there is time; returns what still waits.

    Channels that exist no longer lose their queue.
    """
    found: dict[str, Queue] = {}
    for channel in channels:
        queue = queues.get(channel.name, Queue())
        queue = msgspec.structs.replace(queue, waiting=(*queue.waiting, *messages))
        found[channel.name] = _bounded(_offer(queue, channel, clock, has_time), clock())
    return found


def _bounded(queue: Queue, now: float) -> Queue:
    """Without what is too old, and too much: warnings before errors, the oldest first."""
    kept = [message for message in queue.waiting if now - message.at <= MAX_AGE_S]
    surplus = max(0, len(kept) - MAX_WAITING)
    by_weight = sorted(range(len(kept)), key=lambda n: (kept[n].severity is Severity.ERROR, n))
    gone = set(by_weight[:surplus])
    waiting = tuple(message for n, message in enumerate(kept) if n not in gone)
    dropped = queue.dropped + len(queue.waiting) - len(waiting)
    return msgspec.structs.replace(queue, waiting=waiting, dropped=dropped)


def _offer(queue: Queue, channel: Channel, clock: Callable[[], float], has_time: Callable[[], bool]) -> Queue:
    most = channel.most
    while queue.waiting and clock() >= queue.next_at and has_time():
        batch = queue.waiting[:most]
        try:
            channel.send(batch, dropped=queue.dropped)
        except ChannelUnavailable as error:
            if error.is_too_large and len(batch) > 1:
                most = len(batch) // 2
                continue
            return _refused(queue, str(error), error.retry_after_s, clock())
        except Exception as error:  # noqa: BLE001 - alerts must not break on the channel that carries them
            return _refused(queue, f"a defect of the channel ({type(error).__name__})", 0.0, clock())
        queue = Queue(waiting=queue.waiting[len(batch) :])
    return queue


def _refused(queue: Queue, why: str, retry_after_s: float, now: float) -> Queue:
    own = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(queue.failures, 10))
    pause = max(own, min(LONGEST_ASKED_S, retry_after_s))
    return msgspec.structs.replace(queue, failures=queue.failures + 1, next_at=now + pause, why=why)
