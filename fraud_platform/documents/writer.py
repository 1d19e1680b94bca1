"""Decides what becomes of each record by storing it: decode, keep the newest version per id, upsert."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import islice
from typing import Any

from fraud_platform.adapters.mongo import Document, DocumentStore, Written
from fraud_platform.core.outcome import Outcome, Record, Rejected
from fraud_platform.documents.collections import Collection
from fraud_platform.errors import StoreUnavailable
from fraud_platform.failpoints import Point, reach
from fraud_platform.runtime.scribe import dead
from fraud_platform.topology import MAX_VALUE_BYTES

Decode = Callable[[bytes | None], dict[str, Any] | Rejected]

# Each bulk has its own time limit, so that a small shared cluster of 200 writes/s still gets on.
BULK = 1000

_OUTCOMES = {written: Outcome(written.value) for written in Written}


class DocumentWriter:
    """Stores batches of records. `collections` goes by the topic's name on the broker."""

    def __init__(
        self, store: DocumentStore, decode: Decode, collections: Mapping[str, Collection], *,
        claim: Callable[[], None] = lambda: None, stop: Callable[[], bool] = lambda: False,
    ) -> None:  # fmt: skip
        """`claim` is asked before the first write of a run; `stop` between bulks."""
        self._store = store
        self._decode = decode
        self._collections = collections
        self._claim = claim
        self._stop = stop
        # Side by side: each write waits for MongoDB's journal, and three such waits are most of a small batch's time.
        self._pool = ThreadPoolExecutor(max_workers=len(collections), thread_name_prefix="documents")

    def decide(self, records: Sequence[Record]) -> Sequence[Outcome]:
        """One outcome per record: stored, superseded, or dead-lettered.

        Raises:
            StoreUnavailable: not all are stored, or not known; the same batch may come again.
            ConfigurationError: MongoDB refuses us, or the database belongs to other topics.
        """
        self._claim()
        outcomes: dict[int, Outcome] = {}
        by_topic: dict[str, dict[int, Document]] = {topic: {} for topic in self._collections}
        for index, record in enumerate(records):
            document = self._document(record)
            if isinstance(document, Rejected):
                outcomes[index] = dead(document)
            else:
                by_topic[record.topic][index] = document
        for written in self._write_all(by_topic):
            outcomes.update(written)
        return [outcomes[index] for index in range(len(records))]

    def close(self) -> None:
        """End the threads, then the store."""
        self._pool.shutdown()
        self._store.close()

    def _document(self, record: Record) -> Document | Rejected:
        size = len(record.value or b"")
        if size > MAX_VALUE_BYTES:
            return Rejected("too-large", f"the value has {size} bytes, {MAX_VALUE_BYTES} are allowed")
        fields = self._decode(record.value)
        if isinstance(fields, Rejected):
            return fields
        name = self._collections[record.topic].id_of(fields)
        return name if isinstance(name, Rejected) else Document(name, record.partition, record.offset, fields)

    def _write_all(self, by_topic: Mapping[str, Mapping[int, Document]]) -> list[dict[int, Outcome]]:
        writes = [
            self._pool.submit(self._write, self._collections[topic].name, documents)
            for topic, documents in by_topic.items()
            if documents
        ]
        wait(writes)  # for all, also when one fails: none may write on while the batch is read again
        return [write.result() for write in writes]

    def _write(self, collection: str, documents: Mapping[int, Document]) -> dict[int, Outcome]:
        outcomes = dict.fromkeys(documents, _OUTCOMES[Written.SUPERSEDED])
        pending = iter(newest(documents))
        while bulk := list(islice(pending, BULK)):
            if self._stop():
                raise StoreUnavailable("told to stop before all documents were stored")
            results = self._store.write(collection, [documents[index] for index in bulk])
            reach(Point.AFTER_MONGO_WRITE)
            for index, result in zip(bulk, results, strict=True):
                outcomes[index] = dead(result) if isinstance(result, Rejected) else _OUTCOMES[result]
        return outcomes


def newest(documents: Mapping[int, Document]) -> list[int]:
    """Of each id the index of its newest version."""
    winners: dict[str, int] = {}
    for index, document in documents.items():
        known = winners.get(document.id)
        if known is None or document.version > documents[known].version:
            winners[document.id] = index
    return list(winners.values())
