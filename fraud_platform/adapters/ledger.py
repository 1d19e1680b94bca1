"""Reads the ledger topic back into entries."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from fraud_platform.adapters.admin import high_watermarks
from fraud_platform.adapters.avro import AvroReader
from fraud_platform.adapters.reader import Stored, TopicReader, read_to_end
from fraud_platform.adapters.registry import LOST, SchemaRegistry
from fraud_platform.core.ledger import Entry
from fraud_platform.core.log import Partition
from fraud_platform.core.outcome import Rejected
from fraud_platform.errors import BrokerUnavailable, RegistryUnavailable
from fraud_platform.settings import Settings
from fraud_platform.topology import Stage, Topic

OPEN_TRANSACTION_S = 30.0
"""Longer than a dead slot's transaction stays open: its timeout of 10 s and the broker's scan, 10 s by default."""


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


def require_whole(settings: Settings, registry: SchemaRegistry) -> None:
    """See, before anything is registered, that the registry did not lose its data.

    Schemas registered anew in an empty registry may get ids under which other schemas' records lie in Kafka.

    Raises:
        RegistryUnavailable: the ledger holds records, and the registry has never heard of it.
        BrokerUnavailable: Kafka does not answer.
    """
    if not registry.knows(Topic.LEDGER) and any(high_watermarks(settings, [Topic.LEDGER]).values()):
        raise RegistryUnavailable(LOST)


def resume_points(
    settings: Settings, reader: AvroReader, stage: Stage, *, stop: Callable[[], bool] = lambda: False
) -> Callable[[Sequence[Partition]], dict[Partition, int]]:
    """Where a group without offsets goes on: the end of its last ledger entry per partition.

    The open transaction of a dead slot hides committed entries that lie behind it, so the ledger is read to the
    end that *any* reader sees now, which waits for that transaction's end; what it hid would come twice.
    `stop` ends the wait early.
    """

    def find(partitions: Sequence[Partition]) -> dict[Partition, int]:
        wanted = set(partitions)
        ends: dict[Partition, int] = {}
        for record in _written(settings, stop):
            value = reader.decode(record.value) if record.key == stage.name.encode() else None
            if value is None or isinstance(value, Rejected):
                continue
            for i in Entry.from_avro(value).inputs:
                if (partition := Partition(i.topic, i.partition)) in wanted:
                    ends[partition] = i.end
        return ends

    return find


def _written(settings: Settings, stop: Callable[[], bool]) -> Iterator[Stored]:
    """Every committed ledger record below the present high watermarks.

    Raises:
        BrokerUnavailable: a transaction stays open for longer than any may, or `stop` came first.
    """
    ends = {number: end for (_, number), end in high_watermarks(settings, [Topic.LEDGER]).items()}
    with TopicReader(settings, Topic.LEDGER, timeout_s=OPEN_TRANSACTION_S) as topic:
        starts = {number: low for number, (low, _) in topic.bounds().items() if number in ends}
        yield from topic.read(starts, ends, stop=stop)
    if stop():
        raise BrokerUnavailable("Told to stop while the ledger was read.")
