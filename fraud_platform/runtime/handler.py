"""What a stage does with what was read: the two ways from a batch to a commit."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from operator import attrgetter
from types import MappingProxyType

from fraud_platform.core.log import Batch, Log, OutputRefused, Partition, Position
from fraud_platform.core.outcome import Outcome, Outgoing, Record, Rejected
from fraud_platform.errors import BrokerUnavailable, ConfigurationError, FraudPlatformError
from fraud_platform.runtime.scribe import Scribe, count_by_partition, dead
from fraud_platform.runtime.state import State, Stateless
from fraud_platform.topology import TOPICS, Topic

_OWN_BYTES = TOPICS[Topic.DEAD_LETTERS].max_message_bytes

PART_RECORDS = 500
_NAME = attrgetter("name")
_NONE_KNOWN: Mapping[int, Outcome] = MappingProxyType({})

Decide = Callable[[Sequence[Record]], Sequence[Outcome]]
"""One outcome per record, in order. Outside calls happen in here, before the transaction begins.

Raises a `Retryable` error when the outside is away: nothing has happened, the batch comes again.
"""


class Handler(ABC):
    """Turns batches into commits. `totals` counts records per outcome since the start of this run."""

    def __init__(self, log: Log, scribe: Scribe) -> None:
        self._log = log
        self._scribe = scribe
        self.totals: Counter[str] = Counter()

    @abstractmethod
    def reset(self) -> None:
        """Forget all that was read and not committed: the assignment changed or the log went back."""

    @abstractmethod
    def handle(self, batch: Batch) -> None:
        """Take the batch and commit when it is time to; errors as `Log.commit` and `Decide`."""

    @abstractmethod
    def flush(self) -> None:
        """Commit all that was read, now: a drain has reached the end, or the run stops."""

    @property
    def rules(self) -> str:
        """The version of the rule set that judges the next record; empty where nothing is judged."""
        return ""

    @property
    def coming(self) -> str:
        """The version that will judge once it is made ready, and how far that is; empty when none waits."""
        return ""

    def ready(self) -> bool:
        """Whether the outside answers again; asked every few seconds while the stage is paused."""
        return True

    def close(self) -> None:  # noqa: B027 - a handler without clients has nothing to do
        """Release clients; the default has none."""

    def _commit(
        self,
        outputs: Iterable[Outgoing],
        positions: Mapping[Partition, Position],
        counts: Mapping[Partition, int],
        outcomes: Callable[[], Mapping[str, int]],
    ) -> None:
        """`outcomes` is asked when the last output was taken; until then records may still be decided about."""
        ends = {partition: position.offset for partition, position in positions.items()}
        tally: dict[str, int] = {}

        def written() -> Iterator[Outgoing]:
            yield from outputs
            tally.update(outcomes())
            yield self._scribe.ledger_record(self._scribe.entry(self._log.committed, ends, counts, tally))

        try:
            self._log.commit(written(), positions)
        except OutputRefused as refusal:
            self._require_foreign(refusal)
            raise
        self.totals.update(tally)

    def _require_foreign(self, refusal: OutputRefused) -> None:
        """A stage's output can become a dead letter; a dead letter has nothing to become, nor has what it remembers."""
        own = sorted({output.topic for output in refusal.refused if self._scribe.is_own(output.topic)})
        if own:
            raise _own_record_refused(own[0], refusal) from None


