"""One stage's records in order, and the stored decisions as they come: which rules judge what, and what is compared.

Pure: whoever reads the topics gives records to `take` and stored decisions to `hear`.
"""

from collections.abc import Callable, Container, Mapping

from fraud_platform.core.decisions import Action, Decision
from fraud_platform.core.outcome import Record
from fraud_platform.replay.book import Book, Replayed
from fraud_platform.replay.cases import DEAD, DUPLICATE, Case, Cases
from fraud_platform.replay.compare import is_same
from fraud_platform.replay.tally import OLD, REPEATS, UNKNOWN, Tally
from fraud_platform.rules.engine import Engine, Judgement
from fraud_platform.rules.event import scaled

Look = Callable[[str, int], Decision | None]
"""Reads stored decisions on until that of this id and time is found, or certainly behind; they are heard on the way."""


class Rules:
    """Which engine judges: one for all, or that of the version which made each stored decision.

    A record without a stored decision is judged by the rules that its partition was judged by last.
    """

    def __init__(self, fixed: Engine | None, by_version: Callable[[str], Engine | None], first: Engine) -> None:
        """`by_version` gives None for rules that are not known here; `first` judges until a version is heard of."""
        self.fixed = fixed
        self._by_version = by_version
        self._first = first
        self._last: dict[int, Engine] = {}

    def of(self, partition: int, stored: Decision | None) -> Engine | None:
        """The engine for a record of the partition; None = its stored decision is by rules that nobody knows here."""
        if self.fixed is not None:
            return self.fixed
        if stored is None:
            return self.last(partition)
        found = self._by_version(stored.rule_set_version)
        if found is not None:
            self._last[partition] = found
        return found

    def last(self, partition: int) -> Engine:
        """The engine that the partition was judged by last."""
        return self._last.get(partition, self._first)


