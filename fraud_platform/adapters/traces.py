"""Where the records of one transaction lie: MongoDB's answer, and the topics read as a bystander."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from confluent_kafka import murmur2

from fraud_platform.adapters.admin import committed_offsets
from fraud_platform.adapters.avro import AvroReader
from fraud_platform.adapters.mongo_query import rows
from fraud_platform.adapters.reader import Stored, TopicReader
from fraud_platform.adapters.registry import SchemaRegistry
from fraud_platform.documents.collections import COLLECTIONS
from fraud_platform.documents.shell import Query
from fraud_platform.settings import Settings
from fraud_platform.topology import Stage, Topic
from fraud_platform.trace.recognize import Found, Recognizer, row_facts
from fraud_platform.trace.search import Sources
from fraud_platform.trace.seen import Document, Place, Seen

NEAR_OFFSETS = 20_000
"""Offsets of a partition that are read from the time looked for on; what was written at that time lies among them."""
PAST_MS, PAST_RECORDS = 60_000, 1_000
"""A partition whose last so many records are all later than that after the time is left."""
_KEYED_BY_ID = {Topic.RESULT, Topic.DECISIONS}
_ASKED: Mapping[Topic, str] = {
    Topic.RESULT: "_id",
    Topic.MONITORED: "_id",
    Topic.DECISIONS: "transaction_id",
}
"""The indexed field by which a collection is asked for a transaction."""

Tell = Callable[[str], object]
"""Told what is being read."""


class KafkaSources(Sources):
    """See `Sources`; for one transaction."""

    def __init__(self, settings: Settings, transaction_id: str, *, tell: Tell = lambda _: None) -> None:
        self._settings = settings
        self._id = transaction_id
        self._tell = tell
        self._recognize = Recognizer(transaction_id, AvroReader(SchemaRegistry(settings)).decode, self._home)
        self._inputs: int | None = None

    def documents(self) -> Sequence[Document]:
        """See `Sources.documents`."""
        self._tell("MongoDB")
        return list(self._documents())

    def _documents(self) -> Iterator[Document]:
        for topic, field in _ASKED.items():
            if topic in COLLECTIONS:
                query = Query(COLLECTIONS[topic].name, "find", ({field: self._id},))
                for row in rows(self._settings, query):
                    place = row.get("kafka_partition"), row.get("kafka_offset")
                    if isinstance(place[0], int) and isinstance(place[1], int):
                        yield Document(topic, place[0], place[1], row_facts(topic, row))

    def at(self, place: Place) -> Seen | None:
        """See `Sources.at`."""
        topic, partition, offset = place
        with TopicReader(self._settings, topic) as reader:
            low, end = reader.bounds().get(partition, (0, 0))
            if not low <= offset < end:
                return None
            return next(self._seen(topic, reader.read({partition: offset}, {partition: offset + 1})), None)

    def near(self, topic: Topic, at_ms: int) -> Iterable[Seen]:
        """See `Sources.near`."""
        self._tell(topic)
        with TopicReader(self._settings, topic) as reader:
            bounds = reader.bounds()
            for partition, start in reader.starts_at(at_ms).items():
                _, end = bounds[partition]
                is_elsewhere = topic in _KEYED_BY_ID and self._place(len(bounds)) != partition
                if start < end and not is_elsewhere:
                    found = reader.read({partition: start}, {partition: min(end, start + NEAR_OFFSETS)})
                    yield from self._seen(topic, _until_past(found, at_ms))

    def between(self, topic: Topic, start_ms: int, end_ms: int | None) -> Iterable[Seen]:
        """See `Sources.between`."""
        self._tell(topic)
        with TopicReader(self._settings, topic) as reader:
            ends = {p: end for p, (_, end) in reader.bounds().items()}
            if end_ms is not None:
                ends |= reader.starts_at(end_ms)
            yield from self._seen(topic, reader.read(reader.starts_at(start_ms), ends))

    def committed(self, stage: Stage) -> Mapping[tuple[Topic, int], int]:
        """See `Sources.committed`."""
        return committed_offsets(self._settings, stage)

    def _seen(self, topic: Topic, records: Iterable[Stored]) -> Iterator[Seen]:
        for record in records:
            seen = self._recognize(_found(topic, record))
            if seen is not None:
                yield seen

    def _place(self, partitions: int) -> int:
        """Where producers of ours put the transaction's id as a key."""
        return int(murmur2(self._id.encode("utf-8", "surrogatepass"), partitions))

    def _home(self, key: bytes) -> int | None:
        if self._inputs is None:
            with TopicReader(self._settings, Topic.STATEMENTS) as reader:
                self._inputs = len(reader.bounds())
        return int(murmur2(key, self._inputs))


def _until_past(records: Iterator[Stored], at_ms: int) -> Iterator[Stored]:
    """The records up to where nothing of that time is left: times are nearly in order."""
    later = 0
    for record in records:
        later = later + 1 if (record.timestamp_ms or 0) > at_ms + PAST_MS else 0
        if later > PAST_RECORDS:
            return
        yield record


def _found(topic: Topic, record: Stored) -> Found:
    headers = {name: (content or b"").decode(errors="replace") for name, content in record.headers}
    return Found(topic, record.partition, record.offset, record.timestamp_ms or 0, record.value, headers)
