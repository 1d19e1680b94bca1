"""What an Avro container file says about itself: its schema, and how many rows it holds.

The numbers at the start of each block are read, and rows are never decoded. Long blocks are jumped over; short
ones are read many at once, since a request costs more than the bytes between two of them.
"""

import json
from collections.abc import Callable
from typing import Any

import msgspec

from fraud_platform.core.outcome import Rejected

FIRST_BYTES = 16 * 1024
"""Holds the header and the first block's start of every file that the lake writes."""
LONGEST_HEADER = 4 * 1024 * 1024
READ_AHEAD = 4 * 1024 * 1024
JUMP = 512 * 1024
"""Blocks at least so long are jumped over."""
_MAGIC = b"Obj\x01"
_SYNC = 16
_BLOCK_START = 20
"""Two numbers of at most ten bytes each."""

Part = Callable[[int, int], bytes]
"""Reads at most so many bytes from a position on."""


class Header(msgspec.Struct, frozen=True):
    """A file's schema, as read from JSON, and its number of rows."""

    schema: Any
    rows: int


class _Short(Exception):
    """The bytes end too early."""


class _Cursor:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def number(self) -> int:
        """A zig-zag coded number."""
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:  # noqa: PLR2004 - the format's continuation bit
                return (value >> 1) ^ -(value & 1)
            shift += 7

    def take(self, length: int) -> bytes:
        if length < 0 or self.at + length > len(self._data):
            raise _Short
        self.at += length
        return self._data[self.at - length : self.at]


def read_header(part: Part, size: int) -> Header | Rejected:
    """The header of a file of `size` bytes, or why it is none; `part` raises whatever its store raises."""
    length = FIRST_BYTES
    while True:
        data = part(0, min(length, size))
        if not data.startswith(_MAGIC):
            return Rejected("not-avro", "the object is no Avro container file")
        try:
            metadata, end = _metadata(data)
            break
        except _Short:
            if length >= min(size, LONGEST_HEADER):
                return Rejected("truncated", "the file's header is cut off")
            length *= 8
    try:
        schema = json.loads(metadata["avro.schema"])
    except (KeyError, ValueError, RecursionError):
        return Rejected("no-schema", "the file's header holds no readable schema")
    rows = _rows(part, data, end, size)
    return rows if isinstance(rows, Rejected) else Header(schema, rows)


def _metadata(data: bytes) -> tuple[dict[str, bytes], int]:
    cursor = _Cursor(data)
    cursor.take(len(_MAGIC))
    found: dict[str, bytes] = {}
    while count := cursor.number():
        if count < 0:
            count, _size = -count, cursor.number()
        for _ in range(count):
            name = cursor.take(cursor.number()).decode(errors="replace")
            found[name] = cursor.take(cursor.number())
    cursor.take(_SYNC)
    return found, cursor.at


def _rows(part: Part, head: bytes, at: int, size: int) -> int | Rejected:
    """Sums the blocks' counts, going from one to the next."""
    rows = length = begin = 0
    data = head
    while at < size:
        if at + min(_BLOCK_START, size - at) > begin + len(data):
            begin, data = at, part(at, min(_BLOCK_START if length >= JUMP else READ_AHEAD, size - at))
        cursor = _Cursor(data[at - begin : at - begin + _BLOCK_START])
        try:
            count, length = cursor.number(), cursor.number()
        except _Short:
            return Rejected("truncated", "a block of the file is cut off")
        at += cursor.at + length + _SYNC
        if count < 0 or length < 0 or at > size:
            return Rejected("truncated", "a block of the file is cut off")
        rows += count
    return rows
