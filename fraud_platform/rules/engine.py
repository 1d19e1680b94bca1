"""The engine: a rule set compiled once, applied to any number of accounts.

It has no state of its own: what an account did is in its `AccountState`, which the caller keeps, so a decision
follows from the rule set and the account's transactions in their order, and from nothing else.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any

import msgspec

from fraud_platform.core.decisions import Action, Decision, gravest
from fraud_platform.rules.account import AccountState, Layout
from fraud_platform.rules.event import Event
from fraud_platform.rules.groups import AmountGroup, Findings, Group, SingleRules, WindowGroup, WordGroup
from fraud_platform.rules.indexed import AtLeast, Indexed, OneOf, WindowLimit
from fraud_platform.rules.moment import Moment
from fraud_platform.rules.rule_set import Rule, RuleSet
from fraud_platform.rules.window import Window

_by_rule = attrgetter("rule_id")


class Judgement(msgspec.Struct, frozen=True, gc=False):
    """What became of an event. No decision: its id came again within 24 h of event time, a duplicate.

    `is_late`: it is further behind its account's newest transaction than the rule set's lateness. `may_repeat`:
    whether it is a repetition could not be checked, since ids of its time are not remembered any more (or nothing
    is: no account's state, no time); there may be an earlier decision of its id, made from more history.
    """

    decision: Decision | None
    is_late: bool = False
    may_repeat: bool = False

    @property
    def is_duplicate(self) -> bool:
        """Whether it was discarded as a repetition."""
        return self.decision is None


class Engine:
    """Applies one rule set. Immutable: one engine serves all accounts. `since`: when it was published, if it was."""

    def __init__(self, rule_set: RuleSet, *, since: datetime | None = None) -> None:
        rules = rule_set.enabled
        windows = tuple(dict.fromkeys(window for rule in rules for window in rule.test.windows()))
        self.rule_set = rule_set
        self.since = since
        self.layout = Layout(windows, rule_set.lateness)
        self._places = {window: place for place, window in enumerate(windows)}
        self._groups = tuple(_compiled(rules, self._places))
        self._version = rule_set.version
        self._no_history = Moment(Event(transaction_id=""), None, self.layout, self._places)

    def judge(self, event: Event, state: AccountState | None = None) -> Judgement:
        """Judge one event of the account and let the account remember it.

        Without a state, rules that need the account's history are reported as not evaluable and nothing is a
        duplicate. An event without a time is judged, but not remembered.
        """
        if state is None:
            return Judgement(self.judge_alone(event), may_repeat=True)
        late, may_repeat = False, True
        if event.at is not None:
            newest = event.at if state.watermark is None else max(state.watermark, event.at)
            may_repeat = state.seen.may_repeat(event.at)
            if state.seen.is_repeat(event.transaction_id, event.at, newest - self.layout.repeat_span):
                return Judgement(None)
            late = event.at < newest - self.layout.lateness
        moment = Moment(event, state, self.layout, self._places)
        decision = self._decision(event, moment, late=late)
        moment.remember()
        return Judgement(decision, late, may_repeat)

    def judge_alone(self, event: Event) -> Decision:
        """As `judge` without a state."""
        return self._decision(event, self._no_history, late=False)

    def _decision(self, event: Event, moment: Moment, *, late: bool) -> Decision:
        findings: Findings = ([], [])
        for group in self._groups:
            group.find(event, moment, findings, late=late)
        hits, unclear = findings
        if len(hits) > 1:
            hits.sort(key=_by_rule)
        if len(unclear) > 1:
            unclear.sort(key=_by_rule)
        return Decision(
            transaction_id=event.transaction_id,
            action=gravest({hit.action for hit in hits}) if hits else Action.ALLOW,
            hits=tuple(hits),
            rule_set_version=self._version,
            not_evaluable=tuple(unclear),
        )


def _compiled(rules: Iterable[Rule], places: Mapping[Window, int]) -> Iterable[Group]:
    """Each rule goes into the group that answers it."""
    amounts: dict[str, list[tuple[Rule, AtLeast]]] = defaultdict(list)
    words: dict[str, list[tuple[Rule, OneOf]]] = defaultdict(list)
    limits: dict[Any, list[tuple[Rule, WindowLimit]]] = defaultdict(list)
    singles: list[Rule] = []
    for rule in rules:
        match rule.test.test() if isinstance(rule.test, Indexed) else None:
            case AtLeast() as test:
                amounts[test.field].append((rule, test))
            case OneOf() as test:
                words[test.field].append((rule, test))
            case WindowLimit() as test:
                limits[(places[test.window], test.function, test.at_most)].append((rule, test))
            case _:
                singles.append(rule)
    yield from (AmountGroup(field, group) for field, group in amounts.items())
    yield from (WordGroup(field, group) for field, group in words.items())
    for (place, function, at_most), group in limits.items():
        yield WindowGroup(place, function, group, at_most=at_most)
    if singles:
        yield SingleRules(singles)
