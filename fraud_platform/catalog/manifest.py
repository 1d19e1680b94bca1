"""The manifest beside an hour's curated files: which raw objects each of them holds.

It is written last, so files without it are of a compaction that did not end. Its name begins with an underscore,
which keeps it out of the table for every engine of the Hive family.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from fraud_platform.adapters.lake_reader import LakeReader

NAME = "_manifest.json"
LARGEST = 64 * 1024 * 1024


class RawObject(msgspec.Struct, frozen=True):
    """A raw object: its key in the bucket, its bytes and rows."""

    key: str
    size: int
    rows: int


class CuratedFile(msgspec.Struct, frozen=True):
    """A curated file: its name in the folder, rows, bytes, the hash of its content, and the raw objects in it."""

    name: str
    rows: int
    size: int
    sha256: str
    holds: tuple[RawObject, ...]


class Manifest(msgspec.Struct, frozen=True):
    """All of one version of an hour.

    `columns` are names and Hive types; `left_out` maps raw objects that the table cannot hold to (bytes, reason).
    """

    columns: tuple[tuple[str, str], ...]
    files: tuple[CuratedFile, ...]
    left_out: Mapping[str, tuple[int, str]]

    @property
    def rows(self) -> int:
        """Rows of all files."""
        return sum(file.rows for file in self.files)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def sizes(self) -> dict[str, int]:
        """Bytes of every raw object that was looked at, by key."""
        held = {each.key: each.size for file in self.files for each in file.holds}
        return held | {key: size for key, (size, _) in self.left_out.items()}

    def covered(self, objects: Iterable[tuple[str, int]]) -> set[str]:
        """The raw objects that need no further look; one that was left out and is another now does."""
        held = {each.key for file in self.files for each in file.holds}
        return {key for key, size in objects if key in held or self.left_out.get(key, (None, ""))[0] == size}

    def is_of(self, objects: Iterable[tuple[str, int]]) -> bool:
        """Whether it was made of exactly these objects (key and bytes)."""
        return dict(objects) == self.sizes()

    @property
    def version(self) -> str:
        """The name of its content: equal compactions give equal ones."""
        return hashlib.sha256(self.to_bytes()).hexdigest()[:16]

    def to_bytes(self) -> bytes:
        """As it is stored; the same content gives the same bytes."""
        return msgspec.json.format(msgspec.json.encode(self, order="deterministic"), indent=1)

    @classmethod
    def of(cls, body: bytes) -> "Manifest | None":
        """The manifest in an object; None when it is none of ours."""
        try:
            return msgspec.json.decode(body, type=cls)
        except msgspec.DecodeError:
            return None


def read_manifest(lake: LakeReader, folder: str) -> Manifest | None:
    """The manifest in a folder of the bucket, or None when there is none.

    Raises:
        StoreUnavailable: the lake does not answer.
    """
    body = lake.part(folder + NAME, 0, LARGEST)
    return Manifest.of(body) if body else None


def missing(manifest: Manifest, objects: Iterable[tuple[str, int]]) -> Sequence[str]:
    """The raw objects whose rows it holds and that are gone, or are no longer what they were."""
    there = dict(objects)
    held = (each for file in manifest.files for each in file.holds)
    return sorted(each.key for each in held if there.get(each.key) != each.size)
