"""Rules of one shape, compiled: thresholds sorted, sets turned round, so that only rules that hit cost anything."""

from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from operator import attrgetter
from typing import Any

from fraud_platform.core.decisions import Hit, NotEvaluable, canonical
from fraud_platform.rules.criterion import PARTIAL, Match, Unclear
from fraud_platform.rules.event import Event, text
from fraud_platform.rules.indexed import CEILINGS, READERS, AtLeast, Function, OneOf, WindowLimit, missing, shown
from fraud_platform.rules.moment import Moment
from fraud_platform.rules.rule_set import Rule
from fraud_platform.rules.window import Aggregate

NO_FINDING = "the criterion failed: it returned neither a Match, an Unclear nor None"

Findings = tuple[list[Hit], list[NotEvaluable]]


class Group(ABC):
    """Rules that are answered together."""

    @abstractmethod
    def find(self, event: Event, moment: Moment, findings: Findings, *, late: bool) -> None:
        """Add the hits and the rules that cannot be applied."""


class AmountGroup(Group):
    """Thresholds on one money field, ascending: those up to the amount hit."""

    def __init__(self, field: str, rules: Iterable[tuple[Rule, AtLeast]]) -> None:
        ordered = sorted(rules, key=lambda pair: (pair[1].limit, pair[0].id))
        self._value = attrgetter(field)
        self._limits = [test.limit for _, test in ordered]
        self._rules = [(rule.id, rule.criterion, canonical(test.limit), rule.action) for rule, test in ordered]
        self._missing = _all_unclear((rule for rule, _ in ordered), missing(field))

    def find(self, event: Event, moment: Moment, findings: Findings, *, late: bool) -> None:
        """One binary search for all rules."""
        amount: Decimal | None = self._value(event)
        if amount is None:
            findings[1].extend(self._missing)
            return
        reached = bisect_right(self._limits, amount)
        if not reached:
            return
        observed = canonical(amount)
        findings[0].extend([
            Hit(rule_id=name, criterion=criterion, observed=observed, limit=limit, late=late, action=action)
            for name, criterion, limit, action in self._rules[:reached]
        ])  # fmt: skip


class WordGroup(Group):
    """Sets of words for one text field, turned round: from the word to the rules."""

    def __init__(self, field: str, rules: Iterable[tuple[Rule, OneOf]]) -> None:
        ordered = list(rules)
        self._field = field
        self._by_word: dict[str, list[Rule]] = defaultdict(list)
        for rule, test in ordered:
            for word in test.words:
                self._by_word[word].append(rule)
        self._missing = _all_unclear((rule for rule, _ in ordered), missing(field))

    def find(self, event: Event, moment: Moment, findings: Findings, *, late: bool) -> None:
        """One look-up for all rules."""
        word = text(event, self._field)
        if word is None:
            findings[1].extend(self._missing)
            return
        for rule in self._by_word.get(word, ()):
            hit = Hit(rule_id=rule.id, criterion=rule.criterion, observed=word, late=late, action=rule.action)
            findings[0].append(hit)


class WindowGroup(Group):
    """Limits of one function over one window, ascending."""

    def __init__(
        self, place: int, function: Function, rules: Iterable[tuple[Rule, WindowLimit]], *, at_most: bool
    ) -> None:
        ordered = sorted(rules, key=lambda pair: (pair[1].units, pair[0].id))
        self._place, self._function, self._at_most = place, function, at_most
        self._proven = ordered[0][1].proven
        self._read = READERS[function]
        is_bounded = not at_most and (self._proven is not None or function is Function.AVG)
        self._ceiling = CEILINGS[function] if is_bounded else None
        self._limits = [test.units for _, test in ordered]
        self._rules = [rule for rule, _ in ordered]
        self._texts = [(canonical(test.limit), test.window.duration.iso) for _, test in ordered]

    def find(self, event: Event, moment: Moment, findings: Findings, *, late: bool) -> None:
        """Compute the function once, then one binary search for all rules."""
        if self._ceiling is not None and moment.stays_below(self._place, self._ceiling, self._limits[0]):
            return
        seen = moment.at(self._place)
        if not isinstance(seen, Aggregate):
            if seen is not None:
                findings[1].extend(_all_unclear(self._rules, seen))
            return
        low, high = self._read(seen)
        if not seen.is_partial and (high > self._limits[-1] if self._at_most else low < self._limits[0]):
            return
        first, last = 0, len(self._limits)
        if self._at_most:
            first = bisect_left(self._limits, high)
        else:
            last = bisect_right(self._limits, low)
        if seen.is_partial and self._proven is not True:
            doubtful = self._rules if self._proven is None else self._rules[first:last]
            findings[1].extend(_all_unclear(doubtful, PARTIAL))
            return
        if seen.is_partial:
            findings[1].extend(_all_unclear(self._rules[:first] + self._rules[last:], PARTIAL))
        if first >= last:
            return
        observed = shown(self._function, low)
        for rule, (limit, window) in zip(self._rules[first:last], self._texts[first:last], strict=True):
            hit = Hit(
                rule_id=rule.id,
                criterion=rule.criterion,
                observed=observed,
                limit=limit,
                window=window,
                contributing_count=seen.count + 1,
                late=late or seen.is_partial,
                action=rule.action,
            )
            findings[0].append(hit)


class SingleRules(Group):
    """Rules whose criteria are asked one by one."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)

    def find(self, event: Event, moment: Moment, findings: Findings, *, late: bool) -> None:
        """Ask each; a criterion that fails leaves its rule open and stops no other."""
        for rule in self._rules:
            try:
                found = rule.test.evaluate(event, moment)
            except Exception as error:  # noqa: BLE001 - a user's code; its text may quote the transaction
                found = Unclear(f"the criterion failed with {type(error).__name__}")
            if found is None:
                continue
            if isinstance(found, Match) and _is_sound(found):
                findings[0].append(hit_of(rule, found, late=late))
            elif isinstance(found, Unclear) and isinstance(found.reason, str):
                findings[1].append(NotEvaluable(rule.id, found.reason))
            else:
                findings[1].append(NotEvaluable(rule.id, NO_FINDING))


def _is_sound(found: Match) -> bool:
    """Whether a decision can hold it: a user's code may put anything into the fields."""
    texts = (found.limit or "", found.window or "", found.observed)
    return all(isinstance(text, str) for text in texts) and type(found.contributing_count) is int


def hit_of(rule: Rule, found: Match, *, late: bool) -> Hit:
    """The hit behind a criterion's match."""
    return Hit(
        rule_id=rule.id,
        criterion=rule.criterion,
        observed=found.observed,
        limit=found.limit,
        window=found.window,
        contributing_count=found.contributing_count,
        late=late or found.is_partial,
        action=rule.action,
    )


def _all_unclear(rules: Iterable[Rule], why: Unclear) -> list[Any]:
    return [NotEvaluable(rule.id, why.reason) for rule in rules]
