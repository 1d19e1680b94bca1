"""A result topic, its rows in the lake and its documents, in one shape."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from fraud_platform.adapters.admin import begin_offsets, committed_offsets, end_offsets
from fraud_platform.adapters.avro import AvroReader
from fraud_platform.adapters.mongo_query import rows as documents
from fraud_platform.adapters.reader import TopicReader, read_to_end
from fraud_platform.books.judge import Due, Offsets
from fraud_platform.books.rows import Row, plain_fields
from fraud_platform.books.stores import Cut, DocumentRows, LakeRows, TopicRows
from fraud_platform.catalog.answer import QueryEngine
from fraud_platform.catalog.store import Catalog
from fraud_platform.catalog.tables import LakeTable
from fraud_platform.catalog.types import Scalar, quoted
from fraud_platform.core.outcome import Rejected
from fraud_platform.core.partitioning import hour_of
from fraud_platform.documents.collections import COLLECTIONS
from fraud_platform.documents.collections import Collection as Target
from fraud_platform.documents.shell import Query
from fraud_platform.settings import Settings
from fraud_platform.topology import DOCUMENTS, LAKE, MAX_VALUE_BYTES, TOPICS, Stage, Topic

COMPACTION_AGE = timedelta(days=6)
"""Compaction takes nothing younger than 7 days; a day for clocks."""
NO_HOUR = "dt=9999-99-99/hr=99"
"""Of a timestamp that no calendar has: the lake dead-letters it, MongoDB does not mind."""
_IDS_AT_ONCE = 500
_STRANGERS = 10_000
"""Names of somebody else's documents that are kept to ask for them again."""


class KafkaRows(TopicRows):
    """The topic, read anew by each pass; `remember` adds to a stage's dead letters those that were seen before."""

    def __init__(
        self, settings: Settings, topic: Topic, reader: AvroReader,
        remember: Callable[[str, set[tuple[int, int]]], set[tuple[int, int]]] = lambda _, found: found,
    ) -> None:  # fmt: skip
        self.topic = topic
        self._settings = settings
        self._decode = reader.decode
        self._remember = remember
        self._id_of = COLLECTIONS[topic].id_of
        self._begins: Offsets = {}
        self._ends: Offsets = {}

    def cut(self) -> Cut:
        """See `TopicRows.cut`."""
        begins = {p: at for (_, p), at in begin_offsets(self._settings, [self.topic]).items()}
        lake, mongo = self._due(LAKE, begins), self._due(DOCUMENTS, begins)
        self._begins, self._ends = begins, {p: max(lake.ends[p], mongo.ends[p]) for p in begins}
        return Cut(lake, mongo)

    def _due(self, stage: Stage, begins: Offsets) -> Due:
        committed = committed_offsets(self._settings, stage)
        ends = {p: max(begin, committed.get((self.topic, p), begin)) for p, begin in begins.items()}
        is_compacted = "compact" in TOPICS[self.topic].config.get("cleanup.policy", "")
        oldest = _hour_name(datetime.now(UTC) - COMPACTION_AGE) if is_compacted else ""
        return Due(begins=begins, ends=ends, compacted_before=oldest)

    def rows(self) -> Iterator[Row]:
        """See `TopicRows.rows`."""
        hours: dict[int, str] = {}
        with TopicReader(self._settings, self.topic) as reader:
            for record in reader.read(self._begins, self._ends):
                number = (record.timestamp_ms or 0) // 3_600_000
                if number not in hours:
                    hour = hour_of(number * 3_600_000)
                    hours[number] = NO_HOUR if isinstance(hour, Rejected) else _hour_name(hour)
                fields = self._decode(record.value) if len(record.value or b"") <= MAX_VALUE_BYTES else None
                if fields is None or isinstance(fields, Rejected):
                    continue  # a dead letter of both sinks
                row_id = self._id_of(fields)
                if not isinstance(row_id, Rejected):
                    yield Row(row_id, record.partition, record.offset, hours[number], plain_fields(fields))

    def tops(self) -> Offsets:
        """See `TopicRows.tops`."""
        return {p: at for (_, p), at in end_offsets(self._settings, [self.topic]).items()}

    def dead(self, stage: str) -> Collection[tuple[int, int]]:
        """See `TopicRows.dead`."""
        wanted = (stage.encode(), self._settings.naming.topic(self.topic).encode())
        found = set()
        for record in read_to_end(self._settings, Topic.DEAD_LETTERS):
            headers = dict(record.headers)
            if (headers.get("stage"), headers.get("topic")) == wanted:
                place = [headers.get(name) or b"" for name in ("partition", "offset")]
                if all(part.isdigit() for part in place):  # else it is none of ours
                    found.add((int(place[0]), int(place[1])))
        return self._remember(stage, found)


