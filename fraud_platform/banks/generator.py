"""Transfers between the demo banks' customers, each with its statement lines and the truth about it.

Pure: the same population, mix, run and times give the same bytes. The bank's verdict (`evaluation`) is
drawn first; what really happens follows from it, so that the mix is honoured exactly.
"""

import random
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import msgspec

from fraud_platform.banks.mix import DEFAULT_MIX, Weighted
from fraud_platform.banks.population import Customer, Population
from fraud_platform.banks.rest import Rest
from fraud_platform.banks.statement_lines import Line, StatementLines
from fraud_platform.core.evaluation import FRAUDULENT, UNIDENTIFIED

RUN_BITS = 72
_RARE_SHARE = 0.003
_CHOICES = 10
"""So often somebody else is looked for while a customer rests; at a high rate everybody does."""
_STATUSES = {"completed": 0.92, "pending": 0.07, "reversed": 0.01}


class Scenario(StrEnum):
    """What really happens in a transfer; all but the first are fraud."""

    LEGITIMATE = "legitimate"
    MULE_ACCOUNT = "mule-account"
    """Money for an account on the watch list."""
    LARGE_AMOUNT = "large-amount"
    """10,000 or more to a stranger."""
    ACCOUNT_TAKEOVER = "account-takeover"
    """A burst of middling amounts from one victim to one accomplice: no rule on a single transfer sees it."""


SCENARIOS: Mapping[Scenario, float] = {
    Scenario.MULE_ACCOUNT: 0.45,
    Scenario.LARGE_AMOUNT: 0.45,
    Scenario.ACCOUNT_TAKEOVER: 0.10,
}


class Transfer(NamedTuple):
    """One transfer as its bank sends it: Kafka key and JSON value, its label, what it was, and its statement lines.

    `labelled_lines` holds the line of each side with the label of that line.
    """

    key: bytes
    value: bytes
    transaction_id: bytes
    label: bytes
    evaluation: str
    scenario: Scenario
    labelled_lines: tuple[tuple[Line, bytes], ...]


class _Plan(NamedTuple):
    """Who pays whom how many cents."""

    sender: Customer
    receiver: Customer
    cents: int
    scenario: Scenario


