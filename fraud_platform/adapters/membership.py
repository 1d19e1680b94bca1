"""Whose place in the group it is: asked before a process that was out of it joins again under its slot's name."""

import time
from collections.abc import Callable, Iterable

from fraud_platform.errors import BrokerUnavailable, Fenced


class Membership:
    """The member ids that the group has given this process, beside those that it names now.

    A static member that joins displaces whoever holds its `group.instance.id`. That is right for a new process.
    For one that slept, or was cut off, longer than its session lasts it would be wrong: another may have taken
    the slot meanwhile.
    """

    def __init__(
        self,
        present: Callable[[], Iterable[str]],
        *,
        session_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`present` = the member ids that the group holds for the slot now; raises BrokerUnavailable."""
        self._present = present
        self._session_s = session_s
        self._clock = clock
        self._own: set[str] = set()
        self._is_joining = False
        self._strangers: dict[str, float] = {}

    @property
    def has_joined(self) -> bool:
        """Whether the group has ever given us an id."""
        return bool(self._own)

    def joining(self) -> None:
        """Note that the group may give us an id from now on without our hearing of it."""
        self._is_joining = True

    def joined(self, member_id: str) -> None:
        """Note the id that we have now."""
        self._is_joining = False
        self._own.add(member_id)

    def require(self) -> None:
        """See that nobody else has the slot; a process that was never a member may always join.

        Raises:
            Fenced: another process has it.
            BrokerUnavailable: no answer, or it is not clear yet.
        """
        if not self.has_joined:
            return
        now = self._clock()
        strangers = set(self._present()) - self._own
        self._strangers = {each: self._strangers.get(each, now) for each in strangers}
        if not strangers:
            return
        # It may be ours, from an answer that never came. Then nobody keeps it alive, and its session ends.
        if self._is_joining and now - min(self._strangers.values()) <= self._session_s:
            raise BrokerUnavailable("Kafka still holds this slot for a member that may be gone.")
        raise Fenced("Another process took over this slot while this one was out of its group.")