class MongoRows(DocumentRows):
    """A collection."""

    def __init__(self, settings: Settings, topic: Topic) -> None:
        self._settings = settings
        self._target: Target = COLLECTIONS[topic]
        self.name = f"mongodb/{self._target.name}"
        self._strange: dict[str, Any] = {}
        """Names that are no text, those of somebody else's documents, by their text."""

    def rows(self) -> Iterator[Row]:
        """See `DocumentRows.rows`."""
        return self._find({})

    def by_ids(self, ids: Sequence[str]) -> Iterator[Row]:
        """See `DocumentRows.by_ids`."""
        fields, wanted = self._target.id_fields, set(ids)
        for some in _chunks(ids):
            last = [each.split(":", len(fields) - 1)[-1] for each in some]
            names = [*some, *(self._strange[each] for each in some if each in self._strange)]
            found = self._find({"$or": [{"_id": {"$in": names}}, {fields[-1]: {"$in": last}}]})
            yield from (row for row in found if row.id in wanted or row.name in wanted)

    def _find(self, which: Mapping[str, Any]) -> Iterator[Row]:
        for each in documents(self._settings, Query(self._target.name, "find", (dict(which),)), settled=True):
            row_id = self._target.id_of(each)
            if not isinstance(each["_id"], str) and len(self._strange) < _STRANGERS:
                self._strange[str(each["_id"])] = each["_id"]
            yield Row(
                "" if isinstance(row_id, Rejected) else row_id, _number(each.get("kafka_partition")),
                _number(each.get("kafka_offset")), "", plain_fields(each), str(each["_id"]),
            )  # fmt: skip


class SqlRows(LakeRows):
    """A landing table and its view; `scalar_only` for an engine that answers nested values as text."""

    def __init__(
        self, topic: Topic, engine: QueryEngine, catalog: Catalog, *, scalar_only: bool = False
    ) -> None:  # fmt: skip
        self.name = f"s3/{topic.value}"
        self._table = LakeTable(topic)
        self._engine = engine
        entry = catalog.table(self._table.name)
        self.has_copy = catalog.table(self._table.curated) is not None
        columns = entry.columns if entry else ()
        self._is_there = entry is not None and bool(columns)
        nested = {c.name for c in columns if scalar_only and not isinstance(c.type, Scalar)}
        self.without = frozenset(nested)
        self._catalog = catalog
        self._columns = [c.name for c in columns if c.name not in nested] + ["dt", "hr"]

    def rows(self, hours: Collection[str] | None = None) -> Iterator[Row]:
        """See `LakeRows.rows`."""
        return self._select(self._table.name, "" if hours is None else _within(hours))

    def newest(self) -> Iterator[Row]:
        """See `LakeRows.newest`."""
        ids = ", ".join(map(quoted, self._table.ids))
        ranked = (
            f"SELECT {self._names}, row_number() OVER (PARTITION BY {ids}"  # noqa: S608 - all of it quoted
            f" ORDER BY kafka_partition DESC, kafka_offset DESC) AS version_number FROM {self._table.name}"
        )
        return self._select(f"({ranked}) AS versions", " WHERE version_number = 1")

    def by_ids(self, ids: Sequence[str]) -> Iterator[Row]:
        """See `LakeRows.by_ids`."""
        return self._of_ids(self._table.name, ids)

    def hours(self) -> Collection[str]:
        """See `LakeRows.hours`."""
        return [f"dt={day}/hr={hour}" for day, hour in self._catalog.hours(self._table.name)]

    def copied(self, hours: Collection[str] | None = None) -> Iterator[Row]:
        """See `LakeRows.copied`."""
        return self._select(self._copy, "" if hours is None else _within(hours))

    def copied_by_ids(self, ids: Sequence[str]) -> Iterator[Row]:
        """See `LakeRows.copied_by_ids`."""
        return self._of_ids(self._copy, ids)

    @property
    def _copy(self) -> str:
        """Both halves of the view; it shows the newest rows only, and the others wait below them."""
        halves = (f"SELECT {self._names} FROM {name}" for name in (self._table.curated, self._table.pending))  # noqa: S608
        return f"({' UNION ALL '.join(halves)}) AS every_row"

    @property
    def _names(self) -> str:
        return ", ".join(map(quoted, self._columns))

    def _of_ids(self, table: str, ids: Sequence[str]) -> Iterator[Row]:
        name = " || ':' || ".join(map(quoted, self._table.ids))
        for some in _chunks(ids):
            texts = ", ".join(map(_literal, some))
            yield from self._select(table, f" WHERE ({name}) IN ({texts})")

    def _select(self, table: str, where: str) -> Iterator[Row]:
        if not self._is_there:
            return
        ids = self._table.ids
        for row in self._engine.ask(f"SELECT {self._names} FROM {table}{where}").rows:  # noqa: S608 - all of it quoted
            hour = f"dt={row['dt']}/hr={row['hr']}"
            row_id = ":".join(str(row[each] or "") for each in ids)
            fields = plain_fields(row)
            yield Row(row_id, _number(row["kafka_partition"]), _number(row["kafka_offset"]), hour, fields)


def _within(hours: Collection[str]) -> str:
    days: dict[str, list[str]] = {}
    for each in sorted(hours):
        day, _, hour = each.partition("/")
        days.setdefault(day.removeprefix("dt="), []).append(hour.removeprefix("hr="))
    parts = [f"(dt = {_literal(day)} AND hr IN ({', '.join(map(_literal, names))}))" for day, names in days.items()]
    return f" WHERE {' OR '.join(parts) or 'false'}"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _number(value: Any) -> int:
    return int(value) if isinstance(value, int) else -1


def _hour_name(at: datetime) -> str:
    return f"dt={at.date().isoformat()}/hr={at:%H}"


def _chunks(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[start : start + _IDS_AT_ONCE] for start in range(0, len(ids), _IDS_AT_ONCE))
