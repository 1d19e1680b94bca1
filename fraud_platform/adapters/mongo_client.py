"""How we reach MongoDB, and what its errors mean to us."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pymongo import MongoClient
from pymongo import errors as mongo
from pymongo.database import Database

from fraud_platform.adapters.client_logs import keep_payloads_out_of_logs
from fraud_platform.errors import ConfigurationError, StoreUnavailable
from fraud_platform.settings import Settings

SELECTION_TIMEOUT_MS, CONNECT_TIMEOUT_MS = 3000, 2000
_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"
REFUSED_CODES = frozenset({13, 18, 33, 8000})  # not authorized, wrong password, no such user, Atlas says no


def mongo_client(settings: Settings) -> MongoClient[dict[str, Any]]:
    """A client with bounded timeouts; it connects at first use.

    Raises:
        ConfigurationError: the address is missing or not a MongoDB connection string.
        StoreUnavailable: its host name cannot be resolved now.
    """
    keep_payloads_out_of_logs()
    address = settings.mongodb_address
    try:
        return MongoClient(
            address,
            appname="fraud-platform",
            tz_aware=True,
            serverSelectionTimeoutMS=SELECTION_TIMEOUT_MS,
            connectTimeoutMS=CONNECT_TIMEOUT_MS,
        )
    except (mongo.ConfigurationError, mongo.InvalidURI, ValueError, TypeError) as error:
        if address.startswith("mongodb+srv:") and "DNS" in str(error):
            raise StoreUnavailable("The host name of the MongoDB cluster cannot be looked up.") from None
        raise ConfigurationError(
            "The MongoDB address is no valid connection string; look at MONGODB_URI or MY_MONGODB_*."
        ) from None


def database(client: MongoClient[dict[str, Any]], settings: Settings) -> Database[dict[str, Any]]:
    """The database that the settings name.

    Raises:
        ConfigurationError: MongoDB allows no such name.
    """
    try:
        return client.get_database(settings.mongodb_database)
    except mongo.InvalidName:
        raise ConfigurationError(
            f"FRAUD_MONGODB_DATABASE={settings.mongodb_database!r} is no name that MongoDB allows for a database."
        ) from None


@contextmanager
def translated() -> Iterator[None]:
    """Errors of pymongo as ours; their texts stay out, since they quote documents and addresses.

    Raises:
        ConfigurationError: MongoDB refuses us.
        StoreUnavailable: it does not answer, or not in time.
    """
    try:
        yield
    except mongo.OperationFailure as error:
        if error.code in REFUSED_CODES:
            raise ConfigurationError(
                f"MongoDB refuses us (code {error.code}); check the user, its password and its rights."
            ) from None
        raise StoreUnavailable(f"MongoDB could not do what it was asked (code {error.code}).") from None
    except mongo.PyMongoError as error:
        if _UNTRUSTED in str(error):
            raise ConfigurationError(
                "MongoDB's certificate is not trusted; name the file of its authority with tlsCAFile in MONGODB_URI."
            ) from None
        raise StoreUnavailable(f"MongoDB does not answer ({type(error).__name__}).") from None
