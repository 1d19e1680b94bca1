"""The records that a fraudulent transfer becomes; both stages that write them share this."""

from collections.abc import Callable, Mapping
from typing import Any, get_args

from fraud_platform.core.outcome import Outgoing
from fraud_platform.core.projection import SourceProcess, result_row, user_row
from fraud_platform.core.same_again import SameAgain
from fraud_platform.topology import Naming, Topic

Encode = Callable[[dict[str, Any]], bytes]
_KeyAndValue = tuple[bytes, bytes]


class ResultWriter:
    """Encodes result and user rows under their topics' names."""

    def __init__(self, naming: Naming, encoder: Callable[[Topic], Encode]) -> None:
        """`encoder` chooses the encoding of each topic."""
        self._result_topic, self._users_topic = naming.topic(Topic.RESULT), naming.topic(Topic.USERS)
        self._encode_result, self._encode_user = encoder(Topic.RESULT), encoder(Topic.USERS)
        self._users = {source: self._users_of(source) for source in get_args(SourceProcess)}

    def outputs(self, transaction: Mapping[str, Any], source: SourceProcess, timestamp_ms: int) -> tuple[Outgoing, ...]:
        """One result row and two user rows, each keyed by its id."""
        result = result_row(transaction, source)
        user = self._users[source]
        return (
            Outgoing(self._result_topic, result["TRANSACTION_ID"].encode(), self._encode_result(result), timestamp_ms),
            Outgoing(self._users_topic, *user(transaction["sender_details"]), timestamp_ms),
            Outgoing(self._users_topic, *user(transaction["receiver_details"]), timestamp_ms),
        )

    def _users_of(self, source: SourceProcess) -> SameAgain[_KeyAndValue]:
        def encoded(party: Mapping[str, Any]) -> _KeyAndValue:
            row = user_row(party, source)
            return row["ID"].encode(), self._encode_user(row)

        return SameAgain(encoded, size=lambda made: len(made[1]))
