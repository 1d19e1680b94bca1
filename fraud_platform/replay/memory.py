"""What the replay remembers of accounts, as monitoring would: a state each, in the layout that used it last."""

from collections.abc import Collection
from functools import partial

from fraud_platform.core.statement import AHEAD_MS
from fraud_platform.rules.account import AccountState, Lacked, Layout
from fraud_platform.rules.past import Past
from fraud_platform.rules.repeats import REPEAT, Ids
from fraud_platform.rules.track import Track
from fraud_platform.topology import RETENTION_MS

LIVE_TRACKS = 1_200_000
"""Windows of accounts that stay unpacked, the latest: some 500 bytes each; the others are packed as monitoring does."""
_NEVER = -1


class Account:
    """One account of a partition: its state, or the record that holds it, in the layout that wrote it.

    `changed_ms` is the newest Kafka timestamp of its partition when a line of it was accepted last.
    """

    __slots__ = ("changed_ms", "layout", "packed", "partition", "state")

    def __init__(self, partition: int, state: AccountState, layout: Layout, changed_ms: int) -> None:
        self.partition = partition
        self.state: AccountState | None = state
        self.packed = b""
        self.layout = layout
        self.changed_ms = changed_ms

    def under(self, layout: Layout) -> AccountState:
        """The state in this layout; when it was another one it is read from its record, as after a switch."""
        if self.state is None:
            self.state, self.packed = self.layout.load(self.packed), b""
        if self.layout is not layout:
            self.state = layout.load(self.layout.dump(self.state))
            self.layout = layout
        return self.state

    def fill(self, layout: Layout, lacked: Lacked) -> None:
        """Go over to this layout if that has windows which the account's own has not: `lacked` has them."""
        if set(layout.ids) <= set(self.layout.ids):
            return
        record = self.packed if self.state is None else self.layout.dump(self.state)
        state = layout.load(record, lacked)
        self.state, self.packed = (None, layout.dump(state)) if self.state is None else (state, b"")
        self.layout = layout

    def is_forgotten(self, now_ms: int) -> bool:
        """As monitoring forgets: after the longest window and the retention of the input."""
        return self.changed_ms + self.layout.longest // 1000 + RETENTION_MS < now_ms

    def knows(self, transaction_id: str, at: int) -> bool:
        """Whether the id would be a repetition; changes nothing."""
        return self.under(self.layout).seen.knows(transaction_id, at)

    def pack(self) -> None:
        """Keep the record alone."""
        if self.state is not None:
            self.packed, self.state = self.layout.dump(self.state), None


class Memory:
    """All accounts.

    `whole` names the partitions that are read from the first record that they ever had. Elsewhere the past of an
    account before the first record that was read is not known, and the engine is told so: windows that reach further
    back are partial, and ids may repeat.
    """

    def __init__(self, whole: Collection[int], *, live: int = LIVE_TRACKS) -> None:
        self._whole = whole
        self._live_tracks = self._most = live
        self._layout: Layout | None = None
        self._live: dict[bytes, Account] = {}
        self._packed: dict[bytes, Account] = {}
        self._now_ms: dict[int, int] = {}
        self._begins_ms: dict[int, int] = {}

    def begin(self, partition: int, at_ms: int) -> None:
        """A record of the partition was read; the Kafka time of the first one tells from when on its past is known."""
        self._begins_ms.setdefault(partition, at_ms)

    def find(self, partition: int, key: bytes, at_ms: int, layout: Layout) -> Account:
        """The account, before a line of this Kafka timestamp; `layout` serves one that is new or forgotten."""
        now = self._now_ms.get(partition, _NEVER)
        if at_ms > now:
            self._now_ms[partition] = now = at_ms
        live = self._live
        account = live.pop(key, None) or self._packed.pop(key, None)
        if account is None or (now - account.changed_ms > RETENTION_MS and account.is_forgotten(now)):
            account = Account(partition, self._new(partition, layout), layout, now)
        live[key] = account
        if layout is not self._layout:
            self._layout, self._most = layout, self._live_tracks // max(1, len(layout.windows))
        if len(live) > self._most:
            self._pack_first()
        return account

    def peek(self, key: bytes) -> Account | None:
        """The account as it is, None when nothing is known of it."""
        return self._live.get(key) or self._packed.get(key)

    def may_repeat(self, partition: int, key: bytes, at: int) -> bool:
        """Whether the account may have accepted, about that event time, what is not remembered of it."""
        account = self.peek(key)
        if account is not None:
            return account.under(account.layout).seen.may_repeat(at)
        return partition not in self._whole and at < self._sure_from(partition) + REPEAT

    def fill(self, partition: int, layout: Layout, past: Past) -> None:
        """As monitoring at a switch: what the accounts of the partition lack of the new layout's windows, they get."""
        for accounts in (self._live, self._packed):
            for key, account in accounts.items():
                if account.partition == partition:
                    account.fill(layout, partial(past.tracks, key))

    def touch(self, partition: int, account: Account) -> None:
        """A line of the account was accepted."""
        account.changed_ms = self._now_ms[partition]

    def __len__(self) -> int:
        return len(self._live) + len(self._packed)

    def _new(self, partition: int, layout: Layout) -> AccountState:
        state = layout.new()
        if partition not in self._whole:
            begin = self._sure_from(partition)
            state.seen = Ids(forgotten=begin)
            state.tracks = [Track(begin) for _ in state.tracks]
        return state

    def _sure_from(self, partition: int) -> int:
        """The event time from which on no line is missing: it may be dated up to a day after its record."""
        return (self._begins_ms[partition] + AHEAD_MS) * 1000

    def _pack_first(self) -> None:
        key = next(iter(self._live))
        account = self._packed[key] = self._live.pop(key)
        account.pack()
