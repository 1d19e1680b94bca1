"""Versioned documents in memory."""

from collections.abc import Sequence
from typing import Any

import bson

from fraud_platform.adapters.bson_values import encode_document
from fraud_platform.adapters.mongo import Document, DocumentStore, Written
from fraud_platform.core.outcome import Rejected
from fraud_platform.errors import StoreUnavailable


class FakeCollections(DocumentStore):
    def __init__(self) -> None:
        self.documents: dict[str, dict[str, dict[str, Any]]] = {}
        self.notes: dict[str, tuple[str, str]] = {}
        self.unique: dict[str, tuple[str, ...]] = {}
        self.bulks: list[int] = []
        self.is_down = False
        self.closed = False

    def write(self, collection: str, documents: Sequence[Document]) -> list[Written | Rejected]:
        self._answer()
        self.bulks.append(len(documents))
        return [self._write_one(collection, document) for document in documents]

    def _write_one(self, collection: str, document: Document) -> Written | Rejected:
        position = {"kafka_partition": document.partition, "kafka_offset": document.offset}
        body = encode_document({**document.fields, "_id": document.id, **position})
        if isinstance(body, Rejected):
            return body
        stored = self.documents.setdefault(collection, {})
        known = stored.get(document.id)
        if known and (known["kafka_partition"], known["kafka_offset"]) >= document.version:
            return Written.SUPERSEDED
        for field in self.unique.get(collection, ()):
            taken = {other.get(field) for name, other in stored.items() if name != document.id}
            if document.fields.get(field) in taken:
                return Rejected("not-unique", f"another document has the same value in the unique field {field}")
        stored[document.id] = bson.decode(body)
        return Written.STORED

    def index(self, collection: str, *, unique: Sequence[str] = (), indexed: Sequence[str] = ()) -> None:
        self._answer()
        self.unique[collection] = tuple(unique)

    def claim(self, collection: str, topic: str, topic_id: str) -> tuple[str, str]:
        self._answer()
        return self.notes.setdefault(collection, (topic, topic_id))

    def ready(self) -> bool:
        return not self.is_down

    def close(self) -> None:
        self.closed = True

    def _answer(self) -> None:
        if self.is_down:
            raise StoreUnavailable("MongoDB does not answer (down on purpose).")
