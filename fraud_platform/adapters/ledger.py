"""Reads the ledger topic back into entries."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from fraud_platform.adapters.avro import AvroReader
from fraud_platform.adapters.reader import read_to_end
from fraud_platform.core.ledger import Entry
from fraud_platform.core.log import Partition
from fraud_platform.core.outcome import Rejected
from fraud_platform.settings import Settings
from fraud_platform.topology import Stage, Topic


def read_ledger(
    settings: Settings, reader: AvroReader, stage: Stage, *, starts: Mapping[int, int] | None = None
) -> Iterator[Entry]:
    """The stage's ledger entries, oldest first, up to the end seen now; `starts` = offsets per ledger partition."""
    key = stage.name.encode()
    for record in read_to_end(settings, Topic.LEDGER, starts=starts):
        if record.key != key:
            continue
        value = reader.decode(record.value)
        if not isinstance(value, Rejected):
            yield Entry.from_avro(value)


def resume_points(
    settings: Settings, reader: AvroReader, stage: Stage
) -> Callable[[Sequence[Partition]], dict[Partition, int]]:
    """Where a group without offsets goes on: the end of its last ledger entry per partition."""

    def find(partitions: Sequence[Partition]) -> dict[Partition, int]:
        wanted = set(partitions)
        ends: dict[Partition, int] = {}
        for entry in read_ledger(settings, reader, stage):
            for i in entry.inputs:
                if (partition := Partition(i.topic, i.partition)) in wanted:
                    ends[partition] = i.end
        return ends

    return find
