"""The transaction ids that an account remembers, so that what comes again is not judged again."""

import msgspec

from fraud_platform.rules.duration import Duration
from fraud_platform.rules.window import mark

REPEAT = Duration(24 * 3_600_000_000)
"""A transaction id comes again within this span of event time: a duplicate."""

IDS = 4096
"""Most transaction ids remembered per account."""

NEWEST = 32
"""So many of the ids that came last are remembered whatever their event time."""


class Ids(msgspec.Struct, array_like=True, gc=False):
    """Event time by the mark of each id, in the order of arrival; what came first goes first.

    `forgotten`: the newest event time that had to go, None while nothing had to.
    """

    times: dict[int, int] = {}
    forgotten: int | None = None

    def __len__(self) -> int:
        return len(self.times)

    def is_repeat(self, transaction_id: str, at: int, oldest: int) -> bool:
        """Whether the id was accepted less than 24 h of event time away, or else remember it.

        The first to arrive goes when it is from `oldest` or before and not among the newest, so that ids which came
        late stay as long as one that was on time before them; and when there are too many.
        """
        times, identity = self.times, mark(transaction_id)
        before = times.get(identity)
        if before is not None:
            if abs(at - before) < REPEAT:
                return True
            del times[identity]
        times[identity] = at
        while len(times) > NEWEST:
            first = next(iter(times))
            if times[first] > oldest and len(times) <= IDS:
                break
            gone = times.pop(first)
            self.forgotten = gone if self.forgotten is None else max(self.forgotten, gone)
        return False

    def knows(self, transaction_id: str, at: int) -> bool:
        """Whether `is_repeat` would say so; remembers nothing."""
        before = self.times.get(mark(transaction_id))
        return before is not None and abs(at - before) < REPEAT

    def may_repeat(self, at: int) -> bool:
        """Whether an id of that event time may have been accepted and forgotten."""
        return self.forgotten is not None and at - self.forgotten < REPEAT
