"""Who filled the collections that we would write to: questions that change nothing."""

from collections.abc import Collection, Mapping

import msgspec
import pymongo
from pymongo.errors import ExecutionTimeout

from fraud_platform.adapters.mongo import QUESTION_TIMEOUT_S, TOPICS_COLLECTION
from fraud_platform.adapters.mongo_client import database, mongo_client, translated
from fraud_platform.settings import Settings

MANY = 1000
"""Counting stops here: one is enough to know."""
_REPEATS_WITHIN_MS = 2000


class Strangers(msgspec.Struct, frozen=True):
    """Documents of a collection that somebody else's sink made; `count` stops at `MANY`.

    `repeats` names a field that must be unique and holds a value twice, if that could be found out in time.
    """

    collection: str
    count: int
    repeats: str = ""


def strangers(settings: Settings, unique: Mapping[str, Collection[str]]) -> list[Strangers]:
    """The collections with documents whose `_id` is an ObjectId; ours are always text.

    Args:
        settings: which MongoDB and database.
        unique: collection -> the fields that we index as unique.

    Raises:
        ConfigurationError: MongoDB refuses us.
        StoreUnavailable: it does not answer.
    """
    found = []
    with translated(), pymongo.timeout(QUESTION_TIMEOUT_S), mongo_client(settings) as client:
        db = database(client, settings)
        for name, fields in unique.items():
            count = db[name].count_documents({"_id": {"$type": "objectId"}}, limit=MANY)
            if count:
                repeated = next((field for field in fields if _repeats(db[name], field)), "")
                found.append(Strangers(name, count, repeated))
    return found


def _repeats(collection: "pymongo.collection.Collection[dict[str, object]]", field: str) -> bool:
    group = {"$group": {"_id": f"${field}", "n": {"$sum": 1}}}
    try:
        return any(collection.aggregate(
            [group, {"$match": {"n": {"$gt": 1}}}, {"$limit": 1}], maxTimeMS=_REPEATS_WITHIN_MS
        ))  # fmt: skip
    except ExecutionTimeout:
        return False


def claims(settings: Settings) -> dict[str, tuple[str, str]]:
    """Collection -> (name, id) of the Kafka topic that it was filled from.

    Raises:
        ConfigurationError: MongoDB refuses us.
        StoreUnavailable: it does not answer.
    """
    with translated(), pymongo.timeout(QUESTION_TIMEOUT_S), mongo_client(settings) as client:
        notes = database(client, settings)[TOPICS_COLLECTION].find()
        return {str(note["_id"]): (str(note.get("topic")), str(note.get("topic_id"))) for note in notes}
