"""Messages on their way to the channels: pure but for the channels it is given.

Each channel has a queue of its own. One that does not take its messages is asked again after 30 s, then after twice as
long each time, up to an hour; meanwhile nobody waits for it. What grows too old or too much is dropped and counted.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

import msgspec

from fraud_platform.alerts.book import Message
from fraud_platform.errors import ChannelUnavailable

FIRST_PAUSE_S, LONGEST_PAUSE_S = 30.0, 3600.0
MAX_WAITING = 30
MAX_AGE_S = 24 * 3600.0


class Channel(ABC):
    """A way to reach a person."""

    name: str

    @abstractmethod
    def send(self, messages: Sequence[Message], *, dropped: int = 0) -> None:
        """Deliver all of them, in order and in one go; `dropped` earlier ones were given up.

        Returns or raises within seconds.

        Raises:
            ChannelUnavailable: none of them can be said to have arrived.
        """


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """What waits for one channel; `next_at` = when it is asked again, Unix seconds."""

    waiting: Sequence[Message] = ()
    dropped: int = 0
    failures: int = 0
    next_at: float = 0.0
    why: str = ""


Queues = Mapping[str, Queue]


def deliver(
    queues: Queues, messages: Sequence[Message], channels: Sequence[Channel], *, clock: Callable[[], float]
) -> dict[str, Queue]:
    """Offer what waits and what is new to each channel that is due; returns what still waits.

    Channels that exist no longer lose their queue.
    """
    return {
        channel.name: _offer(_enqueue(queues.get(channel.name, Queue()), messages, clock()), channel, clock)
        for channel in channels
    }


def _enqueue(queue: Queue, messages: Sequence[Message], now: float) -> Queue:
    """With the new messages, within the bounds; the oldest go first."""
    everything = [*queue.waiting, *messages]
    kept = [message for message in everything if now - message.at <= MAX_AGE_S][-MAX_WAITING:]
    return msgspec.structs.replace(queue, waiting=tuple(kept), dropped=queue.dropped + len(everything) - len(kept))


def _offer(queue: Queue, channel: Channel, clock: Callable[[], float]) -> Queue:
    if not queue.waiting or clock() < queue.next_at:
        return queue
    try:
        channel.send(queue.waiting, dropped=queue.dropped)
    except ChannelUnavailable as error:
        return _refused(queue, str(error), error.retry_after_s, clock())
    except Exception as error:  # noqa: BLE001 - alerts must not break on the channel that carries them
        return _refused(queue, f"a defect of the channel ({type(error).__name__})", 0.0, clock())
    return Queue()


def _refused(queue: Queue, why: str, retry_after_s: float, now: float) -> Queue:
    pause = min(LONGEST_PAUSE_S, max(retry_after_s, FIRST_PAUSE_S * 2 ** min(queue.failures, 10)))
    return msgspec.structs.replace(queue, failures=queue.failures + 1, next_at=now + pause, why=why)