class Transformer(Handler):
    """Decide about each batch, then commit its outputs, dead letters, ledger entry and offsets as one."""

    IDLE_COMMIT_S = 1.0

    def __init__(
        self,
        log: Log,
        scribe: Scribe,
        decide: Decide,
        *,
        clock: Callable[[], float],
        ready: Callable[[], bool] = lambda: True,
        close: Callable[[], None] = lambda: None,
        streams: bool = False,
        state: State | None = None,
        rules: Callable[[], str] = lambda: "",
        coming: Callable[[], str] = lambda: "",
    ) -> None:
        """`streams`: `decide` asks nobody, so outputs may be on their way while later records are decided about.

        `state`: what `decide` remembers; its changes are part of the transaction. `rules`, `coming`: see `Handler`.
        """
        super().__init__(log, scribe)
        self._decide = decide
        self._clock = clock
        self._ready = ready
        self._close = close
        self._streams = streams
        self._state = state or Stateless()
        self._rules, self._coming = rules, coming
        self._moved: dict[Partition, int] = {}
        self._committed_at = clock()

    @property
    def rules(self) -> str:
        """See `Handler.rules`."""
        return self._rules()

    @property
    def coming(self) -> str:
        """See `Handler.coming`."""
        return self._coming()

    def reset(self) -> None:
        """See `Handler.reset`; raises as `State.own`."""
        self._moved = {p: c.offset for p, c in self._log.committed.items() if not c.confirmed}
        self._state.own(self._log.committed)

    def handle(self, batch: Batch) -> None:
        """Commit a batch with records at once, and what no record asks for at most once a second."""
        records = batch.records
        while len(records) > (most := self._state.most_records):
            self._moved.update({Partition(r.topic, r.partition): r.offset + 1 for r in records[:most]})
            self._transact(records[:most])
            records = records[most:]
        self._moved.update(
            {
                partition: offset
                for partition, offset in batch.positions.items()
                if offset > self._log.committed[partition].offset
            }
        )
        if records:
            self._transact(records)
        elif self._clock() - self._committed_at >= self.IDLE_COMMIT_S:
            self.flush()
        self._state.tend()

    def flush(self) -> None:
        """Commit the last bare progress, and what is changed without a record."""
        if self._moved or (self._state.is_behind and self._log.committed):
            self._transact([])

    def ready(self) -> bool:
        """See `Handler.ready`; raises as `State.restore`."""
        self._state.restore()
        return self._ready()

    def close(self) -> None:
        """See `Handler.close`."""
        self._state.close()
        self._close()

    def _transact(self, records: Sequence[Record]) -> None:
        moved = self._moved or {partition: at.offset for partition, at in self._log.committed.items()}
        positions = {partition: Position(offset) for partition, offset in moved.items()}
        counts = count_by_partition(records)
        outcomes: list[Outcome] = []
        outputs: Iterable[Outgoing] = self._decided(records, outcomes)
        if not self._streams:
            outputs = list(outputs)  # outside calls come before the transaction
        while True:
            try:
                self._commit(chain(outputs, self._state.changes()), positions, counts, partial(_tally, outcomes))
            except OutputRefused as refusal:
                outcomes = _without(outcomes, refusal)
                outputs = self._again(records, outcomes)
            else:
                break
        self._state.keep(positions)
        self._moved = {}
        self._committed_at = self._clock()

    def _decided(
        self, records: Sequence[Record], outcomes: list[Outcome], known: Mapping[int, Outcome] = _NONE_KNOWN
    ) -> Iterator[Outgoing]:
        """The outputs, part by part; what they follow from is added to `outcomes`. Records in `known` are decided."""
        step = PART_RECORDS if self._streams else len(records)
        for start in range(0, len(records), step or 1):
            part = records[start : start + step]
            decided = self._decide_others(part, start, known) if known else self._decide(part)
            outcomes += decided
            yield from self._scribe.outputs(part, decided)

    def _decide_others(self, part: Sequence[Record], start: int, known: Mapping[int, Outcome]) -> list[Outcome]:
        places = range(start, start + len(part))
        fresh = iter(self._decide([record for n, record in zip(places, part, strict=True) if n not in known]))
        return [known[n] if n in known else next(fresh) for n in places]

    def _again(self, records: Sequence[Record], outcomes: list[Outcome]) -> Iterable[Outgoing]:
        """The outputs once more, now that some of the outcomes have become dead letters.

        What is remembered may follow from these, so a stage with a memory decides about the others again.
        """
        if isinstance(self._state, Stateless):
            return self._scribe.outputs(records, outcomes)
        self._state.drop()
        known = {n: outcome for n, outcome in enumerate(outcomes) if outcome.rejected is not None}
        outcomes.clear()
        return self._decided(records, outcomes, known)


def _tally(outcomes: Iterable[Outcome]) -> Counter[str]:
    return Counter(map(_NAME, outcomes))


def _own_record_refused(topic: str, refusal: OutputRefused) -> FraudPlatformError:
    """Nothing can stand in the place of a ledger record or a dead letter: wait for the clock, or for a person."""
    if refusal.by_timestamp:
        return BrokerUnavailable(
            f"Kafka refuses the time of our record for {topic}; a clock of this machine that is more than an hour"
            " ahead of the broker's would be the reason."
        )
    return ConfigurationError(
        f"Kafka refuses our record for {topic} ({refusal.reason}): the topic must take {_OWN_BYTES} bytes"
        " (max.message.bytes); change its configuration."
    )


def _without(outcomes: Sequence[Outcome], refusal: OutputRefused) -> list[Outcome]:
    """Dead letters in place of the outcomes whose outputs the broker refuses."""
    refused = {(output.topic, output.key, output.value) for output in refusal.refused}

    def is_refused(outcome: Outcome) -> bool:
        return any((output.topic, output.key, output.value) in refused for output in outcome.outputs)

    replacement = dead(Rejected("output-refused", refusal.reason))
    return [replacement if is_refused(outcome) else outcome for outcome in outcomes]
