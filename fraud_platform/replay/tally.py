"""What a replay found, counted as it goes: memory grows with the number of rules and of hits, not of records."""

from collections import Counter
from collections.abc import Collection, Container, Iterable, Mapping

from fraud_platform.core.decisions import Decision
from fraud_platform.replay.book import Replayed
from fraud_platform.replay.compare import has_same_outcome, is_by_history, is_same
from fraud_platform.replay.span import Span
from fraud_platform.rules.window import mark

EXAMPLES = 5

HISTORY = "a window that is not whole here, or was not when it was decided"
REPEATS = "no stored decision; it may repeat one from before the warm-up"
UNKNOWN = "decided by rules that are not known here"
SWITCHED = "its stored decision was found too late to know its rules"
UNREADABLE = "what lies among the stored decisions is none that can be read"
OLD = "older than the stored decisions that were read"


class Pile:
    """Transactions of one kind: how many, their money in units of 1e-9, the ids of the first."""

    __slots__ = ("count", "examples", "units")

    def __init__(self) -> None:
        self.count = self.units = 0
        self.examples: list[str] = []

    def add(self, replayed: Replayed) -> None:
        """Count one."""
        self.count += 1
        self.units += replayed.amount or 0
        self.name(replayed.transaction_id)

    def name(self, transaction_id: str) -> None:
        """Keep the id, if it is one of the first."""
        if len(self.examples) < EXAMPLES:
            self.examples.append(transaction_id)


class RuleTally:
    """One rule: what it hits now, newly and no longer, what it says otherwise, where it is not evaluable.

    `open_fraud` of the latter are labelled fraud.
    """

    def __init__(self) -> None:
        self.hits, self.newly, self.gone, self.otherwise = Pile(), Pile(), Pile(), Pile()
        self.open = self.open_before = self.open_fraud = 0
        self.fraud = self.legitimate = 0


