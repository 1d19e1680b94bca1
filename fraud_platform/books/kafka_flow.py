"""Kafka as the books see it: topics, groups and the ledger of the platform that the settings name."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime

import msgspec

from fraud_platform.adapters.admin import begin_offsets, committed_offsets, end_offsets, open_transactions
from fraud_platform.adapters.avro import AvroReader
from fraud_platform.adapters.reader import Stored, TopicReader
from fraud_platform.adapters.topic_identity import ids_of
from fraud_platform.books.page import Line
from fraud_platform.books.sources import Flow, Place
from fraud_platform.core.ledger import Entry, InputRange
from fraud_platform.core.outcome import Rejected
from fraud_platform.settings import Settings
from fraud_platform.topology import Stage, Topic


class KafkaFlow(Flow):
    """See `Flow`; decoding the ledger raises `RegistryUnavailable` too."""

    def __init__(self, settings: Settings, reader: AvroReader) -> None:
        self._settings = settings
        self._reader = reader

    def ledger_id(self) -> str:
        """See `Flow.ledger_id`."""
        (found,) = ids_of(self._settings, [Topic.LEDGER], "the ledger").values()
        return found

    def bounds(self, topics: Collection[Topic]) -> dict[Topic, dict[int, tuple[int, int]]]:
        """See `Flow.bounds`."""
        begins, ends = begin_offsets(self._settings, topics), end_offsets(self._settings, topics)
        found: dict[Topic, dict[int, tuple[int, int]]] = {topic: {} for topic in topics}
        for (topic, partition), begin in begins.items():
            found[topic][partition] = (begin, max(begin, ends[topic, partition]))
        return found

    def ledger(self, starts: Mapping[int, int], ends: Mapping[int, int]) -> Iterator[Line]:
        """See `Flow.ledger`."""
        with TopicReader(self._settings, Topic.LEDGER) as topic:
            for record in topic.read(starts, ends):
                yield self._line(record)

    def count(self, topic: Topic, starts: Mapping[int, int], ends: Mapping[int, int]) -> dict[int, int]:
        """See `Flow.count`."""
        found: Counter[int] = Counter()
        with TopicReader(self._settings, topic) as reader:
            for record in reader.read(starts, ends):
                found[record.partition] += 1
        return {partition: found[partition] for partition in starts}

    def is_open(self) -> bool:
        """See `Flow.is_open`."""
        return bool(open_transactions(self._settings))

    def committed(self, stage: Stage) -> dict[Place, int]:
        """See `Flow.committed`."""
        return committed_offsets(self._settings, stage)

    def _line(self, record: Stored) -> Line:
        at = datetime.fromtimestamp((record.timestamp_ms or 0) / 1000, UTC)
        value = self._reader.decode(record.value)
        return Line(record.partition, record.offset, at, None if isinstance(value, Rejected) else self._entry(value))

    def _entry(self, value: Mapping[str, object]) -> Entry | None:
        try:
            entry = Entry.from_avro(value)
        except (KeyError, TypeError, AttributeError):  # Avro, but no ledger entry
            return None
        return msgspec.structs.replace(entry, inputs=tuple(self._logical(i) for i in entry.inputs))

    def _logical(self, i: InputRange) -> InputRange:
        return msgspec.structs.replace(i, topic=i.topic.removeprefix(self._settings.prefix))
