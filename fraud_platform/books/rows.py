"""Rows of topics and stores in one shape, their fingerprints, and sums of these that no order changes."""

import hashlib
import zlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from fraud_platform.core.decisions import canonical

POSITION = frozenset({"_id", "kafka_partition", "kafka_offset", "kafka_timestamp", "dt", "hr"})
"""Fields that say where a row came from."""
BUCKETS = 4096
_ONE = 1 << 160
"""Counts above the sum of 128-bit fingerprints: 2^32 of these fit below it."""
Key = TypeVar("Key")


class Row(msgspec.Struct, frozen=True, gc=False):
    """One row of a topic or a store.

    `id` follows from its fields, as MongoDB's `_id` is made of them; `hour` is the lake's, `dt=.../hr=..`, empty when
    unknown; `fields` have lower-case names and plain values, nulls left out; `name` is a document's own `_id`.
    """

    id: str
    partition: int
    offset: int
    hour: str
    fields: Mapping[str, Any]
    name: str = ""

    @property
    def position(self) -> tuple[int, int]:
        """(partition, offset), the version of its id."""
        return (self.partition, self.offset)


def plain_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Values that are equal for equal content, whichever store they come from."""
    return {
        name.lower(): plain(value) for name, value in fields.items() if value is not None and name not in POSITION
    }  # fmt: skip


def plain(value: Any) -> Any:
    """One value: money and times marked as such, since text of the same look is another value."""
    match value:
        case None | str() | bool() | float():
            return value
        case Mapping():
            return {str(name).lower(): plain(each) for name, each in value.items() if each is not None}
        case list() | tuple():
            return [plain(each) for each in value]
        case int():
            return int(value)
    return _marked(value.to_decimal() if hasattr(value, "to_decimal") else value)  # MongoDB's own decimal


def _marked(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"money:{canonical(value) if value.is_finite() else value}"
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return f"time:{round(aware.timestamp() * 1000)}"
    return f"{type(value).__name__}:{value}"


def fingerprint(row: Row, *, without: frozenset[str] = frozenset(), place: str = "") -> int:
    """128 bits of id, position and fields, and of the row's `place` in its store if that matters."""
    fields = [(name, row.fields[name]) for name in sorted(row.fields) if name not in without]
    text = msgspec.json.encode((row.id, row.partition, row.offset, place, fields), order="deterministic")
    return int.from_bytes(hashlib.blake2b(text, digest_size=16).digest())


def bucket(row_id: str) -> int:
    """One of `BUCKETS` groups of ids."""
    return zlib.crc32(row_id.encode()) % BUCKETS


class Sums(dict[Key, int]):
    """Count and sum of fingerprints per key; what is added and taken away again leaves nothing."""

    def add(self, key: Key, mark: int) -> None:
        """Count a fingerprint in."""
        self._move(key, _ONE + mark)

    def take(self, key: Key, mark: int) -> None:
        """Count one out."""
        self._move(key, -_ONE - mark)

    def _move(self, key: Key, by: int) -> None:
        left = self.get(key, 0) + by
        if left:
            self[key] = left
        else:
            self.pop(key, None)


def differing(fields: Mapping[str, Any], stored: Mapping[str, Any], without: Iterable[str] = ()) -> list[str]:
    """The names of fields that are not equal."""
    names = (fields.keys() | stored.keys()) - set(without)
    return sorted(name for name in names if fields.get(name) != stored.get(name))