class Tally:
    """Everything of one stage. `fraud` holds the marks of transactions that a label calls fraud; None = no back-test.

    `is_other`: the rules of the replay are others than the stored decisions may have; `excuses`: a window that is not
    whole may make a difference that is none of the rules.
    """

    def __init__(self, *, is_other: bool = False, excuses: bool = False, fraud: Container[int] | None = None) -> None:
        self._is_other, self._excuses, self._fraud = is_other, excuses, fraud
        self.outcomes: Counter[str] = Counter()
        self.not_compared: Counter[str] = Counter()
        self.stored_versions: Counter[str] = Counter()
        self.identical = self.outside = 0
        self.different, self.missing, self.twice = Pile(), Pile(), Pile()
        self.changed, self.reworded = Pile(), Pile()
        self.moves: dict[tuple[str, str], Pile] = {}
        self.rules: dict[str, RuleTally] = {}
        self.flagged, self.flagged_fraud, self.flagged_legitimate = Pile(), 0, 0
        self.before, self.before_fraud, self.before_legitimate = Pile(), 0, 0
        self.hit: dict[int, list[tuple[tuple[str, ...], bool]]] = {}
        self.flagged_before: Counter[int] = Counter()
        self._spans: dict[str, Span] = {}
        self._positives: Counter[str] = Counter()
        self._in_force: dict[str, Collection[str]] = {}
        self.clears = 0
        self._clear_versions: dict[str, int] = {}

    def uses(self, version: str, rules: Collection[str]) -> None:
        """These rules are in force by this version."""
        self._in_force[version] = rules

    # As it goes ----------------------------------------------------------------------------------------

    def skip(self, outcome: str) -> None:
        """A record that is not judged."""
        self.outcomes[outcome] += 1

    def clear(self, at: int | None, version: str) -> None:
        """A record that no rule hits and that was decided so by this version: `judged` and `compare` in short."""
        self.clears += 1
        self._span(version).add(at)
        self._clear_versions[version] = self._clear_versions.get(version, 0) + 1

    @property
    def has_labels(self) -> bool:
        """Whether every judged transaction is looked up."""
        return self._fraud is not None

    def judged(self, replayed: Replayed, at: int | None) -> None:
        """A record that is; `at` = its event time in microseconds."""
        self.outcomes["judged"] += 1
        decision = replayed.decision
        self._span(decision.rule_set_version).add(at)
        if decision.is_fraudulent:
            self.flagged.add(replayed)
        for hit in decision.hits:
            self._rule(hit.rule_id).hits.add(replayed)
        for each in decision.not_evaluable:
            self._rule(each.rule_id).open += 1
        if self._fraud is not None:
            self._label(replayed, self._fraud)

    def compare(self, replayed: Replayed, stored: Decision) -> None:
        """A record and its stored decision."""
        now = replayed.decision
        self.stored_versions[stored.rule_set_version] += 1
        for each in stored.not_evaluable:
            self._rule(each.rule_id).open_before += 1
        if stored.is_fraudulent:
            self.before.add(replayed)
            if self.has_labels:
                self.flagged_before[mark(replayed.transaction_id)] += 1
        if is_same(stored, now):
            self.identical += 1
        elif self._excuses and is_by_history(stored, now):
            self.not_compared[HISTORY] += 1
        elif stored.rule_set_version == now.rule_set_version:
            self.different.add(replayed)
            self._turned(replayed, stored)
        elif self._is_other:
            (self.reworded if has_same_outcome(stored, now) else self.changed).add(replayed)
            self._turned(replayed, stored)
        else:
            self.not_compared[SWITCHED] += 1

    def undecided(self, replayed: Replayed) -> None:
        """A record that is judged here and has no stored decision."""
        if replayed.may_repeat:
            self.not_compared[REPEATS] += 1
        else:
            self.missing.add(replayed)

    def labelled(self, labels: Mapping[int, bool]) -> None:
        """What the labels say of the hits, now and before, by the mark of the transaction."""
        for identity, count in self.flagged_before.items():
            is_fraud = labels.get(identity)
            self.before_fraud += count * (is_fraud is True)
            self.before_legitimate += count * (is_fraud is False)
        for identity, hits in self.hit.items():
            is_fraud = labels.get(identity)
            if is_fraud is None:
                continue
            for rules, is_flagged in hits:
                for rule in rules:
                    tally = self.rules[rule]
                    tally.fraud, tally.legitimate = tally.fraud + is_fraud, tally.legitimate + (not is_fraud)
                self.flagged_fraud += is_flagged and is_fraud
                self.flagged_legitimate += is_flagged and not is_fraud

    @property
    def asked(self) -> Container[int]:
        """The marks of the transactions whose labels matter."""
        return self.hit.keys() | self.flagged_before.keys()

    @property
    def is_forecast(self) -> bool:
        """Whether other rules judge than those that decided."""
        return self._is_other

    def settle(self) -> None:
        """Count what was counted in short with the rest; once, at the end."""
        if self.clears:
            self.outcomes["judged"] += self.clears
            self.identical += self.clears
            self.stored_versions.update(self._clear_versions)

    @property
    def days(self) -> float:
        """How many days the judged transactions fill, see `Span.days`."""
        return Span.of(self._spans.values()).days

    @property
    def positives(self) -> int:
        """How many of them are labelled fraud."""
        return self._positives.total()

    def days_of(self, rule_id: str) -> float:
        """As `days`, of those that were judged while the rule was in force."""
        return Span.of(span for version, span in self._spans.items() if self._has(version, rule_id)).days

    def positives_of(self, rule_id: str) -> int:
        """As `positives`, of those about which the rule said something."""
        judged = sum(count for version, count in self._positives.items() if self._has(version, rule_id))
        return judged - self.rules[rule_id].open_fraud

    # ----------------------------------------------------------------------------------------------------

    def _span(self, version: str) -> Span:
        found = self._spans.get(version)
        if found is None:
            found = self._spans[version] = Span()
        return found

    def _has(self, version: str, rule_id: str) -> bool:
        return version not in self._in_force or rule_id in self._in_force[version]

    def _rule(self, rule_id: str) -> RuleTally:
        return self.rules.setdefault(rule_id, RuleTally()) if rule_id not in self.rules else self.rules[rule_id]

    def _label(self, replayed: Replayed, fraud: Container[int]) -> None:
        identity, decision = mark(replayed.transaction_id), replayed.decision
        if identity in fraud:
            self._positives[decision.rule_set_version] += 1
            for each in decision.not_evaluable:
                self._rule(each.rule_id).open_fraud += 1
        if decision.hits:
            rules = tuple(hit.rule_id for hit in decision.hits)
            self.hit.setdefault(identity, []).append((rules, decision.is_fraudulent))

    def _turned(self, replayed: Replayed, stored: Decision) -> None:
        now = replayed.decision
        if stored.action is not now.action:
            self.moves.setdefault((stored.action.value, now.action.value), Pile()).add(replayed)
        before, after = ({hit.rule_id: hit for hit in each.hits} for each in (stored, now))
        self._pile((rule for rule in after if rule not in before), "newly", replayed)
        self._pile((rule for rule in before if rule not in after), "gone", replayed)
        self._pile((rule for rule in after if rule in before and after[rule] != before[rule]), "otherwise", replayed)

    def _pile(self, rules: Iterable[str], kind: str, replayed: Replayed) -> None:
        for rule in rules:
            getattr(self._rule(rule), kind).add(replayed)
