"""Stored decisions read back fast: what they say after id, stage and time is the same for nearly all of them."""

import re
from collections.abc import Collection
from typing import Any

from fraud_platform.adapters.avro import Decode
from fraud_platform.adapters.avro_source import to_millis, zigzag
from fraud_platform.core.decisions import Decision
from fraud_platform.core.outcome import Rejected
from fraud_platform.replay.compare import decision_of

_HEADER = 5
"""Bytes of magic and schema id."""
_KNOWN, _LONGEST = 10_000, 4_096
_SHORT = 64
"""Texts of fewer bytes have a length of one byte before them: twice their own."""

Named = tuple[str, Decision]


class DecisionReader:
    """Key and value of a record -> transaction id and decision of one stage; equal decisions are one object.

    A value is decoded once per schema id and rest. The parts before the rest (the id, which is the key too, stage and
    time) are skipped by the layout that the first full decoding of that rest has confirmed.
    """

    def __init__(self, decode: Decode, stage: str, others: Collection[str] = ()) -> None:
        """`others` are the stages whose decisions are not wanted."""
        self._decode = decode
        self._stage = stage
        self._skip = re.compile(re.escape(_text(stage)) + rb"([\x80-\xff]*[\x00-\x7f])").match
        self._others = tuple(map(_text, others))
        self._known: dict[bytes, Decision] = {}

    def read(self, key: bytes | None, value: bytes | None) -> Named | Rejected | None:
        """The transaction and its decision, None where it is another stage's, or why the value is none."""
        if key is None or value is None or not _begins_with(value, key):
            return self._told(self._decode(value))
        at = _HEADER + 1 + len(key)
        skipped = self._skip(value, at)
        if skipped is None:
            return None if value.startswith(self._others, at) else self._told(self._decode(value))
        rest = value[:_HEADER] + value[skipped.end() :]
        known = self._known.get(rest)
        return (key.decode(), known) if known is not None else self._learned(key, value, skipped[1], rest)

    def _learned(self, key: bytes, value: bytes, time: bytes, rest: bytes) -> Named | Rejected | None:
        row = self._decode(value)
        told = self._told(row)
        if told is None or isinstance(told, Rejected) or isinstance(row, Rejected):
            return told
        is_ours = (told[0].encode(), zigzag(to_millis(row["decided_at"]))) == (key, time)
        if is_ours and len(rest) <= _LONGEST:
            if len(self._known) >= _KNOWN:
                self._known.clear()
            self._known[rest] = told[1]
        return told

    def _told(self, row: dict[str, Any] | Rejected) -> Named | Rejected | None:
        if isinstance(row, Rejected):
            return row
        return (row["transaction_id"], decision_of(row)) if row["stage"] == self._stage else None


def _begins_with(value: bytes, name: bytes) -> bool:
    size = len(name)
    return size < _SHORT and value.startswith(name, _HEADER + 1) and value[_HEADER] == 2 * size


def _text(word: str) -> bytes:
    """A short text as Avro has it."""
    return bytes([2 * len(word)]) + word.encode()
