"""One event before one account: what the windows held just before it."""

from collections.abc import Mapping, Sequence

from fraud_platform.rules.account import AccountState, Layout
from fraud_platform.rules.criterion import Unclear
from fraud_platform.rules.event import Event
from fraud_platform.rules.indexed import Ceiling, missing
from fraud_platform.rules.window import Aggregate, Window

NO_HISTORY = Unclear("the account's history is not kept here")
NO_TIME = Unclear("the transaction has no time")


class Moment:
    """The engine's `History`: a window is read when somebody asks for it, once, before the event joins it."""

    __slots__ = ("_answers", "_at", "_layout", "_owns", "_places", "_state", "_tracks", "_watermark")

    def __init__(self, event: Event, state: AccountState | None, layout: Layout, places: Mapping[Window, int]) -> None:
        self._layout, self._places = layout, places
        self._at = at = event.at or 0
        self._answers: dict[int, Aggregate] = {}
        self._owns: Sequence[int | Unclear | None]
        if state is None or event.at is None:
            self._state, self._tracks, self._watermark = None, [], at
            self._owns = [NO_HISTORY if state is None else NO_TIME] * len(layout.sources)
            return
        known = state.watermark
        self._state, self._tracks = state, state.tracks
        self._watermark = at if known is None or known < at else known
        self._owns = [_own(source, event) for source in layout.sources]

    def over(self, window: Window) -> Aggregate | Unclear | None:
        """See `criterion.History.over`."""
        return self.at(self._places[window])

    def at(self, place: int) -> Aggregate | Unclear | None:
        """As `over`, of the window at this place of the layout."""
        source, kind, duration, kept, _ = self._layout.plans[place]
        own = self._owns[source]
        if not isinstance(own, int):
            return own
        seen = self._answers.get(place)
        if seen is None:
            oldest = self._watermark - kept
            seen = self._answers[place] = self._tracks[place].read(kind, self._at, own, oldest, duration)
        return seen

    def stays_below(self, place: int, ceiling: Ceiling, limit: int) -> bool:
        """Whether all that is kept for the window, the event included, cannot reach the limit; False = look closer."""
        source, _, duration, kept, _ = self._layout.plans[place]
        own, begin = self._owns[source], self._at - duration
        if not isinstance(own, int) or begin <= self._watermark - kept:
            return False
        track = self._tracks[place]
        if track.joins is not None or (track.floor is not None and begin < track.floor):
            return False  # something that may lie in the window is not kept, or not singly
        return ceiling(track.times, track.values, own) < limit

    def remember(self) -> None:
        """Let every window that admits the event keep it; after all rules have seen what was before."""
        state = self._state
        if state is None:
            return
        at, owns = self._at, self._owns
        state.watermark = watermark = self._watermark
        for (source, kind, _, kept, room), track in zip(self._layout.plans, state.tracks, strict=True):
            own = owns[source]
            if isinstance(own, int):
                track.add(kind, at, own, watermark - kept, room)
            else:
                track.forget(watermark - kept)


def remembered(event: Event, state: AccountState, layout: Layout) -> bool:
    """Let the account remember an event that has a time, as judging it would; False = its id came again."""
    at = event.at or 0
    newest = at if state.watermark is None or state.watermark < at else state.watermark
    if state.seen.is_repeat(event.transaction_id, at, newest - layout.repeat_span):
        return False
    Moment(event, state, layout, {}).remember()
    return True


def _own(source: Window, event: Event) -> int | Unclear | None:
    """What the event brings into windows like this one, see `Window.contribution`; None if it does not belong there."""
    admitted = source.admits(event) if source.where else True
    if admitted is not True:
        return missing(admitted) if admitted else None
    own = source.contribution(event)
    return missing(source.field or "") if own is None else own
