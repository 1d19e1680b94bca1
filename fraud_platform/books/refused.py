"""What the sinks have dead-lettered, remembered: a dead letter goes after its retention, and its record may stay."""

import msgspec

from fraud_platform.books.book import read
from fraud_platform.books.sources import BookStore, Saved

MOST = 200_000
"""Positions that are kept, those of the lowest offsets: of later ones the dead letters are still there."""
Position = tuple[int, int]


class _Refused(msgspec.Struct):
    """Partitions and offsets of a topic."""

    positions: list[Position] = []


def remembered(store: BookStore, name: str, found: set[Position]) -> set[Position]:
    """Positions that are found now, and those that were found before under this name.

    Raises: as `BookStore`.
    """
    note = read(store.get([name]).get(name), _Refused) or _Refused()
    known = found.union(note.positions)
    kept = sorted(known, key=lambda position: position[::-1])[:MOST]
    if len(kept) > len(note.positions):
        store.put([Saved(name, (0, len(kept)), msgspec.to_builtins(_Refused(kept)))])
    return known