class Session:
    """See the module. `hears_from_ms`: decisions of older records were not read."""

    def __init__(
        self, cases: Cases, rules: Rules, tally: Tally, book: Book, *, look: Look, hears_from_ms: int = 0,
        dead: Mapping[int, Container[int]] | None = None, dated: tuple[int, int] = (0, 2**63),
    ) -> None:  # fmt: skip
        """`dead`: by partition, the offsets of records that the stage made dead letters of.

        `dated`: Kafka time of the range, half-open; decisions from elsewhere that nothing waits for say nothing.
        """
        self._cases, self._rules, self._tally, self._book = cases, rules, tally, book
        self._look = look
        self._hears_from_ms = hears_from_ms
        self._dead = dead or {}
        self._dated = dated
        self._duplicates: set[tuple[str, int]] = set()
        self._crossed: dict[tuple[str, int], list[tuple[Replayed, Decision]]] = {}
        self._is_closed = False
        self._is_brief = not tally.has_labels
        self._clear: Decision | None = None
        self._engine: Engine | None = None

    def take(self, record: Record, *, counts: bool = True) -> None:
        """The next record of its partition; one before the range does not count, it only leaves its traces."""
        is_dead = self._dead and record.offset in self._dead.get(record.partition, ())
        case = DEAD if is_dead else self._cases.read(record)
        if isinstance(case, str):
            if counts:
                self._tally.skip(case)
            return
        hears = case.at_ms >= self._hears_from_ms
        stored = self._stored(case) if hears else None
        if stored is None and hears and self._cases.may_repeat(case):
            # It was judged if it was new. What lies before the log is not known; it is in no window, as it was in none.
            if counts:
                self._tally.not_compared[REPEATS] += 1
            return
        engine = self._rules.of(case.partition, stored)
        if engine is not None and engine is not self._engine:
            self._engine = engine
            self._tally.uses(engine.rule_set.version, frozenset(rule.id for rule in engine.rule_set.enabled))
        judgement = self._cases.judge(case, engine or self._rules.last(case.partition))
        if counts:
            self._count(case, judgement, stored, is_known=engine is not None, hears=hears)
        elif hears and stored is None and judgement.decision is not None:
            self._book.wait(case.transaction_id, case.at_ms, None)

    def hear(self, transaction_id: str, at_ms: int, decision: Decision) -> None:
        """The next stored decision of the stage, with its Kafka timestamp."""
        if self._is_closed and not self._book.awaits(transaction_id):
            self._lonely(transaction_id, at_ms)
            return
        replayed = self._book.store(transaction_id, at_ms, decision)
        if replayed is not None:
            self._compare(replayed, decision)

    def close(self) -> None:
        """No record will come any more; decisions that nothing waits for are not kept from here on."""
        self._is_closed = True
        self._book.close()

    def finish(self) -> None:
        """No record and no decision will come any more."""
        for name, at_ms, replayed, decision in self._book.leftovers():
            if replayed is not None and decision is not None:
                self._compare(replayed, decision)
            elif replayed is not None:
                self._tally.undecided(replayed)
            elif decision is not None:
                self._lonely(name, at_ms)
        self._uncross()
        self._tally.settle()

    def _compare(self, replayed: Replayed, stored: Decision) -> None:
        """Accounts may share an id and a millisecond: what differs by the same rules may belong to another of them."""
        if stored.rule_set_version == replayed.decision.rule_set_version and not is_same(stored, replayed.decision):
            self._crossed.setdefault((replayed.transaction_id, replayed.at_ms), []).append((replayed, stored))
        else:
            self._tally.compare(replayed, stored)

    def _uncross(self) -> None:
        for pairs in self._crossed.values():
            stored = [each for _, each in pairs]
            for replayed, own in pairs:
                same = next((each for each in stored if is_same(each, replayed.decision)), None)
                chosen = same or next((each for each in stored if each is own), stored[0])
                stored.remove(chosen)
                self._tally.compare(replayed, chosen)

    def _lonely(self, transaction_id: str, at_ms: int) -> None:
        """A stored decision whose record was not judged."""
        if (transaction_id, at_ms) in self._duplicates:
            self._tally.twice.count += 1
            self._tally.twice.name(transaction_id)
        elif self._dated[0] <= at_ms < self._dated[1]:
            self._tally.outside += 1

    def _stored(self, case: Case) -> Decision | None:
        found = self._book.take(case.transaction_id, case.at_ms)
        if found is not None or (self._rules.fixed is not None and not self._cases.may_repeat(case)):
            return found
        return None if self._cases.is_repeat(case) else self._look(case.transaction_id, case.at_ms)

    def _count(self, case: Case, judgement: Judgement, stored: Decision | None, *, is_known: bool, hears: bool) -> None:
        name, at_ms, tally, decision = case.transaction_id, case.at_ms, self._tally, judgement.decision
        if stored is not None and decision is not None and is_known and self._is_clear(stored, decision):
            tally.clear(case.event.at, stored.rule_set_version)
            return
        if decision is None:
            tally.skip(DUPLICATE)
            if stored is not None:
                self._book.store(name, at_ms, stored)
            self._duplicates.add((name, at_ms))
            return
        amount = case.event.amount
        units = None if amount is None else scaled(amount)
        replayed = Replayed(name, at_ms, units, decision, judgement.may_repeat)
        if not is_known:
            tally.not_compared[UNKNOWN] += 1
            return
        tally.judged(replayed, case.event.at)
        if stored is not None:
            self._compare(replayed, stored)
        elif hears:
            self._book.wait(name, at_ms, replayed)
        else:
            tally.not_compared[OLD] += 1

    def _is_clear(self, before: Decision, now: Decision) -> bool:
        """Whether both say nothing but ALLOW and no label is asked for; most do, and most of these are one object."""
        if now.hits or now.not_evaluable or not self._is_brief:
            return False
        if before is not self._clear and _says_nothing(before):
            self._clear = before
        return before is self._clear


def _says_nothing(decision: Decision) -> bool:
    return not decision.hits and not decision.not_evaluable and decision.action is Action.ALLOW
