"""Puts the documents slot together: versioned upserts into MongoDB, guarded by the topics' identity."""

import logging
import time
from collections.abc import Mapping

from fraud_platform.adapters.mongo import DocumentStore, MongoStore
from fraud_platform.adapters.topic_identity import require_same, topic_ids
from fraud_platform.core.log import Log
from fraud_platform.documents.collections import COLLECTIONS, Collection
from fraud_platform.documents.writer import DocumentWriter
from fraud_platform.errors import StoreUnavailable
from fraud_platform.runtime.handler import Handler, Transformer
from fraud_platform.runtime.launch import Context
from fraud_platform.runtime.scribe import Scribe

logger = logging.getLogger(__name__)


class Claim:
    """Asked before writing: were the collections filled from the very topics that we read? Adds indexes.

    The answer is kept. While the store is away nothing is known, and the slot pauses like at any
    other outage instead of failing to start.
    """

    def __init__(self, store: DocumentStore, collections: Mapping[str, Collection], present: Mapping[str, str]) -> None:
        """`collections` and `present`, Kafka's own ids, go by the topic's name on the broker."""
        self._store = store
        self._collections = collections
        self._present = present
        self._settled = False

    def __call__(self) -> None:
        """Settle it once.

        Raises:
            StoreUnavailable: not now.
            ConfigurationError: MongoDB refuses us, or the database belongs to other topics.
        """
        if not self._settled:
            self._settle()
            self._settled = True

    def _settle(self) -> None:
        for topic, collection in self._collections.items():
            stored = self._store.claim(collection.name, topic, self._present[topic])
            require_same(
                (topic, self._present[topic]), stored, store=f"The MongoDB collection {collection.name}",
                way_out="choose another database with FRAUD_MONGODB_DATABASE, or drop this one",
            )  # fmt: skip
            self._store.index(collection.name, unique=collection.unique, indexed=collection.indexed)


def build(context: Context, log: Log, scribe: Scribe) -> Handler:
    """The handler of one slot of the documents stage.

    Raises:
        ConfigurationError: the settings, MongoDB or the topics' identity forbid to write.
        BrokerUnavailable: the topics' ids cannot be asked now.
        StoreUnavailable: the cluster's name cannot be looked up now.
    """
    collections = {context.settings.naming.topic(topic): COLLECTIONS[topic] for topic in context.stage.reads}
    present = topic_ids(context.settings, context.stage)
    store = MongoStore(context.settings)
    claim = Claim(store, collections, present)
    try:
        claim()
    except StoreUnavailable as error:
        logger.warning("starting without MongoDB, records wait in Kafka: %s", error)
    writer = DocumentWriter(store, context.reader.decode, collections, claim=claim, stop=context.stop)

    def ready() -> bool:
        return store.ready() and context.reader.ready()

    return Transformer(log, scribe, writer.decide, clock=time.monotonic, ready=ready, close=writer.close)
