"""Reads the lake's bucket for the catalog: folders, names and sizes, and parts of objects."""

from abc import ABC, abstractmethod
from collections.abc import Iterator

from fraud_platform.adapters.s3 import ObjectInfo, S3ObjectStore


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
        """At most `length` bytes of the object from `start` on; nothing when the object is gone."""


class S3LakeReader(S3ObjectStore, LakeReader):
    """The bucket that the settings name."""

    def folders(self, prefix: str) -> Iterator[str]:
        """See `LakeReader.folders`."""
        pages = self._client.get_paginator("list_objects_v2")
        with self._translated():
            for page in pages.paginate(Bucket=self._bucket, Prefix=prefix, Delimiter="/"):
                for found in page.get("CommonPrefixes", []):
                    yield found["Prefix"]

    def part(self, key: str, start: int, length: int) -> bytes:
        """See `LakeReader.part`."""
        with self._translated():
            try:
                found = self._client.get_object(
                    Bucket=self._bucket, Key=key, Range=f"bytes={start}-{start + length - 1}"
                )
                return found["Body"].read()
            except self._client.exceptions.NoSuchKey:
                return b""
