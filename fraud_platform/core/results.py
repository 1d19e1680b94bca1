"""The records that a fraudulent transfer becomes; both stages that write them share this."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from fraud_platform.core.outcome import Outgoing
from fraud_platform.core.projection import SourceProcess, result_row, user_rows
from fraud_platform.topology import Naming, Topic

Encode = Callable[[dict[str, Any]], bytes]


class ResultWriter(msgspec.Struct, frozen=True):
    """Encodes result and user rows under their topics' names."""

    result_topic: str
    users_topic: str
    encode_result: Encode
    encode_user: Encode

    @classmethod
    def of(cls, naming: Naming, encoder: Callable[[Topic], Encode]) -> "ResultWriter":
        """The writer with `encoder` choosing the encoding of each topic."""
        return cls(naming.topic(Topic.RESULT), naming.topic(Topic.USERS), encoder(Topic.RESULT), encoder(Topic.USERS))

    def outputs(self, transaction: Mapping[str, Any], source: SourceProcess, timestamp_ms: int) -> tuple[Outgoing, ...]:
        """One result row and two user rows, each keyed by its id."""
        result = result_row(transaction, source)
        users = user_rows(transaction, source)
        return (
            Outgoing(self.result_topic, result["TRANSACTION_ID"].encode(), self.encode_result(result), timestamp_ms),
            *(Outgoing(self.users_topic, user["ID"].encode(), self.encode_user(user), timestamp_ms) for user in users),
        )
