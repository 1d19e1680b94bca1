"""The replies of the service, as on the wire."""

import msgspec

from fraud_platform.core.decisions import Action, Decision, Hit, NotEvaluable
from fraud_platform.core.outcome import Rejected


class Reply(msgspec.Struct, frozen=True, kw_only=True):
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
