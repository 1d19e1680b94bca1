"""A replay of lines over no broker, whose stored decisions a test puts in."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

import msgspec

from fraud_platform.core.decisions import Action, Decision, Hit, NotEvaluable
from fraud_platform.core.outcome import Record
from fraud_platform.replay.book import Book
from fraud_platform.replay.cases import Lines
from fraud_platform.replay.memory import Memory
from fraud_platform.replay.session import Rules, Session
from fraud_platform.replay.tally import Tally
from fraud_platform.rules.criterion import PARTIAL
from fraud_platform.rules.engine import Engine
from fraud_platform.rules.past import Past, part_of
from tests.builders import NOON, raw_line
from tests.rules.building import engine, rule

LARGE = engine(rule("HIGH_TRANSACTION_AMOUNT", "at_least: 1000", id="large"))
THIRD = engine(rule("WINDOW_AGGREGATE", "function: COUNT, window: 2h, at_least: 3", id="third"))
DAY_MS = 24 * 3_600_000


class Bench:
    """A session whose stored decisions a test puts in."""

    def __init__(
        self,
        fixed: Engine | None = None,
        *,
        whole: bool = True,
        hears_from_ms: int = 0,
        live: int = 100,
        dated: tuple[int, int] = (0, 2**63),
        labelled: Sequence[int] | None = None,
    ) -> None:
        """`labelled`: the marks of what is fraud."""
        self.tally = Tally(is_other=fixed is not None, excuses=not whole or fixed is not None, fraud=labelled)
        self.book = Book()
        self.memory = Memory({0} if whole else (), live=live)
        engines = {each.rule_set.version: each for each in (LARGE, THIRD)}
        self.looked: list[str] = []
        self.session = Session(
            Lines(self.memory, lambda _: 0, self.fill), Rules(fixed, engines.get, LARGE), self.tally, self.book,
            look=self.look, hears_from_ms=hears_from_ms, dead={0: {99}}, dated=dated,
        )  # fmt: skip
        self.late: list[tuple[int, Decision]] = []
        self.offset = 0
        self.records: list[Record] = []
        self.past_begins_ms: int | None = None

    def hear(self, at_ms: int, decision: Decision) -> None:
        self.session.hear(decision.transaction_id, at_ms, decision)

    def fill(self, partition: int, offset: int, engine: Engine, missing: Collection[int]) -> Past | None:
        """The windows that are new at a switch, from the lines before it."""
        if not missing:
            return None
        past = Past(part_of(engine.layout, missing), begins_ms=self.past_begins_ms)
        for record in self.records:
            if record.offset < offset:
                past.take(record)
        return past

    def look(self, name: str, at_ms: int) -> Decision | None:
        self.looked.append(name)
        while self.late:
            self.hear(*self.late.pop(0))
        return self.book.take(name, at_ms)

    def line(
        self, name: str, minutes: float = 0, amount: str = "5", *, counts: bool = True, partition: int = 0,
        offset: int | None = None, **changes: str,
    ) -> None:  # fmt: skip
        ms = NOON + int(minutes * 60_000)
        at = datetime.fromtimestamp(ms / 1000, UTC).isoformat()
        value = raw_line(name, transactionTimestamp=at, withdrawalAmount=amount, **changes)
        self.records.append(Record("in", partition, offset or self.offset, ms, None, value))
        self.session.take(self.records[-1], counts=counts)
        self.offset += 1

    def finished(self) -> Tally:
        self.session.close()
        self.session.finish()
        return self.tally


def stored(name: str, by: Engine = LARGE, action: Action = Action.ALLOW, unclear: Sequence[str] = ()) -> Decision:
    """A decision without hits; of the rules in `unclear` it says that their window is partial."""
    open_rules = tuple(NotEvaluable(each, PARTIAL.reason) for each in unclear)
    return Decision(transaction_id=name, action=action, rule_set_version=by.rule_set.version, not_evaluable=open_rules)


def third(name: str, count: int) -> Decision:
    """A decision that the rule of that name hits: so many within its window."""
    hit = Hit(
        rule_id="third", criterion="WINDOW_AGGREGATE", observed=str(count), limit="3", window="PT2H",
        contributing_count=count, action=Action.REVIEW,
    )  # fmt: skip
    return msgspec.structs.replace(stored(name, THIRD, Action.REVIEW), hits=(hit,))


def ms(minutes: float) -> int:
    return NOON + int(minutes * 60_000)
