"""One event before one account: what the windows held just before it."""

from collections.abc import Mapping

from fraud_platform.rules.account import AccountState, Layout
from fraud_platform.rules.criterion import Unclear
from fraud_platform.rules.event import Event
from fraud_platform.rules.indexed import missing
from fraud_platform.rules.window import Aggregate, Window

NO_HISTORY = Unclear("the account's history is not kept here")
NO_TIME = Unclear("the transaction has no time")


class Moment:
    """The engine's `History`: answers are computed once, whoever asks."""

    __slots__ = ("_answers", "_at", "_event", "_layout", "_places", "_state", "_watermark")

    def __init__(self, event: Event, state: AccountState | None, layout: Layout, places: Mapping[Window, int]) -> None:
        self._event, self._state, self._layout, self._places = event, state, layout, places
        self._at = event.at or 0
        known = state.watermark if state is not None else None
        self._watermark = self._at if known is None else max(known, self._at)
        self._answers: list[Aggregate | Unclear | bool | None] = [False] * len(places)

    def over(self, window: Window) -> Aggregate | Unclear | None:
        """See `criterion.History.over`."""
        return self.at_place(self._places[window])

    def at_place(self, place: int) -> Aggregate | Unclear | None:
        """The same by the window's place in the layout."""
        answer = self._answers[place]
        if isinstance(answer, bool):
            answer = self._answers[place] = self._ask(place)
        return answer

    def remember(self) -> None:
        """Let every window that admits the event keep it; after all rules have seen what was before."""
        if self._state is None or self._event.at is None:
            return
        for place, (window, track) in enumerate(zip(self._layout.windows, self._state.tracks, strict=True)):
            answer = self.at_place(place)
            if isinstance(answer, Aggregate):
                oldest = self._oldest(window)
                track.add(window.kind, self._at, answer.own, oldest=oldest, duration=window.duration)
        self._state.watermark = self._watermark

    def _ask(self, place: int) -> Aggregate | Unclear | None:
        if self._state is None:
            return NO_HISTORY
        if self._event.at is None:
            return NO_TIME
        window = self._layout.windows[place]
        admitted = window.admits(self._event) if window.where else True
        if admitted is not True:
            return missing(admitted) if admitted else None
        own = window.contribution(self._event)
        if own is None:
            return missing(window.field or "")
        track = self._state.tracks[place]
        return track.read(window.kind, self._at, own=own, oldest=self._oldest(window), duration=window.duration)

    def _oldest(self, window: Window) -> int:
        return self._watermark - window.duration - self._layout.lateness
