"""The replies of the service, as on the wire."""

from typing import Any

import msgspec

from fraud_platform.core.decisions import Action, Decision, Hit, NotEvaluable
from fraud_platform.core.outcome import Rejected
from fraud_platform.rules.rule_set import RuleSet


class Reply(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The judgement of one transfer. `is_fraudulent_transaction` = the action is not ALLOW."""

    transaction_id: str
    is_fraudulent_transaction: bool
    action: Action
    hits: tuple[Hit, ...]
    rule_set_version: str
    not_evaluable: tuple[NotEvaluable, ...]

    @classmethod
    def of(cls, decision: Decision) -> "Reply":
        """The decision in the words of the wire."""
        return cls(
            transaction_id=decision.transaction_id,
            is_fraudulent_transaction=decision.is_fraudulent,
            action=decision.action,
            hits=decision.hits,
            rule_set_version=decision.rule_set_version,
            not_evaluable=decision.not_evaluable,
        )


class Fault(msgspec.Struct, frozen=True):
    """What is wrong. `reason` names the field and the fault, never the field's value."""

    type: str
    reason: str

    @classmethod
    def of(cls, rejected: Rejected) -> "Fault":
        """The rejection in the words of the wire."""
        return cls(rejected.error_type, rejected.reason)


class Failure(msgspec.Struct, frozen=True):
    """The body of every reply that is not 200."""

    error: Fault


class ItemFailure(msgspec.Struct, frozen=True):
    """A batch item that is bad by itself; `transaction_id` is null where none can be read."""

    transaction_id: str | None
    error: Fault


class BatchReply(msgspec.Struct, frozen=True):
    """One result per item, in the order of the request."""

    results: list[Reply | ItemFailure]


class Health(msgspec.Struct, frozen=True):
    """The service lives; `rule_set_version` is what it judges by."""

    status: str
    rule_set_version: str


class Expiring(msgspec.Struct, frozen=True):
    """An entry of a list that counts until the moment `expires` of event time (ISO 8601, UTC)."""

    value: str
    expires: str


class ListContent(msgspec.Struct, frozen=True):
    """A list that LISTED rules name, its entries spelled as they are compared."""

    accounts: list[str | Expiring]
    names: list[str | Expiring]


class RuleContent(msgspec.Struct, frozen=True):
    """One rule; exact numbers among its parameters are texts."""

    id: str
    criterion: str
    parameters: dict[str, Any]
    action: Action
    enabled: bool
    description: str


class RuleSetContent(msgspec.Struct, frozen=True):
    """A rule set whole, defaults written out; as a file it is accepted again, under the same version."""

    lateness: str
    lists: dict[str, ListContent]
    rules: list[RuleContent]


class ActiveRules(msgspec.Struct, frozen=True):
    """What the service judges by; `version` is the hash of the rule set's content."""

    version: str
    rule_set: RuleSetContent

    @classmethod
    def of(cls, rule_set: RuleSet) -> "ActiveRules":
        """The rule set in the words of the wire."""
        return cls(rule_set.version, _content.decode(rule_set.canonical()))


_content = msgspec.json.Decoder(RuleSetContent)
