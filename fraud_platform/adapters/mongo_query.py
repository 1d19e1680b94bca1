"""Reads from MongoDB: one query, its rows as plain values."""

from collections.abc import Iterator, Mapping
from typing import Any

from bson.errors import BSONError
from pymongo import ReadPreference
from pymongo.errors import InvalidName, OperationFailure
from pymongo.read_concern import ReadConcern

from fraud_platform.adapters.bson_values import CODEC
from fraud_platform.adapters.mongo_client import REFUSED_CODES, database, mongo_client, translated
from fraud_platform.documents.shell import Query
from fraud_platform.errors import ConfigurationError
from fraud_platform.settings import Settings

TIME_LIMIT_MS = 60_000
_BATCH = 1000
_TIME_OVER = 50


def rows(settings: Settings, query: Query, *, settled: bool = False) -> Iterator[dict[str, Any]]:
    """The rows of the query, as they come; ends a query that takes longer than a minute.

    `settled` ones are as a majority has them, from the primary, however long that takes.

    Raises:
        ConfigurationError: MongoDB refuses us or the query.
        StoreUnavailable: MongoDB does not answer.
    """
    with translated(), mongo_client(settings) as client:
        preference = ReadPreference.PRIMARY if settled else ReadPreference.PRIMARY_PREFERRED
        concern = ReadConcern("majority") if settled else None
        found = database(client, settings).with_options(CODEC, preference, read_concern=concern)
        limit = {} if settled else {"maxTimeMS": TIME_LIMIT_MS}
        try:
            with _open(found[query.collection], query, limit) as cursor:
                yield from cursor
        except (InvalidName, BSONError, TypeError, ValueError) as error:
            raise ConfigurationError(f"MongoDB has no form for the query ({type(error).__name__}).") from None
        except OperationFailure as error:
            if error.code in REFUSED_CODES:
                raise
            raise ConfigurationError(_complaint(error)) from None


def _open(collection: Any, query: Query, limit: Mapping[str, int]) -> Any:
    if query.operation == "aggregate":
        (pipeline,) = query.arguments
        return collection.aggregate(pipeline, batchSize=_BATCH, allowDiskUse=True, **limit)
    cursor = collection.find(*query.arguments, batch_size=_BATCH, max_time_ms=limit.get("maxTimeMS"))
    for name, value in query.modifiers:
        getattr(cursor, name)(value)
    return cursor


def _complaint(error: OperationFailure) -> str:
    """MongoDB's own words about the user's own text."""
    if error.code == _TIME_OVER:
        return f"The query took longer than {TIME_LIMIT_MS // 1000} seconds; narrow it, or add an index."
    words = str((error.details or {}).get("errmsg", "no reason given")).rstrip(".")
    return f"MongoDB refuses the query (code {error.code}): {words}."
