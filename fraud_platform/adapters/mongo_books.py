"""The books' notes in MongoDB: versioned like every document, read as a majority has them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pymongo
from pymongo import ReadPreference
from pymongo.read_concern import ReadConcern

from fraud_platform.adapters.mongo import INDEX_TIMEOUT_S, QUESTION_TIMEOUT_S, Document, MongoStore
from fraud_platform.adapters.mongo_client import database, mongo_client, translated
from fraud_platform.books.sources import BookStore, Saved
from fraud_platform.core.outcome import Rejected
from fraud_platform.errors import Defect
from fraud_platform.settings import Settings

COLLECTION = "_books"
_AT_ONCE = 1000


class MongoBooks(BookStore):
    """One collection of the platform's database; `close` it."""

    def __init__(self, settings: Settings) -> None:
        self._store = MongoStore(settings)
        self._client = mongo_client(settings)
        # Behind a stale answer a note would be written anew without what it held.
        settled = ReadConcern("majority")
        self._notes = database(self._client, settings).get_collection(
            COLLECTION, read_concern=settled, read_preference=ReadPreference.PRIMARY
        )

    def get(self, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """See `BookStore.get`."""
        found: dict[str, Mapping[str, Any]] = {}
        for start in range(0, len(ids), _AT_ONCE):
            asked = list(ids[start : start + _AT_ONCE])
            with translated(), pymongo.timeout(QUESTION_TIMEOUT_S):
                found |= {
                    note["_id"]: json.loads(note["content"]) for note in self._notes.find({"_id": {"$in": asked}})
                }
        return found

    def put(self, notes: Sequence[Saved]) -> None:
        """See `BookStore.put`."""
        for start in range(0, len(notes), _AT_ONCE):
            # As text: names of outcomes hold dots, which not every server takes for a field's name.
            written = self._store.write(COLLECTION, [
                Document(note.id, *note.version, {"content": msgspec.json.encode(note.content).decode()})
                for note in notes[start : start + _AT_ONCE]
            ])  # fmt: skip
            for each in written:
                if isinstance(each, Rejected):
                    raise Defect(f"MongoDB cannot hold a note of the books: {each.reason}.")

    def clear(self, prefix: str) -> None:
        """See `BookStore.clear`."""
        with translated(), pymongo.timeout(INDEX_TIMEOUT_S):
            self._notes.delete_many({"_id": {"$gte": prefix, "$lt": f"{prefix}\uffff"}})

    def close(self) -> None:
        """Release the connections."""
        self._store.close()
        self._client.close()
