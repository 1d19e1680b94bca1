"""What Dagster shows of the documents: one asset per MongoDB collection."""

from fraud_platform.orchestration.outputs import collection_output
from fraud_platform.orchestration.stage import stage_definitions
from fraud_platform.topology import DOCUMENTS, Topic

COLLECTIONS = [
    collection_output(Topic.RESULT, "transactions", "Fraudulent transactions; `_id` is the transaction id."),
    collection_output(Topic.USERS, "users", "Senders and receivers of fraudulent transactions; `_id` is the user id."),
    collection_output(
        Topic.DECISIONS, "decisions", "Each judgement with its reasons; `_id` is `<stage>:<transaction id>`."
    ),
]

defs = stage_definitions(DOCUMENTS, sinks=COLLECTIONS)
