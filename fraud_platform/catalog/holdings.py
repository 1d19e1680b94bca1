"""What the catalog remembers of an hour of a curated table: where its files lie, and which raw objects they hold.

Both stand in one partition of the catalog and change in one call, so a reader of the partition can never take the
files of one compaction for those of another.
"""

from collections.abc import Iterable, Mapping

import msgspec

from fraud_platform.catalog.hours import HourKey, Place, folder_of

HOLDS = "fraud_platform.holds"


class Holdings(msgspec.Struct, frozen=True):
    """The raw objects in an hour's curated files: the last start offset by Kafka partition, their number and bytes.

    Objects of a Kafka partition come in the order of their start offsets, so later ones are the late ones.
    """

    ends: Mapping[str, int]
    objects: int
    size: int

    @classmethod
    def of(cls, objects: Iterable[tuple[Place, int]]) -> "Holdings":
        """The holdings behind places and sizes in bytes."""
        ends: dict[str, int] = {}
        count = total = 0
        for place, size in objects:
            name = str(place.partition)
            ends[name] = max(ends.get(name, place.start), place.start)
            count, total = count + 1, total + size
        return cls(dict(sorted(ends.items())), count, total)

    def holds(self, place: Place) -> bool:
        """Whether an object of this place is among them, unless objects came out of order or are gone."""
        return place.start <= self.ends.get(str(place.partition), -1)

    def is_within(self, other: "Holdings") -> bool:
        """Whether the other ones hold at least as much, from every Kafka partition and in all."""
        reaches = all(end <= other.ends.get(name, -1) for name, end in self.ends.items())
        return reaches and self.objects <= other.objects


class CuratedHour(msgspec.Struct, frozen=True):
    """An hour of a curated table.

    `version` names the folder of its files, which are numbered from 0 and never change; `schema` names their columns
    in the table's entry; `rows` and `size` (bytes) are those of all its files.
    """

    key: HourKey
    version: str
    files: int
    rows: int
    size: int
    schema: str
    raw: Holdings

    @property
    def folder(self) -> str:
        """The folder of the files below the table's."""
        return version_folder(self.key, self.version)

    def names(self) -> list[str]:
        """The files below the table's folder."""
        return [self.folder + file_name(number) for number in range(self.files)]

    def parameters(self) -> dict[str, str]:
        """As parameters of the catalog's partition."""
        note = _Note(self.version, self.schema, self.raw)
        return {
            "classification": "parquet",
            "objectCount": str(self.files),
            "recordCount": str(self.rows),
            "sizeKey": str(self.size),
            HOLDS: msgspec.json.encode(note).decode(),
        }

    @classmethod
    def of(cls, key: HourKey, parameters: Mapping[str, str] | None) -> "CuratedHour | None":
        """The hour behind a partition's parameters; None when they are not ours."""
        try:
            texts = parameters or {}
            note = msgspec.json.decode(texts[HOLDS], type=_Note)
            files, rows, size = (int(texts[name]) for name in ("objectCount", "recordCount", "sizeKey"))
        except (KeyError, ValueError, msgspec.DecodeError):
            return None
        return cls(key, note.version, files, rows, size, note.schema, note.raw)


class _Note(msgspec.Struct, frozen=True):
    version: str
    schema: str
    raw: Holdings


def version_folder(key: HourKey, version: str) -> str:
    """The folder of one version of an hour below its table's."""
    return f"{folder_of(key)}{version}/"


def file_name(number: int) -> str:
    """The name of a curated file."""
    return f"part-{number:05d}.parquet"


def curated_hours(partitions: Mapping[HourKey, Mapping[str, str]]) -> dict[HourKey, CuratedHour]:
    """The hours behind a curated table's partitions, in order; those that are not ours count for nothing."""
    found = {key: CuratedHour.of(key, parameters) for key, parameters in sorted(partitions.items())}
    return {key: hour for key, hour in found.items() if hour is not None}