class TransferGenerator:
    """Makes one transfer after the other.

    Args:
        population: who sends and receives.
        mix: weight per `evaluation`; a verdict of `fraudulent` always is fraud, `unidentified` is with
            `fraud_share`, any other never.
        run: identifies the run; ids of two runs never meet, equal runs give equal transfers.
        fraud_share: in [0, 1].
        rest_s: seconds for which a customer who has paid or was paid is left alone, bursts of fraud and mules apart.
    """

    def __init__(
        self,
        population: Population,
        mix: Mapping[str, float] = DEFAULT_MIX,
        *,
        run: int,
        fraud_share: float = 0.06,
        rest_s: float = 0.0,
    ) -> None:
        self._people = population
        self._random = random.Random(f"transfers {population.seed} {run}")
        self._statements = StatementLines(f"{population.seed} {run}")
        self._evaluations = Weighted({(value, msgspec.json.encode(value)): weight for value, weight in mix.items()})
        self._statuses = Weighted({msgspec.json.encode(name): weight for name, weight in _STATUSES.items()})
        self._scenarios = Weighted(SCENARIOS)
        self._fraud_share = {FRAUDULENT: 1.0, UNIDENTIFIED: fraud_share}
        self._burst: list[_Plan] = []
        self._rest = Rest(rest_s)
        self._prefix = _id_prefix(run)
        self._number = 0
        self._last_time: tuple[datetime | None, bytes] = (None, b"")

    def next(self, at: datetime) -> Transfer:
        """The next transfer, made at `at` (aware UTC)."""
        (evaluation, encoded) = self._evaluations.pick(self._random.random())
        self._rest.now = at.timestamp()
        plan = self._plan(self._random.random() < self._fraud_share.get(evaluation, 0.0))
        self._rest.begin(plan.sender.key)
        self._rest.begin(plan.receiver.key)
        transaction_id = b"%b%012x" % (self._prefix, self._number)
        self._number += 1
        when = self._written(at)
        value = (
            b'{"transaction_id":"%b",%b,%b,"amount":%d.%02d,"status":%b,"evaluation":%b,"transfer_date":"%b",%b}'
            % (
                transaction_id,
                plan.sender.as_sender,
                plan.receiver.as_receiver,
                plan.cents // 100,
                plan.cents % 100,
                self._statuses.pick(self._random.random()),
                encoded,
                when,
                plan.sender.at_bank,
            )
        )
        label = _label(transaction_id, plan.scenario, when)
        lines = self._labelled_lines(transaction_id, plan, when)
        return Transfer(plan.sender.key, value, transaction_id, label, evaluation, plan.scenario, lines)

    def _labelled_lines(self, transaction_id: bytes, plan: _Plan, when: bytes) -> tuple[tuple[Line, bytes], ...]:
        is_fraud = plan.scenario is not Scenario.LEGITIMATE
        lines = self._statements.of(transaction_id, plan.sender, plan.receiver, plan.cents, when, is_fraud=is_fraud)
        return tuple((line, _label(line.transaction_id, plan.scenario, when)) for line in lines)

    def _written(self, at: datetime) -> bytes:
        # A loop at full speed gives many transfers one time; writing it out is a tenth of all the work.
        if at is not self._last_time[0]:
            text = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            self._last_time = (at, text.encode())
        return self._last_time[1]

    def _plan(self, fraud: bool) -> _Plan:
        if not fraud:
            return self._legitimate()
        if self._burst:
            return self._burst.pop()
        scenario = self._scenarios.pick(self._random.random())
        if scenario is Scenario.MULE_ACCOUNT:
            mule = self._people.mules[int(self._random.random() * len(self._people.mules))]
            return _Plan(self._customer(), mule, self._cents(median=400), scenario)
        if scenario is Scenario.LARGE_AMOUNT:
            return _Plan(*self._pair(), 1_000_000 + self._cents(median=3_000), scenario)
        return self._takeover()

    def _takeover(self) -> _Plan:
        victim, accomplice = self._pair()
        amounts = [self._random.randint(90_000, 490_000) for _ in range(self._random.randint(3, 6))]
        self._burst = [_Plan(victim, accomplice, cents, Scenario.ACCOUNT_TAKEOVER) for cents in amounts]
        return self._burst.pop()

    def _legitimate(self) -> _Plan:
        # Now and then an honest customer buys a car: the amount rule hits, and the label says it was wrong.
        rare = self._random.random() < _RARE_SHARE
        return _Plan(*self._pair(), self._cents(median=12_000 if rare else 60), Scenario.LEGITIMATE)

    def _cents(self, median: float) -> int:
        """A log-normal amount, at least one cent; one in 20 is above ten times the median."""
        return max(1, int(median * 100 * self._random.lognormvariate(0.0, 1.4)))

    def _customer(self) -> Customer:
        customers = self._people.customers
        for _ in range(_CHOICES):
            # The square makes some customers much busier than others, as in any bank.
            chosen = customers[int(self._random.random() ** 2 * len(customers))]
            if not self._rest.holds(chosen.key):
                break
        return chosen

    def _pair(self) -> tuple[Customer, Customer]:
        sender, receiver = self._customer(), self._customer()
        while receiver is sender:
            receiver = self._customer()
        return sender, receiver


def _id_prefix(run: int) -> bytes:
    """The run as the first 18 free digits of a UUID (version 4 in shape); a counter fills the last 12."""
    digits = f"{run % 2**RUN_BITS:018x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[12:15]}-8{digits[15:]}-".encode()


def _label(transaction_id: bytes, scenario: Scenario, when: bytes) -> bytes:
    is_fraud = b"false" if scenario is Scenario.LEGITIMATE else b"true"
    return b'{"transaction_id":"%b","is_fraud":%b,"source":"demo-banks/%b","labelled_at":"%b"}' % (
        transaction_id,
        is_fraud,
        scenario.encode(),
        when,
    )
