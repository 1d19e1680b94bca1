"""S3: objects by key in the lake's bucket; embedded, on AWS, or anything that speaks its API."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
from botocore import exceptions as boto
from botocore.config import Config

from fraud_platform.adapters.aws_session import aws_session, embedded_session
from fraud_platform.adapters.client_logs import keep_payloads_out_of_logs
from fraud_platform.errors import ConfigurationError, StoreUnavailable
from fraud_platform.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# A stop waits for a hanging PUT, so there is one attempt: the stage's pause and replay are the retry.
CONNECT_TIMEOUT_S, READ_TIMEOUT_S, ATTEMPTS = 2, 4, 1
_NOT_FOUND = {"404", "NoSuchKey"}
_TRY_AGAIN = {408, 409, 425, 429}
_SERVER_ERROR = 500
_MISCONFIGURED = (
    boto.NoCredentialsError, boto.PartialCredentialsError, boto.ProfileNotFound, boto.NoRegionError,
    boto.InvalidRegionError, boto.ParamValidationError, boto.SSOError, boto.TokenRetrievalError,
)  # fmt: skip


class ObjectInfo(msgspec.Struct, frozen=True):
    """An object's key, its size in bytes, and when it was last written."""

    key: str
    size: int
    modified: datetime


class ObjectStore(ABC):
    """Objects of one bucket. Safe to use from several threads.

    Every method raises `StoreUnavailable` when the store does not answer, and `ConfigurationError`
    when it refuses us or has no such bucket.
    """

    @abstractmethod
    def put(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> None:
        """Write an object whole, or not at all; the one that is there is replaced."""

    @abstractmethod
    def get(self, key: str) -> bytes | None:
        """The object's bytes, or None when there is none."""

    @abstractmethod
    def head(self, key: str) -> ObjectInfo | None:
        """What is known about an object, or None when there is none."""

    @abstractmethod
    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """The objects whose keys start with `prefix`, in the order of their keys."""

    @abstractmethod
    def prepare(self) -> None:
        """Make sure that the bucket is there; only the embedded store's is created unasked."""

    def ready(self) -> bool:
        """Whether the store answers."""
        try:
            self.prepare()
        except StoreUnavailable:
            return False
        return True


def s3_client(settings: Settings, *, own: Config | None = None) -> "S3Client":
    """A client with bounded timeouts and retries; the embedded store's keys unless `FRAUD_AWS=aws`.

    `own` stands above the bounds of the lake's writer.

    Raises:
        ConfigurationError: no address or no keys are known, or the AWS profile is none.
    """
    keep_payloads_out_of_logs()
    bounds = Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        user_agent_extra="fraud-platform",
    ).merge(own or Config())
    try:
        return _aws_client(settings, bounds) if settings.aws == "aws" else _local_client(settings, bounds)
    except (boto.BotoCoreError, ValueError) as error:
        raise ConfigurationError(
            f"No S3 client can be made from the settings ({type(error).__name__}); look at the AWS variables,"
            " AWS_ENDPOINT_URL_S3 and the AWS profile."
        ) from None


def _aws_client(settings: Settings, bounds: Config) -> "S3Client":
    return aws_session(settings).client("s3", endpoint_url=settings.s3_endpoint, config=bounds)


def _local_client(settings: Settings, bounds: Config) -> "S3Client":
    """Ignores the shell's AWS keys, profile and proxies: nothing of a first try may leave this machine."""
    endpoint = settings.require("AWS_ENDPOINT_URL_S3")
    if settings.local_s3_access_key is None or settings.local_s3_secret_key is None:
        raise ConfigurationError("The embedded S3 store has no keys yet; run `make up` first, or set FRAUD_AWS=aws.")
    secret = settings.local_s3_secret_key.get_secret_value()
    session = embedded_session(settings, key=settings.local_s3_access_key, secret=secret)
    here = Config(proxies={}, s3={"addressing_style": "path"})
    return session.client("s3", endpoint_url=endpoint, config=bounds.merge(here))


class S3ObjectStore(ObjectStore):
    """The bucket that the settings name.

    Args:
        settings: the platform's.
        create_bucket: whether `prepare` may create a bucket that is not the embedded store's.
        client: one with other bounds than those of the lake's writer.
    """

    def __init__(self, settings: Settings, *, create_bucket: bool = False, client: "S3Client | None" = None) -> None:
        self._client = client or s3_client(settings)
        self._bucket = settings.lake_bucket
        self._creates_bucket = create_bucket or settings.aws == "local"

    def put(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> None:
        """See `ObjectStore.put`."""
        with self._translated():
            self._client.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType=content_type)

    def get(self, key: str) -> bytes | None:
        """See `ObjectStore.get`."""
        with self._translated():
            try:
                return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
            except boto.ClientError as error:
                if _code(error) in _NOT_FOUND:
                    return None
                raise

    def head(self, key: str) -> ObjectInfo | None:
        """See `ObjectStore.head`."""
        with self._translated():
            try:
                found = self._client.head_object(Bucket=self._bucket, Key=key)
            except boto.ClientError as error:
                if _code(error) in _NOT_FOUND:
                    return None
                raise
        return ObjectInfo(key, found["ContentLength"], found["LastModified"])

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """See `ObjectStore.list`."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        with self._translated():
            for page in pages:
                for found in page.get("Contents", []):
                    yield ObjectInfo(found["Key"], found["Size"], found["LastModified"])

    def prepare(self) -> None:
        """See `ObjectStore.prepare`."""
        with self._translated():
            try:
                self._client.head_bucket(Bucket=self._bucket)
            except boto.ClientError as error:
                if not (self._creates_bucket and _status(error) == 404):  # noqa: PLR2004 - HTTP: not found
                    raise
                self._create_bucket()

    def _create_bucket(self) -> None:
        try:
            self._client.create_bucket(Bucket=self._bucket)
        except boto.ClientError as error:
            if not _code(error).startswith("BucketAlready"):  # another slot was quicker
                raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """boto3's errors as ours; their texts stay out, since they may quote what was sent."""
        try:
            yield
        except _MISCONFIGURED as error:
            raise ConfigurationError(
                f"S3 cannot be asked ({type(error).__name__}); look at the AWS credentials and the region."
            ) from None
        except boto.ClientError as error:
            raise self._refusal(error) from None
        except (boto.BotoCoreError, boto.HTTPClientError) as error:
            raise StoreUnavailable(f"S3 does not answer ({type(error).__name__}).") from error

    def _refusal(self, error: boto.ClientError) -> ConfigurationError | StoreUnavailable:
        code, status = _code(error), _status(error)
        if status >= _SERVER_ERROR or status in _TRY_AGAIN or code in {"SlowDown", "RequestTimeout"}:
            return StoreUnavailable(f"S3 answers with {code} (status {status}).")
        if code in {"NoSuchBucket", "404"}:
            return ConfigurationError(
                f"S3 has no bucket {self._bucket!r} that we can see; create it, or change FRAUD_LAKE_BUCKET."
            )
        return ConfigurationError(
            f"S3 refuses the bucket {self._bucket!r} with {code} (status {status}); check the credentials,"
            " their permissions on it, and its region."
        )


def _code(error: boto.ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _status(error: boto.ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
