"""One event before one account: what the windows held just before it."""

from collections.abc import Mapping, Sequence

from fraud_platform.rules.account import AccountState, Layout
from fraud_platform.rules.criterion import Unclear
from fraud_platform.rules.event import Event
from fraud_platform.rules.indexed import missing
from fraud_platform.rules.window import Aggregate, Window

NO_HISTORY = Unclear("the account's history is not kept here")
NO_TIME = Unclear("the transaction has no time")


class Moment:
    """The engine's `History`: every window is read once, whoever asks, before the event joins it."""

    __slots__ = ("_at", "_layout", "_owns", "_places", "_state", "_watermark", "answers")

    def __init__(self, event: Event, state: AccountState | None, layout: Layout, places: Mapping[Window, int]) -> None:
        self._state, self._layout, self._places = state, layout, places
        self._at = at = event.at or 0
        self.answers: Sequence[Aggregate | Unclear | None]
        if state is None or event.at is None:
            self._state = None
            self.answers = [NO_HISTORY if state is None else NO_TIME] * len(places)
            return
        known = state.watermark
        self._watermark = watermark = at if known is None or known < at else known
        self._owns = owns = [_own(source, event) for source in layout.sources]
        self.answers = [
            track.read(kind, at, own, watermark - kept, duration) if isinstance(own := owns[source], int) else own
            for (source, kind, duration, kept, _), track in zip(layout.plans, state.tracks, strict=True)
        ]

    def over(self, window: Window) -> Aggregate | Unclear | None:
        """See `criterion.History.over`."""
        return self.answers[self._places[window]]

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
