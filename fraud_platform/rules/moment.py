"""One event before one account: what the windows held just before it."""

from collections.abc import Mapping, Sequence

from fraud_platform.rules.account import AccountState, Layout
from fraud_platform.rules.criterion import Unclear
from fraud_platform.rules.event import Event
from fraud_platform.rules.indexed import missing
from fraud_platform.rules.track import Track
from fraud_platform.rules.window import Aggregate, Kind, Window

NO_HISTORY = Unclear("the account's history is not kept here")
NO_TIME = Unclear("the transaction has no time")


class Moment:
    """The engine's `History`: every window is read once, whoever asks, before the event joins it."""

    __slots__ = ("_at", "_event", "_layout", "_owns", "_places", "_state", "_watermark", "answers")

    def __init__(self, event: Event, state: AccountState | None, layout: Layout, places: Mapping[Window, int]) -> None:
        self._event, self._state, self._layout, self._places = event, state, layout, places
        self._at = event.at or 0
        known = state.watermark if state is not None else None
        self._watermark = self._at if known is None or known < self._at else known
        self._owns: dict[str | None, int | None] = {}
        self.answers: Sequence[Aggregate | Unclear | None]
        if state is None or event.at is None:
            self.answers = [NO_HISTORY if state is None else NO_TIME] * len(places)
        else:
            self.answers = [
                self._read(window, kind, duration, kept, track)
                for (window, kind, duration, kept, _), track in zip(layout.plans, state.tracks, strict=True)
            ]

    def over(self, window: Window) -> Aggregate | Unclear | None:
        """See `criterion.History.over`."""
        return self.answers[self._places[window]]

    def remember(self) -> None:
        """Let every window that admits the event keep it; after all rules have seen what was before."""
        if self._state is None or self._event.at is None:
            return
        self._state.watermark = watermark = self._watermark
        for answer, (_, kind, _, kept, room), track in zip(
            self.answers, self._layout.plans, self._state.tracks, strict=True
        ):
            if isinstance(answer, Aggregate):
                track.add(kind, self._at, answer.own, watermark - kept, room)
            elif track.times and track.times[0] <= watermark - kept:
                track.forget(watermark - kept)

    def _read(self, window: Window, kind: Kind, duration: int, kept: int, track: Track) -> Aggregate | Unclear | None:
        if window.where:
            admitted = window.admits(self._event)
            if admitted is not True:
                return missing(admitted) if admitted else None
        field, owns = window.field, self._owns
        own = owns[field] if field in owns else owns.setdefault(field, window.contribution(self._event))
        if own is None:
            return missing(field or "")
        return track.read(kind, self._at, own, self._watermark - kept, duration)


def remembered(event: Event, state: AccountState, layout: Layout) -> bool:
    """Let the account remember an event that has a time, as judging it would; False = its id came again."""
    at = event.at or 0
    newest = at if state.watermark is None or state.watermark < at else state.watermark
    if state.seen.is_repeat(event.transaction_id, at, newest - layout.repeat_span):
        return False
    Moment(event, state, layout, {}).remember()
    return True
