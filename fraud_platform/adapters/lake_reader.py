"""Reads the lake's bucket for the catalog: folders, names and sizes, and parts of objects."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

from botocore import exceptions as boto
from botocore.config import Config

from fraud_platform.adapters.s3 import ObjectInfo, ObjectStore, S3ObjectStore, s3_client
from fraud_platform.errors import ConfigurationError
from fraud_platform.settings import Settings

ATTEMPTS, READ_TIMEOUT_S = 4, 20
_BROKEN_OFF = (boto.ResponseStreamingError, boto.IncompleteReadError, boto.ReadTimeoutError)
_NOTHING = {"NoSuchKey", "404", "InvalidRange", "416"}


class LakeReader(ABC):
    """What a crawl asks of a bucket; errors as `ObjectStore`. Safe to use from several threads."""

    @abstractmethod
    def folders(self, prefix: str) -> Iterator[str]:
        """The folders directly below `prefix`, as prefixes that end with a slash, in order."""

    @abstractmethod
    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """The objects whose keys start with `prefix`, in the order of their keys."""

    @abstractmethod
    def part(self, key: str, start: int, length: int) -> bytes:
        """At most `length` bytes of the object from `start` on; nothing when it ends before, or is gone."""


class LakeStore(LakeReader, ObjectStore):
    """What a compaction asks of a bucket."""

    @abstractmethod
    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects, at most 1,000; those that are gone already count as deleted."""


class S3LakeReader(S3ObjectStore, LakeStore):
    """The bucket that the settings name. Nobody's stop waits for a read, so it is tried several times."""

    def __init__(self, settings: Settings) -> None:
        patient = Config(
            read_timeout=READ_TIMEOUT_S,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            response_checksum_validation="when_required",  # rclone sends the whole object's with each of its parts
        )
        super().__init__(settings, client=s3_client(settings, own=patient))

    def folders(self, prefix: str) -> Iterator[str]:
        """See `LakeReader.folders`."""
        pages = self._client.get_paginator("list_objects_v2")
        with self._translated():
            for page in pages.paginate(Bucket=self._bucket, Prefix=prefix, Delimiter="/"):
                for found in page.get("CommonPrefixes", []):
                    yield found["Prefix"]

    def part(self, key: str, start: int, length: int) -> bytes:
        """See `LakeReader.part`."""
        if length <= 0:
            return b""
        with self._translated():
            try:
                return self._read(key, f"bytes={start}-{start + length - 1}")
            except boto.ClientError as error:
                if error.response.get("Error", {}).get("Code") in _NOTHING:
                    return b""
                raise

    def delete(self, keys: Sequence[str]) -> None:
        """See `LakeStore.delete`."""
        with self._translated():
            done = self._client.delete_objects(
                Bucket=self._bucket, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True}
            )
        if errors := done.get("Errors"):
            raise ConfigurationError(
                f"Objects of the bucket {self._bucket!r} cannot be deleted ({errors[0].get('Code', 'no code')}); allow"
                " s3:DeleteObject."
            )

    def _read(self, key: str, part: str, attempts: int = ATTEMPTS) -> bytes:
        """boto3 tries a request again, but not an answer that breaks off."""
        body = self._client.get_object(Bucket=self._bucket, Key=key, Range=part)["Body"]
        try:
            return body.read()
        except _BROKEN_OFF:
            if attempts == 1:
                raise
        return self._read(key, part, attempts - 1)
