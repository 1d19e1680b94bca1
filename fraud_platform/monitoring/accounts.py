"""What monitoring remembers of accounts, and by which rules it judges them: by none that they are not ready for."""

from collections.abc import Callable, Iterator, Mapping

from fraud_platform.core.changelog import Changelog
from fraud_platform.core.log import Committed, Partition, Position
from fraud_platform.core.outcome import Outgoing
from fraud_platform.core.rereading import Rereader
from fraud_platform.errors import Restoring
from fraud_platform.monitoring.marker import key_of
from fraud_platform.monitoring.shelf import MOST_RENEWED, Shelf
from fraud_platform.monitoring.warming import Warming
from fraud_platform.rules.account import AccountState
from fraud_platform.rules.engine import Engine
from fraud_platform.runtime.litter import Litter
from fraud_platform.runtime.state import State
from fraud_platform.topology import MIB, RETENTION_MS

SLICE_S = 0.5
LIVE_TRACKS = 1_200_000
"""Windows of accounts that stay unpacked between transactions, the latest of a slot: some 450 bytes each."""
MOST_RECORDS, MOST_BYTES = 5_000, 64 * MIB
"""Lines of a transaction, and about so many bytes of accounts: a busy one takes a millisecond and 100 KB."""


class Accounts(State):
    """See `State`. An account's state is the newest record of its key, whatever rule set wrote it."""

    def __init__(
        self,
        changelog: Changelog,
        rereader: Rereader,
        topic: str,
        rules: Callable[[], Engine],
        *,
        live: int = LIVE_TRACKS,
        litter: Litter | None = None,
    ) -> None:
        """`topic` = the changelog's, by its name on the broker; `rules` gives the engine that was published last."""
        self._changelog = changelog
        self._warming = Warming(rereader, self.place)
        self._topic = topic
        self._rules = rules
        self._live = live
        self._litter = litter
        self._shelves: dict[int, Shelf] = {}
        self._restoring: dict[int, Shelf] = {}
        self._count = 0
        self._most_records = MOST_RECORDS
        self._bytes = 0
        self._use(rules())

    @property
    def most_records(self) -> int:
        """See `State.most_records`: half as many after a transaction that was too large or failed, later more again."""
        return self._most_records

    def engine(self) -> Engine:
        """By which to judge: the newest for whose windows every account is ready. One transaction has one."""
        newest = self._rules()
        if newest is not self._engine and self.is_settled and not self._warming.needs(newest, self._shelves):
            self._switch(newest)
        return self._engine

    def tend(self) -> None:
        """See `State.tend`: windows of a newer rule set are filled while the one before goes on."""
        newest = self._rules()
        if newest is self._engine:
            self._warming.cancel()
        elif self._shelves and self._warming.advance(newest, self._shelves):
            self._switch(newest)

    def _switch(self, engine: Engine) -> None:
        self._warming.hand_over(engine, self._shelves)
        self._use(engine)

    def _use(self, engine: Engine) -> None:
        self._engine, self._layout = engine, engine.layout
        # Nothing of the account matters to a line on time once its longest window is over. A line may come as long
        # after its own time as the input keeps it, so the account has that long, by the clock of its partition.
        self._idle_ms = engine.layout.longest // 1000 + RETENTION_MS

    @property
    def coming(self) -> str:
        """The version whose windows are being filled, and how far; empty when none is."""
        return self._warming.coming

    @property
    def is_behind(self) -> bool:
        """See `State.is_behind`."""
        return any(shelf.warmth.is_behind for shelf in self._shelves.values())

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
        missing = {n: upto for n, upto in wanted.items() if n not in self._shelves}
        if missing:
            self._changelog.begin(missing)
            self._restoring = {n: Shelf(upto, key_of(n, self.place)) for n, upto in missing.items()}
            if not self._shelves:
                self._use(self._rules())
            self._adopt()

    def restore(self) -> None:
        """See `State.restore`."""
        if self._restoring:
            if not self._changelog.is_whole:
                for change in self._changelog.read(SLICE_S):
                    self._restoring[change.number].take(change)
                    self._count += 1
            self._adopt()

    def _adopt(self) -> None:
        if not self._changelog.is_whole:
            raise Restoring(f"What is remembered of accounts is being read back: {self._count:,} records so far.")
        if not self._warming.advance(self._engine, self._restoring):
            raise Restoring(self._warming.progress)
        self._warming.hand_over(self._engine, self._restoring)
        self._shelves |= self._restoring
        self._restoring = {}

    def changes(self) -> Iterator[Outgoing]:
        """See `State.changes`: one record per account, however many of its lines were judged."""
        self._bytes, most = 0, max(1, MOST_RENEWED // max(1, len(self._shelves)))
        for shelf in self._shelves.values():
            for key, record, at_ms in shelf.changes(self._layout, self._idle_ms, most):
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
        self._warming.cancel()
        if self._litter is not None:
            self._litter.close()
