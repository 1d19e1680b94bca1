"""Which topic fills which collection, what its documents are called, and what is indexed."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from fraud_platform.core.outcome import Rejected
from fraud_platform.topology import Topic


class Collection(msgspec.Struct, frozen=True):
    """A collection: its name, the fields that make `_id` (joined by `:`), and its indexes."""

    name: str
    id_fields: tuple[str, ...]
    unique: tuple[str, ...] = ()
    indexed: tuple[str, ...] = ()

    def id_of(self, fields: Mapping[str, Any]) -> str | Rejected:
        """The document's `_id`, always text, or which field it lacks."""
        for name in self.id_fields:
            if not isinstance(fields.get(name), str):
                return Rejected("missing-id", f"{name} is missing or not text")
        return ":".join(fields[name] for name in self.id_fields)


# The indexed fields are those that the ready queries join on.
COLLECTIONS: Mapping[Topic, Collection] = MappingProxyType({
    Topic.RESULT: Collection("transactions", ("TRANSACTION_ID",), indexed=("SENDER_ID", "RECEIVER_ID")),
    Topic.USERS: Collection("users", ("ID",), unique=("ID",)),
    Topic.MONITORED: Collection("monitored_transactions", ("transactionId",)),
    Topic.DECISIONS: Collection("decisions", ("stage", "transaction_id"), indexed=("transaction_id",)),
})  # fmt: skip
