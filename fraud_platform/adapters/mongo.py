"""MongoDB: versioned upserts by id; a write applies only above the stored (partition, offset)."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Any

import msgspec
import pymongo
from bson.raw_bson import RawBSONDocument
from pymongo import InsertOne, ReplaceOne, WriteConcern
from pymongo import errors as mongo
from pymongo.collection import Collection

from fraud_platform.adapters.bson_values import encode_document
from fraud_platform.adapters.mongo_client import database, mongo_client, translated
from fraud_platform.adapters.mongo_versions import Version, stored_versions
from fraud_platform.core.outcome import Rejected
from fraud_platform.errors import ConfigurationError, StoreUnavailable
from fraud_platform.settings import Settings

WRITE_TIMEOUT_S, QUESTION_TIMEOUT_S, INDEX_TIMEOUT_S = 5.0, 3.0, 30.0
TOPICS_COLLECTION = "_topics"

_DUPLICATE_KEY = 11000
# What MongoDB says about a document rather than about itself: bad value, unparsable, wrong type, too deep,
# field names, against the collection's own rules, too large.
_CONTENT_CODES = frozenset({2, 9, 14, 15, 22, 52, 53, 55, 57, 121, 10334, 17280, 17419, 17420})
_INDEX_CODES = frozenset({67, 85, 86, _DUPLICATE_KEY})

Operation = InsertOne[Any] | ReplaceOne[Any]
Fault = Mapping[str, Any]


class Document(msgspec.Struct, frozen=True):
    """One version of a document: its `_id`, the Kafka position that orders versions, and its fields."""

    id: str
    partition: int
    offset: int
    fields: Mapping[str, Any]

    @property
    def version(self) -> tuple[int, int]:
        """Versions of one id are ordered by (partition, offset)."""
        return (self.partition, self.offset)


class Written(StrEnum):
    """What became of a version that MongoDB took."""

    STORED = "stored"
    SUPERSEDED = "superseded"


class DocumentStore(ABC):
    """Collections of versioned documents.

    Every method but `close` raises `StoreUnavailable` when the store does not answer, and
    `ConfigurationError` when it refuses us.
    """

    @abstractmethod
    def write(self, collection: str, documents: Sequence[Document]) -> list[Written | Rejected]:
        """Store each version that is newer than the stored one; ids are distinct within a call.

        A version that is not newer is superseded, an equal one too; a document that MongoDB refuses for
        its content is rejected alone.
        """

    @abstractmethod
    def index(self, collection: str, *, unique: Sequence[str] = (), indexed: Sequence[str] = ()) -> None:
        """Make sure that these single-field indexes exist."""

    @abstractmethod
    def claim(self, collection: str, topic: str, topic_id: str) -> tuple[str, str]:
        """Note which Kafka topic fills `collection` unless noted before; the (topic, id) that now stands."""

    @abstractmethod
    def ready(self) -> bool:
        """Whether the store answers."""

    @abstractmethod
    def close(self) -> None:
        """Release the connections."""


class MongoStore(DocumentStore):
    """The database that the settings name; writes wait for a majority and its journals."""

    def __init__(self, settings: Settings) -> None:
        self._client = mongo_client(settings)
        durable = WriteConcern(w="majority", j=True)
        self._database = database(self._client, settings).with_options(write_concern=durable)

    def write(self, collection: str, documents: Sequence[Document]) -> list[Written | Rejected]:
        """See `DocumentStore.write`."""
        results: list[Written | Rejected] = [Written.STORED] * len(documents)
        bodies: dict[int, RawBSONDocument] = {}
        for index, document in enumerate(documents):
            body = _body(document)
            if isinstance(body, Rejected):
                results[index] = body
            else:
                bodies[index] = body
        with translated():
            known = stored_versions(self._database[collection], (documents[i].id for i in bodies), QUESTION_TIMEOUT_S)
            newer: dict[int, Operation] = {}
            for index, body in bodies.items():
                if _is_newer(documents[index], known):
                    newer[index] = _replace(documents[index], body) if documents[index].id in known else InsertOne(body)
                else:
                    results[index] = Written.SUPERSEDED
            faults = self._apply(collection, newer, lambda index: _replace(documents[index], bodies[index]))
            for index, fault in faults.items():
                results[index] = Written.SUPERSEDED if _is_version_conflict(fault) else _refusal(fault)
        return results

    def _apply(
        self, collection: str, operations: Mapping[int, Operation], replace: Callable[[int], Operation]
    ) -> dict[int, Fault]:
        """Faults by index, after a second look at conflicts.

        Two writers of one new id race; the loser must look again, now that it can compare.
        """
        faults = _bulk(self._database[collection], operations)
        raced = {index: replace(index) for index, fault in faults.items() if _is_version_conflict(fault)}
        settled = {index: fault for index, fault in faults.items() if index not in raced}
        return settled | _bulk(self._database[collection], raced)

    def index(self, collection: str, *, unique: Sequence[str] = (), indexed: Sequence[str] = ()) -> None:
        """See `DocumentStore.index`."""
        with translated(), pymongo.timeout(INDEX_TIMEOUT_S):
            try:
                for field in (*unique, *indexed):
                    self._database[collection].create_index(field, unique=field in unique)
            except mongo.OperationFailure as error:
                if error.code not in _INDEX_CODES:
                    raise
                raise ConfigurationError(
                    f"MongoDB cannot index the collection {collection} (code {error.code}): its content or an"
                    " index of its own contradicts ours; choose another database with FRAUD_MONGODB_DATABASE."
                ) from None

    def claim(self, collection: str, topic: str, topic_id: str) -> tuple[str, str]:
        """See `DocumentStore.claim`."""
        notes = self._database[TOPICS_COLLECTION]
        mine = {"$setOnInsert": {"topic": topic, "topic_id": topic_id}}
        with translated(), pymongo.timeout(QUESTION_TIMEOUT_S):
            with suppress(mongo.DuplicateKeyError):  # another slot was quicker
                notes.update_one({"_id": collection}, mine, upsert=True)
            found = notes.find_one({"_id": collection}) or {}
        return str(found.get("topic")), str(found.get("topic_id"))

    def ready(self) -> bool:
        """See `DocumentStore.ready`."""
        try:
            self.check()
        except StoreUnavailable:
            return False
        return True

    def check(self) -> None:
        """Ask MongoDB for a sign of life.

        Raises:
            StoreUnavailable: it does not answer.
            ConfigurationError: it refuses us.
        """
        with translated(), pymongo.timeout(QUESTION_TIMEOUT_S):
            self._client.admin.command("ping")

    def close(self) -> None:
        """See `DocumentStore.close`."""
        self._client.close()


def _body(document: Document) -> RawBSONDocument | Rejected:
    fields = {"_id": document.id, **document.fields}
    position = {"_id": document.id, "kafka_partition": document.partition, "kafka_offset": document.offset}
    body = encode_document({**fields, **position})
    return body if isinstance(body, Rejected) else RawBSONDocument(body)


def _is_newer(document: Document, known: Mapping[str, Version | None]) -> bool:
    stored = known.get(document.id)
    return stored is None or document.version > stored


def _replace(document: Document, body: RawBSONDocument) -> Operation:
    """Replace an older version, or insert; with an equal or newer one there the insert meets its `_id`."""
    earlier = [
        {"kafka_partition": {"$lt": document.partition}},
        {"kafka_partition": document.partition, "kafka_offset": {"$lt": document.offset}},
    ]
    return ReplaceOne({"_id": document.id, "$or": earlier}, body, upsert=True)


def _bulk(collection: Collection[Any], operations: Mapping[int, Operation]) -> dict[int, Fault]:
    """Apply the operations; what MongoDB says about single ones, by their index."""
    if not operations:
        return {}
    order = list(operations)
    try:
        with pymongo.timeout(WRITE_TIMEOUT_S):
            collection.bulk_write(list(operations.values()), ordered=False)
    except mongo.BulkWriteError as error:
        return {order[fault["index"]]: fault for fault in _faults(error)}
    except mongo.OperationFailure as error:
        if error.code not in _CONTENT_CODES:
            raise
        return _search(collection, operations, error.code)
    return {}


def _search(collection: Collection[Any], operations: Mapping[int, Operation], code: int | None) -> dict[int, Fault]:
    """Find, by halves, the document for which MongoDB refused a whole bulk."""
    order = list(operations)
    if len(order) == 1:
        return {order[0]: {"code": code}}
    middle = len(order) // 2
    halves = ({index: operations[index] for index in part} for part in (order[:middle], order[middle:]))
    return {index: fault for half in halves for index, fault in _bulk(collection, half).items()}


def _faults(error: mongo.BulkWriteError) -> list[Fault]:
    """The faults of single operations; raises when one of them says that MongoDB itself is unwell."""
    details = error.details or {}
    faults: list[Fault] = details.get("writeErrors", [])
    unwell = [f["code"] for f in faults if f["code"] not in _CONTENT_CODES and f["code"] != _DUPLICATE_KEY]
    unwell += [f.get("code", 0) for f in details.get("writeConcernErrors", [])]
    if unwell or not faults:
        raise mongo.OperationFailure("", unwell[0] if unwell else error.code) from None
    return faults


def _is_version_conflict(fault: Fault) -> bool:
    """Whether an equal or newer version has the id, rather than another document a unique field."""
    return bool(fault["code"] == _DUPLICATE_KEY and "_id" in fault.get("keyPattern", {"_id": 1}))


def _refusal(fault: Fault) -> Rejected:
    if fault["code"] == _DUPLICATE_KEY:
        fields = ", ".join(fault["keyPattern"])
        return Rejected("not-unique", f"another document has the same value in the unique field {fields}")
    return Rejected("not-storable", f"MongoDB refuses the document (code {fault['code']})")
