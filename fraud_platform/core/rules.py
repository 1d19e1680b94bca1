"""The rules and their set: pure functions of one transaction's facts, exact in Decimal.

A rule is a frozen value: its settings are its content, its criterion is its tag. A `RuleSet` is versioned
by the hash of that content, so the same version always means the same judgement.
"""

import hashlib
import unicodedata
from collections.abc import Iterable
from decimal import Decimal
from typing import Self

import msgspec

from fraud_platform.core import money
from fraud_platform.core.decisions import Action, Decision, Hit, NotEvaluable, canonical, decide
from fraud_platform.core.questions import Facts
from fraud_platform.core.watch_list import DEMO_MULE_ACCOUNTS, DEMO_MULE_LIST

_VERSION_DIGITS = 16  # 64 bits of the hash: short enough to read, long enough never to meet by chance


class HighAmount(msgspec.Struct, frozen=True, kw_only=True, tag_field="criterion", tag="HIGH_TRANSACTION_AMOUNT"):
    """Fires when the amount reaches `limit` (major units, inclusive)."""

    id: str
    limit: Decimal
    action: Action = Action.REVIEW

    def __post_init__(self) -> None:
        """Spell the limit one way, so that `10000` and `10000.00` are the same rule."""
        if money.fault(self.limit):
            raise ValueError(f"the limit of rule {self.id} {money.fault(self.limit)}")
        msgspec.structs.force_setattr(self, "limit", Decimal(canonical(self.limit)))

    def evaluate(self, facts: Facts) -> Hit | NotEvaluable | None:
        """Compare exactly; nothing is rounded."""
        if facts.amount < self.limit:
            return None
        return Hit(
            rule_id=self.id,
            criterion="HIGH_TRANSACTION_AMOUNT",
            observed=canonical(facts.amount),
            limit=canonical(self.limit),
            action=self.action,
        )


class ReceiverListed(msgspec.Struct, frozen=True, kw_only=True, tag_field="criterion", tag="LISTED"):
    """Fires when the receiver's account or name is on the watch-list `list_name`.

    Accounts are compared without spaces and case, names without case and repeated spaces.
    The hit names the list, never the entry.
    """

    id: str
    list_name: str
    accounts: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    action: Action = Action.BLOCK

    def __post_init__(self) -> None:
        """Spell the entries the way that they are compared."""
        msgspec.structs.force_setattr(self, "accounts", frozenset(map(_account_key, self.accounts)))
        msgspec.structs.force_setattr(self, "names", frozenset(map(_name_key, self.names)))

    def evaluate(self, facts: Facts) -> Hit | NotEvaluable | None:
        """Look both up; a missing field that the list needs leaves the rule open, unless the other hits."""
        account, name = facts.receiver_account, facts.receiver_name
        if (account and _account_key(account) in self.accounts) or (
            name and self.names and _name_key(name) in self.names
        ):
            observed = f"listed: {self.list_name}"
            return Hit(rule_id=self.id, criterion="LISTED", observed=observed, action=self.action)
        missing = ["bank_account"] if self.accounts and not account else []
        missing += ["name"] if self.names and not name else []
        if missing:
            return NotEvaluable(self.id, f"receiver_details has no {' and no '.join(missing)}")
        return None


Rule = HighAmount | ReceiverListed


class RuleSet(msgspec.Struct, frozen=True):
    """Rules that are applied together. `version` is the hash of their content, whatever their order."""

    rules: tuple[Rule, ...]
    version: str

    @classmethod
    def of(cls, rules: Iterable[Rule]) -> Self:
        """Sort by id, so that neither hits nor version depend on the order given.

        Raises:
            ValueError: two rules share an id.
        """
        ordered = tuple(sorted(rules, key=lambda rule: rule.id))
        ids = [rule.id for rule in ordered]
        if len(set(ids)) < len(ids):
            raise ValueError(f"rule ids must be unique, got {', '.join(ids)}")
        return cls(ordered, _version(ordered))

    def judge(self, facts: Facts) -> Decision:
        """Apply every rule; none stops the others, so that the decision holds every reason."""
        findings = [rule.evaluate(facts) for rule in self.rules]
        return decide(facts.transaction_id, findings, rule_set_version=self.version)


def default_rule_set() -> RuleSet:
    """The rules that the platform starts with: large amounts, and the demo banks' mule accounts."""
    high = HighAmount(id="high-transaction-amount", limit=Decimal(10_000))
    mules = frozenset(DEMO_MULE_ACCOUNTS)
    return RuleSet.of([high, ReceiverListed(id="receiver-watch-list", list_name=DEMO_MULE_LIST, accounts=mules)])


def _version(rules: tuple[Rule, ...]) -> str:
    content = msgspec.json.encode(rules, order="deterministic")
    return hashlib.sha256(content).hexdigest()[:_VERSION_DIGITS]


def _account_key(account: str) -> str:
    return "".join(account.split()).upper()


def _name_key(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).split()).casefold()
