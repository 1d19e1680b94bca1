"""Reads from MongoDB: one query, its rows as plain values."""

from collections.abc import Iterator
from typing import Any

from bson.errors import BSONError
from pymongo import ReadPreference
from pymongo.errors import InvalidName, OperationFailure

from fraud_platform.adapters.bson_values import CODEC
from fraud_platform.adapters.mongo_client import REFUSED_CODES, database, mongo_client, translated
from fraud_platform.documents.shell import Query
from fraud_platform.errors import ConfigurationError
from fraud_platform.settings import Settings

TIME_LIMIT_MS = 60_000
_BATCH = 1000
_TIME_OVER = 50


def rows(settings: Settings, query: Query) -> Iterator[dict[str, Any]]:
    """The rows of the query, as they come.

    Raises:
        ConfigurationError: MongoDB refuses us or the query.
        StoreUnavailable: MongoDB does not answer.
    """
    with translated(), mongo_client(settings) as client:
        found = database(client, settings).with_options(CODEC, ReadPreference.PRIMARY_PREFERRED)
        try:
            with _open(found[query.collection], query) as cursor:
                yield from cursor
        except (InvalidName, BSONError, TypeError, ValueError) as error:
            raise ConfigurationError(f"MongoDB has no form for the query ({type(error).__name__}).") from None
        except OperationFailure as error:
            if error.code in REFUSED_CODES:
                raise
            raise ConfigurationError(_complaint(error)) from None


def _open(collection: Any, query: Query) -> Any:
    if query.operation == "aggregate":
        (pipeline,) = query.arguments
        return collection.aggregate(pipeline, batchSize=_BATCH, allowDiskUse=True, maxTimeMS=TIME_LIMIT_MS)
    cursor = collection.find(*query.arguments, batch_size=_BATCH, max_time_ms=TIME_LIMIT_MS)
    for name, value in query.modifiers:
        getattr(cursor, name)(value)
    return cursor


def _complaint(error: OperationFailure) -> str:
    """MongoDB's own words about the user's own text."""
    if error.code == _TIME_OVER:
        return f"The query took longer than {TIME_LIMIT_MS // 1000} seconds; narrow it, or add an index."
    words = str((error.details or {}).get("errmsg", "no reason given")).rstrip(".")
    return f"MongoDB refuses the query (code {error.code}): {words}."
