"""What is remembered of one hour of a table, so that its objects are opened once.

Within an hour and a Kafka partition objects come in the order of their start offsets, so the last one seen tells
which are new; changed counts or sizes among the seen ones tell that the hour must be read again.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache

import msgspec

from fraud_platform.core.partitioning import topic_prefix

_NAME = re.compile(r"dt=(\d{4}-\d\d-\d\d)/hr=(\d\d)/[^/]+\+(\d+)\+(\d{20})\.avro", re.ASCII)
_FOLDERS = {"dt": re.compile(r"/dt=(\d{4}-\d\d-\d\d)/$", re.ASCII), "hr": re.compile(r"/hr=(\d\d)/$", re.ASCII)}
SEEN = "fraud_platform.seen"
UNUSABLE = ""
"""Stands in place of a schema for objects that the table cannot hold."""
MAX_NOTED = 200

HourKey = tuple[str, str]
"""`dt` and `hr` as text, e.g. ("2026-01-01", "07")."""


def folder_of(key: HourKey) -> str:
    """The folder of an hour below its table's."""
    return f"dt={key[0]}/hr={key[1]}/"


class Place(msgspec.Struct, frozen=True):
    """Where an object lies: its hour, Kafka partition and start offset."""

    hour: HourKey
    partition: int
    start: int


def parts_of(folders: Iterable[str], key: str) -> list[tuple[str, str]]:
    """The folders of days (`dt`) or hours (`hr`), each with its value; other folders are not the lake's."""
    found = [(folder, _FOLDERS[key].search(folder)) for folder in folders]
    is_one = _is_day if key == "dt" else _is_hour
    return [(folder, each[1]) for folder, each in found if each and is_one(each[1])]


@cache
def _is_day(text: str) -> bool:
    return begin_of((text, "00")) is not None


def _is_hour(text: str) -> bool:
    return int(text) < 24  # noqa: PLR2004 - hours of a day


def begin_of(key: HourKey) -> datetime | None:
    """When the hour begins; None for a name that is no hour."""
    try:
        return datetime.strptime(" ".join(key), "%Y-%m-%d %H").replace(tzinfo=UTC)
    except ValueError:
        return None


def place_of(topic: str, key: str) -> Place | None:
    """The place behind an object's key; None for a name that the lake does not give."""
    found = _NAME.fullmatch(key.removeprefix(topic_prefix(topic)))
    if not found or not _is_day(found[1]) or not _is_hour(found[2]):
        return None
    return Place((found[1], found[2]), int(found[3]), int(found[4]))


def key_of(begin: datetime) -> HourKey:
    """The hour that begins then."""
    at = begin.astimezone(UTC)
    return (at.date().isoformat(), f"{at:%H}")


class Seen(msgspec.Struct):
    """Of one Kafka partition: the last start offset, and from which one on which schema is written."""

    last: int
    runs: list[tuple[int, str]]

    def schema_of(self, start: int) -> str:
        """The schema of the object that starts at `start`; an unseen one is taken to go on as before."""
        return next((schema for first, schema in reversed(self.runs) if first <= start), self.runs[0][1])


class _Note(msgspec.Struct):
    seen: dict[str, Seen]
    strange: dict[str, str] = {}


class Hour(msgspec.Struct):
    """An hour of a table: counts of what was seen, in objects, rows and bytes; and `strange` names with reasons."""

    key: HourKey
    objects: int = 0
    rows: int = 0
    size: int = 0
    seen: dict[str, Seen] = {}
    strange: dict[str, str] = {}

    @property
    def folder(self) -> str:
        """The hour's folder below its table's."""
        return folder_of(self.key)

    def knows(self, place: Place) -> bool:
        """Whether the object was seen before."""
        seen = self.seen.get(str(place.partition))
        return seen is not None and place.start <= seen.last

    def is_described_by(self, schemas: Iterable[str]) -> bool:
        """Whether the note is ours, and names only schemas that the table still knows."""
        named = {schema for seen in self.seen.values() for _, schema in seen.runs}
        return bool(self.seen or self.strange) and named <= {UNUSABLE, *schemas}

    def schema_of(self, place: Place) -> str | None:
        """The name of the object's schema; None when nothing of its Kafka partition was seen."""
        seen = self.seen.get(str(place.partition))
        return seen.schema_of(place.start) if seen else None

    def add(self, place: Place, *, size: int, rows: int, schema: str) -> None:
        """Remember an object; those of one Kafka partition come in the order of their start offsets."""
        self.objects, self.size, self.rows = self.objects + 1, self.size + size, self.rows + rows
        name = str(place.partition)
        if name not in self.seen:
            self.seen[name] = Seen(place.start, [(place.start, schema)])
            return
        seen = self.seen[name]
        seen.last = place.start
        if seen.runs[-1][1] != schema:
            seen.runs.append((place.start, schema))

    def is_as_seen(self, known: Iterable[tuple[Place, int]]) -> bool:
        """Whether these objects (place and size in bytes) are those that were counted."""
        sizes = [size for _, size in known]
        return (len(sizes), sum(sizes)) == (self.objects, self.size)

    def note(self, name: str, reason: str) -> None:
        """Remember an object that the table cannot hold."""
        if len(self.strange) < MAX_NOTED:
            self.strange[name] = reason

    def parameters(self) -> dict[str, str]:
        """As parameters of the catalog's partition; the counts have the names that AWS crawlers give them."""
        return {
            "classification": "avro",
            "objectCount": str(self.objects),
            "recordCount": str(self.rows),
            "sizeKey": str(self.size),
            SEEN: msgspec.json.encode(_Note(self.seen, self.strange)).decode(),
        }

    @classmethod
    def of(cls, key: HourKey, parameters: Mapping[str, str]) -> "Hour":
        """The hour behind a partition's parameters; of one that another crawler made only the counts are known."""
        objects, rows, size = (_number(parameters.get(name)) for name in ("objectCount", "recordCount", "sizeKey"))
        try:
            note = msgspec.json.decode(parameters[SEEN], type=_Note)
        except (KeyError, msgspec.DecodeError):
            return cls(key, objects, rows, size)
        return cls(key, objects, rows, size, note.seen, note.strange)


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else 0


def copy_of(hour: Hour) -> Hour:
    """A copy that may be changed."""
    return Hour.of(hour.key, hour.parameters())
