"""A topic's past records, read again in slices."""

import time
from collections.abc import Iterator, Mapping

from fraud_platform.adapters.reader import Stored, TopicReader
from fraud_platform.core.outcome import Record
from fraud_platform.core.rereading import Begin, Rereader
from fraud_platform.settings import Settings
from fraud_platform.topology import Topic


class KafkaRereader(Rereader):
    """See `Rereader`. Between two slices the client reads ahead; a slice is longer only while Kafka is silent."""

    def __init__(self, settings: Settings, topic: Topic) -> None:
        self.positions: dict[int, int] = {}
        self._settings = settings
        self._topic = topic
        self._reader: TopicReader | None = None
        self._range: tuple[Iterator[Stored], Mapping[int, int]] | None = None

    def begin(self, at_ms: Mapping[int, int]) -> Mapping[int, Begin]:
        """See `Rereader.begin`."""
        self.close()
        self._reader = reader = TopicReader(self._settings, self._topic)
        first = {number: low for number, (low, _) in reader.bounds().items()}
        starts = {moment: reader.starts_at(moment) for moment in set(at_ms.values())}
        self.positions = {number: starts[moment][number] for number, moment in at_ms.items()}
        return {number: Begin(offset, first[number]) for number, offset in self.positions.items()}

    def read(self, upto: Mapping[int, int], within_s: float) -> Iterator[Record]:
        """See `Rereader.read`."""
        until, positions = time.monotonic() + within_s, self.positions
        while any(positions[number] < end for number, end in upto.items()):
            records, ends = self._range or self._open(dict(upto))
            self._range = None  # what breaks off is begun anew
            for stored in records:
                positions[stored.partition] = stored.offset + 1
                yield _record(stored)
                if time.monotonic() > until:
                    self._range = records, ends
                    return
            # Behind the last record of a range there may be transaction markers only.
            positions.update({number: max(positions[number], end) for number, end in ends.items()})

    def close(self) -> None:
        """See `Rereader.close`."""
        reader, self._reader, self._range = self._reader, None, None
        if reader is not None:
            reader.close()

    def _open(self, ends: Mapping[int, int]) -> tuple[Iterator[Stored], Mapping[int, int]]:
        if self._reader is None:
            raise RuntimeError("nothing was begun")
        return self._reader.read({number: self.positions[number] for number in ends}, ends), ends


def _record(stored: Stored) -> Record:
    at_ms = -1 if stored.timestamp_ms is None else stored.timestamp_ms
    return Record(stored.topic, stored.partition, stored.offset, at_ms, stored.key, stored.value)
