"""What monitoring remembers of accounts: their records as they lie in the changelog, and those at work unpacked."""

from collections.abc import Iterator, Mapping

from fraud_platform.core.changelog import Change, Changelog
from fraud_platform.core.log import Committed, Partition, Position
from fraud_platform.core.outcome import Outgoing
from fraud_platform.errors import ConfigurationError, Restoring
from fraud_platform.rules.account import AccountState, Layout
from fraud_platform.rules.rule_set import DEFAULT_LATENESS
from fraud_platform.runtime.litter import Litter
from fraud_platform.runtime.state import State
from fraud_platform.topology import MIB, RETENTION_MS

SLICE_S = 0.5
LIVE_TRACKS = 500_000
"""Windows of accounts that stay unpacked between transactions, the latest of a slot: some 500 bytes each."""
MOST_RECORDS, MOST_BYTES = 5_000, 64 * MIB
"""Lines of a transaction, and about so many bytes of accounts: a busy one takes a millisecond and 100 KB."""
_GONE_AT_ONCE = 1_000

_Kept = tuple[int, bytes]
"""When the account was last changed, and its record."""


class Shelf:
    """The accounts of one partition as of the committed offset `upto`, and what a transaction changes of them.

    Its clock is the newest Kafka timestamp (epoch ms) of the lines that it has judged. `kept` is in the order in which
    accounts were changed.
    """

    __slots__ = ("_clock_ms", "_expired", "_records", "_touched", "kept", "live", "now_ms", "upto")

    def __init__(self, upto: int) -> None:
        self.upto = upto
        self.kept: dict[bytes, _Kept] = {}
        self.live: dict[bytes, AccountState] = {}
        self.now_ms = self._clock_ms = 0
        self._touched: dict[bytes, tuple[AccountState, int]] = {}
        self._records: dict[bytes, _Kept] = {}
        self._expired: list[bytes] = []

    @property
    def is_settled(self) -> bool:
        """Whether no account has changed since the last `settle`."""
        return not self._touched

    def take(self, change: Change) -> None:
        """Follow a record of the changelog."""
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
        return _loaded(kept[1], layout) if live is None else live

    def touch(self, key: bytes, state: AccountState) -> None:
        """The account has changed."""
        self._touched[key] = state, self.now_ms

    def changes(self, layout: Layout, idle_ms: int) -> Iterator[tuple[bytes, bytes | None, int]]:
        """Key, record and time of each account that was touched, and of some that are forgotten."""
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
        self._clock_ms = self.now_ms
        self._touched, self._records, self._expired = {}, {}, []

    def drop(self) -> None:
        """Forget what has changed since; an account that was touched is unpacked anew from its record."""
        for key in self._touched:
            self.live.pop(key, None)
        self.now_ms = self._clock_ms
        self._touched, self._records, self._expired = {}, {}, []


