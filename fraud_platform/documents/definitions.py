"""What Dagster shows of the documents: one asset per MongoDB collection."""

from fraud_platform.documents.collections import COLLECTIONS
from fraud_platform.orchestration.outputs import collection_output
from fraud_platform.orchestration.stage import stage_definitions
from fraud_platform.topology import DOCUMENTS, TOPICS

defs = stage_definitions(
    DOCUMENTS,
    sinks=[
        collection_output(
            topic,
            collection.name,
            about=f"{TOPICS[topic].about} The newest version per `_id` = `{':'.join(collection.id_fields)}`.",
        )
        for topic, collection in COLLECTIONS.items()
    ],
)
