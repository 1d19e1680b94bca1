"""Records of the raw log -> what the engine is asked, stage by stage, as the stage itself would."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from typing import Any

import msgspec

from fraud_platform.core.outcome import Record, Rejected
from fraud_platform.core.questions import Question, facts_of
from fraud_platform.core.statement import canonical_key, parse_statement, time_fault
from fraud_platform.replay.memory import Memory
from fraud_platform.rules.account import Layout
from fraud_platform.rules.engine import Engine, Judgement
from fraud_platform.rules.event import Event
from fraud_platform.rules.events import event_of_question, event_of_statement
from fraud_platform.rules.past import Past

REKEYED, DEAD, DUPLICATE = "rekeyed", "dead-lettered", "duplicate"
"""What a record may be when the engine does not judge it."""

Fill = Callable[[int, int, Engine, Collection[int]], Past | None]
"""Told from which offset of a partition an engine judges, and which windows it has that the one before had not."""

Decode = Callable[[bytes | None], dict[str, Any] | Rejected]


class Case(msgspec.Struct, frozen=True, gc=False):
    """One record that the stage judges; `key` is its account's, empty where no history is kept."""

    transaction_id: str
    partition: int
    at_ms: int
    event: Event
    key: bytes = b""
    offset: int = 0


class Cases(ABC):
    """How one stage reads and judges its input."""

    @abstractmethod
    def read(self, record: Record) -> Case | str:
        """The case, or why the stage does not judge the record."""

    @abstractmethod
    def judge(self, case: Case, engine: Engine) -> Judgement:
        """Judge it, and remember it."""

    @abstractmethod
    def is_repeat(self, case: Case) -> bool:
        """Whether it is a duplicate whatever the rules are; changes nothing."""

    @abstractmethod
    def may_repeat(self, case: Case) -> bool:
        """Whether it may be a duplicate of what is not remembered; changes nothing."""


class Lines(Cases):
    """Statement lines as monitoring reads them."""

    def __init__(self, memory: Memory, place: Callable[[bytes], int], fill: Fill) -> None:
        """`place` tells the partition on which a key belongs."""
        self._memory = memory
        self._place = place
        self._fill = fill
        self._layouts: dict[int, Layout] = {}

    def read(self, record: Record) -> Case | str:
        """See `Cases.read`."""
        self._memory.begin(record.partition, record.timestamp_ms)
        statement = parse_statement(record.value)
        if isinstance(statement, Rejected):
            return DEAD
        key = canonical_key(statement.account_number, statement.bank_id)
        if self._place(key) != record.partition:
            return REKEYED
        event, at_ms = event_of_statement(statement), record.timestamp_ms
        # Reckoning an event time anew is dear, and a line is hardly ever ahead of its record.
        if (event.at is None or event.at > at_ms * 1000) and time_fault(statement, at_ms) is not None:
            return DEAD
        return Case(event.transaction_id, record.partition, at_ms, event, key, record.offset)

    def is_repeat(self, case: Case) -> bool:
        """See `Cases.is_repeat`."""
        account = self._memory.peek(case.key)
        return account is not None and case.event.at is not None and account.knows(case.transaction_id, case.event.at)

    def may_repeat(self, case: Case) -> bool:
        """See `Cases.may_repeat`."""
        return case.event.at is not None and self._memory.may_repeat(case.partition, case.key, case.event.at)

    def judge(self, case: Case, engine: Engine) -> Judgement:
        """See `Cases.judge`."""
        layout = engine.layout
        if layout is not self._layouts.get(case.partition):
            self._switch(case, engine)
        account = self._memory.find(case.partition, case.key, case.at_ms, layout)
        state = account.state
        if account.layout is not layout or state is None:
            if account.layout is not layout and self.is_repeat(case):
                return Judgement(None)  # what changes nothing must not bring the account's windows to another rule set
            state = account.under(layout)
        judgement = engine.judge(case.event, state)
        if judgement.decision is not None:
            self._memory.touch(case.partition, account)
        return judgement

    def _switch(self, case: Case, engine: Engine) -> None:
        layout, before = engine.layout, self._layouts.get(case.partition)
        self._layouts[case.partition] = layout
        missing = frozenset(layout.ids).difference(before.ids if before is not None else layout.ids)
        past = self._fill(case.partition, case.offset, engine, missing)
        if past is not None:
            self._memory.fill(case.partition, layout, past)


class Transfers(Cases):
    """Transfers without a verdict as validation and its validator read them; nothing is remembered of them."""

    def __init__(self, decode: Decode, question: Callable[[Mapping[str, Any]], Question]) -> None:
        self._decode = decode
        self._question = question

    def read(self, record: Record) -> Case | str:
        """See `Cases.read`."""
        transaction = self._decode(record.value)
        if isinstance(transaction, Rejected):
            return DEAD
        facts = facts_of(self._question(transaction))
        if isinstance(facts, Rejected):
            return DEAD
        return Case(facts.transaction_id, record.partition, record.timestamp_ms, event_of_question(facts))

    def judge(self, case: Case, engine: Engine) -> Judgement:
        """See `Cases.judge`."""
        return msgspec.structs.replace(engine.judge(case.event), may_repeat=False)

    def is_repeat(self, _: Case) -> bool:
        """See `Cases.is_repeat`; validation judges each record."""
        return False

    def may_repeat(self, _: Case) -> bool:
        """See `Cases.may_repeat`; validation judges each record."""
        return False
