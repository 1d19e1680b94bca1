"""The accounts of one partition: their records as they lie in the changelog, and those at work unpacked."""

from collections.abc import Iterator

from fraud_platform.core.changelog import Change
from fraud_platform.errors import ConfigurationError
from fraud_platform.monitoring.marker import Fill, Marker, is_marker
from fraud_platform.monitoring.warmth import Warmth
from fraud_platform.rules.account import AccountState, Layout
from fraud_platform.rules.engine import Engine
from fraud_platform.rules.past import Past
from fraud_platform.topology import MIB

_GONE_AT_ONCE = 1_000
MOST_RENEWED, MOST_RENEWED_BYTES = 1_000, 8 * MIB
"""Accounts that a transaction brings up to date although they have no line in it."""

_Kept = tuple[int, bytes]
"""When the account was last changed, and its record."""


class Shelf:
    """The accounts of one partition as of the committed offset `upto`, and what a transaction changes of them.

    Its clock is the newest Kafka timestamp (epoch ms) of the lines that it has judged. `kept` is in the order in which
    accounts were changed.
    """

    __slots__ = (
        "_clock_ms", "_expired", "_marker", "_marker_key", "_records", "_renewed", "_seen", "_touched", "kept", "live",
        "now_ms", "upto", "warmth",
    )  # fmt: skip

    def __init__(self, upto: int, marker_key: bytes) -> None:
        self.upto = upto
        self.warmth = Warmth()
        self._marker_key = marker_key
        self.kept: dict[bytes, _Kept] = {}
        self.live: dict[bytes, AccountState] = {}
        self.now_ms = self._clock_ms = 0
        self._touched: dict[bytes, tuple[AccountState, int]]
        self._records: dict[bytes, _Kept]
        self._begin()

    def _begin(self) -> None:
        self._touched, self._records = {}, {}
        self._expired: list[bytes] = []
        self._seen: list[bytes] = []
        self._renewed: dict[bytes, _Kept] = {}
        self._marker: Marker | None = None

    @property
    def is_settled(self) -> bool:
        """Whether no account has changed since the last `settle`."""
        return not self._touched

    def take(self, change: Change) -> None:
        """Follow a record of the changelog."""
        if is_marker(change.key):
            self.warmth.take(change.value)
            return
        self.kept.pop(change.key, None)
        if change.value is not None:
            self.kept[change.key] = change.timestamp_ms, change.value
        self.now_ms = self._clock_ms = max(self._clock_ms, change.timestamp_ms)

    def find(self, key: bytes, layout: Layout, idle_ms: int) -> AccountState:
        """The account; a new one when it is unknown or forgotten."""
        touched = self._touched.get(key)
        if touched is not None:
            state, at_ms = touched
            return state if at_ms + idle_ms >= self.now_ms else layout.new()
        kept = self.kept.get(key)
        if kept is None or kept[0] + idle_ms < self.now_ms:
            return layout.new()
        live = self.live.get(key)
        return self._loaded(key, kept[1], layout) if live is None else live

    def touch(self, key: bytes, state: AccountState) -> None:
        """The account has changed."""
        self._touched[key] = state, self.now_ms

    def needs(self, engine: Engine) -> Fill | None:
        """See `Warmth.needs`."""
        return self.warmth.needs(engine, self.kept, self.upto)

    def use(self, layout: Layout, fill: Fill | None = None, past: Past | None = None) -> None:
        """Go on with this layout, see `Warmth.use`; between two transactions only."""
        self.live.clear()  # what they hold is packed in their records, from which any layout can go on
        self.warmth.use(layout, self.kept, fill=fill, past=past)

    def changes(self, layout: Layout, idle_ms: int, most: int) -> Iterator[tuple[bytes, bytes | None, int]]:
        """Key, record and time of each account that was touched, and of some that are forgotten or lacked windows.

        At most `most` of the last are looked at.
        """
        for key, (state, at_ms) in self._touched.items():
            record = layout.dump(state)
            self._records[key] = at_ms, record
            yield key, record, at_ms
        for key, (at_ms, _) in self.kept.items():
            if at_ms + idle_ms >= self.now_ms or len(self._expired) == _GONE_AT_ONCE:
                break
            if key not in self._touched:
                self._expired.append(key)
        for key in self._expired:
            yield key, None, self.now_ms
        for key, (at_ms, record) in self._made_whole(layout, idle_ms, most):
            yield key, record, at_ms
        if self._touched or self._expired or self.warmth.is_behind:
            self._marker = self.warmth.marker
        if self._marker is not None:
            yield self._marker_key, self._marker.encode(), self.now_ms

    def _made_whole(self, layout: Layout, idle_ms: int, most: int) -> Iterator[tuple[bytes, _Kept]]:
        size = 0
        for key in self.warmth.lacking(most):
            self._seen.append(key)
            kept = self.kept.get(key)
            if kept is None or key in self._touched or kept[0] + idle_ms < self.now_ms or _is_whole(kept[1], layout):
                continue
            record = layout.dump(self._loaded(key, kept[1], layout))
            self._renewed[key] = kept[0], record  # nothing has changed: it is as old as it was
            yield key, self._renewed[key]
            size += len(record)
            if size > MOST_RENEWED_BYTES:
                return

    def settle(self) -> None:
        """What `changes` gave is committed."""
        for key in self._expired:
            del self.kept[key]
            self.live.pop(key, None)
        for key, kept in self._records.items():
            self.kept.pop(key, None)
            self.live.pop(key, None)
            self.kept[key] = kept
            self.live[key] = self._touched[key][0]
        self.kept.update(self._renewed)
        self.warmth.written([*self._seen, *self._records, *self._expired], self._marker)
        self._clock_ms = self.now_ms
        self._begin()

    def drop(self) -> None:
        """Forget what has changed since; an account that was touched is unpacked anew from its record."""
        for key in self._touched:
            self.live.pop(key, None)
        self.now_ms = self._clock_ms
        self._begin()

    def _loaded(self, key: bytes, record: bytes, layout: Layout) -> AccountState:
        try:
            return layout.load(record, self.warmth.lacked(key))
        except ValueError as error:
            raise _useless(error) from None


def _is_whole(record: bytes, layout: Layout) -> bool:
    try:
        return layout.is_whole(record)
    except ValueError as error:
        raise _useless(error) from None


def _useless(error: ValueError) -> ConfigurationError:
    return ConfigurationError(f"A record of monitoring's changelog is of no use here: {error}.")
