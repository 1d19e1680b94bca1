"""A bucket in memory."""

from collections.abc import Iterator
from datetime import UTC, datetime

from fraud_platform.adapters.s3 import ObjectInfo, ObjectStore
from fraud_platform.errors import StoreUnavailable

START = datetime(2026, 1, 1, tzinfo=UTC)


class FakeBucket(ObjectStore):
    """`now` is the time at which objects are put."""

    def __init__(self) -> None:
        self.now = START
        self.modified: dict[str, datetime] = {}
        self.objects: dict[str, bytes] = {}
        self.puts: list[str] = []
        self.is_down = False

    def put(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> None:
        self._answer()
        self.puts.append(key)
        self.objects[key] = body
        self.modified[key] = self.now

    def get(self, key: str) -> bytes | None:
        self._answer()
        return self.objects.get(key)

    def head(self, key: str) -> ObjectInfo | None:
        self._answer()
        return self._info(key) if key in self.objects else None

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        self._answer()
        yield from (self._info(key) for key in sorted(self.objects) if key.startswith(prefix))

    def prepare(self) -> None:
        self._answer()

    def _info(self, key: str) -> ObjectInfo:
        return ObjectInfo(key, len(self.objects[key]), self.modified.get(key, START))

    def _answer(self) -> None:
        if self.is_down:
            raise StoreUnavailable("S3 does not answer (down on purpose).")