class Accounts(State):
    """See `State`. An account's state is the newest record of its key, whatever rule set wrote it."""

    def __init__(
        self, changelog: Changelog, topic: str, *, live: int = LIVE_TRACKS, litter: Litter | None = None
    ) -> None:
        """`topic` = the changelog's, by its name on the broker."""
        self._changelog = changelog
        self._topic = topic
        self._live = live
        self._litter = litter
        self._shelves: dict[int, Shelf] = {}
        self._restoring: dict[int, Shelf] = {}
        self._layout = Layout((), DEFAULT_LATENESS)
        self._idle_ms = 0
        self._count = 0
        self._most_records = MOST_RECORDS
        self._bytes = 0

    @property
    def most_records(self) -> int:
        """See `State.most_records`: half as many after a transaction that was too large or failed, later more again."""
        return self._most_records

    def use(self, layout: Layout) -> None:
        """Go on with this layout; between two transactions only, as a record is written by one."""
        if layout is self._layout:
            return
        for shelf in self._shelves.values():
            shelf.live.clear()  # what they hold is packed in their records, from which any layout can go on
        self._layout = layout
        # Nothing of the account matters to a line on time once its longest window is over. A line may come as long
        # after its own time as the input keeps it, so the account has that long, by the clock of its partition.
        self._idle_ms = layout.longest // 1000 + RETENTION_MS

    def place(self, key: bytes) -> int:
        """The partition on which the account's lines belong."""
        return self._changelog.place(key)

    def find(self, number: int, key: bytes, at_ms: int) -> AccountState:
        """The state of the account for a line of this partition with this Kafka timestamp.

        Raises:
            ConfigurationError: its record was not written by this version or an earlier one.
        """
        shelf = self._shelves[number]
        shelf.now_ms = max(shelf.now_ms, at_ms)
        return shelf.find(key, self._layout, self._idle_ms)

    def touch(self, number: int, key: bytes, state: AccountState) -> None:
        """The state that `find` gave has changed."""
        self._shelves[number].touch(key, state)

    @property
    def is_settled(self) -> bool:
        """Whether no transaction has changed anything since the last `keep`."""
        return all(shelf.is_settled for shelf in self._shelves.values())

    def own(self, committed: Mapping[Partition, Committed]) -> None:
        """See `State.own`. What is remembered as of the very offset that is committed holds, and is not read again."""
        self.drop()
        if not committed:
            return  # between two assignments; the next one tells what still holds
        wanted = {partition.number: at.offset for partition, at in committed.items()}
        self._shelves = {n: shelf for n, shelf in self._shelves.items() if wanted.get(n) == shelf.upto}
        self._restoring, self._count = {}, 0
        missing = {n: Shelf(upto) for n, upto in wanted.items() if n not in self._shelves}
        if missing:
            self._changelog.begin(missing)
            self._restoring = missing
            self._adopt()

    def restore(self) -> None:
        """See `State.restore`."""
        if self._restoring:
            for change in self._changelog.read(SLICE_S):
                self._restoring[change.number].take(change)
                self._count += 1
            self._adopt()

    def _adopt(self) -> None:
        if not self._changelog.is_whole:
            raise Restoring(f"What is remembered of accounts is being read back: {self._count:,} records so far.")
        self._shelves |= self._restoring
        self._restoring = {}

    def changes(self) -> Iterator[Outgoing]:
        """See `State.changes`: one record per account, however many of its lines were judged."""
        self._bytes = 0
        for shelf in self._shelves.values():
            for key, record, at_ms in shelf.changes(self._layout, self._idle_ms):
                self._bytes += len(record or b"")
                yield Outgoing(self._topic, key, record, at_ms)

    def keep(self, positions: Mapping[Partition, Position]) -> None:
        """See `State.keep`."""
        for partition, position in positions.items():
            self._shelves[partition.number].upto = position.offset
        for shelf in self._shelves.values():
            shelf.settle()
            most = self._live // max(1, len(self._layout.windows)) // len(self._shelves)
            while len(shelf.live) > most:
                del shelf.live[next(iter(shelf.live))]
        self._adapt(is_too_much=self._bytes > MOST_BYTES)
        if self._litter is not None:
            self._litter.sweep()

    def drop(self) -> None:
        """See `State.drop`."""
        if not self.is_settled:
            self._adapt(is_too_much=True)
        for shelf in self._shelves.values():
            shelf.drop()

    def _adapt(self, *, is_too_much: bool) -> None:
        most = self._most_records
        # It grows slowly: each trial that is too large costs a transaction's timeout.
        self._most_records = max(1, most // 2) if is_too_much else min(MOST_RECORDS, most + most // 16 + 1)

    def close(self) -> None:
        """See `State.close`."""
        self._changelog.close()
        if self._litter is not None:
            self._litter.close()


def _loaded(record: bytes, layout: Layout) -> AccountState:
    try:
        return layout.load(record)
    except ValueError as error:
        raise ConfigurationError(f"A record of monitoring's changelog is of no use here: {error}.") from None
