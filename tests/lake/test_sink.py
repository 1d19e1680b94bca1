"""The lake over the runtime: crashes between plan, PUT and commit leave each row once."""

import io
from collections import Counter

import fastavro
import pytest

from fraud_platform.errors import BrokerUnavailable
from fraud_platform.lake.stage import LakeSink
from fraud_platform.lake.writer import LakeWriter
from fraud_platform.runtime.scribe import Identity, Scribe
from fraud_platform.topology import LAKE, Topic
from tests.fakes.bucket import FakeBucket
from tests.fakes.log import FakeBroker, FakeLog
from tests.rows import NAMING, reader, result, stored

RESULT = NAMING.topic(Topic.RESULT)


class Site:
    """One broker and one bucket, on which slots start, work and die."""

    def __init__(self) -> None:
        topics = {RESULT: 2, NAMING.topic(Topic.DEAD_LETTERS): 1, NAMING.topic(Topic.LEDGER): 1}
        self.broker = FakeBroker(topics)
        self.bucket = FakeBucket()
        self._sent = 0

    def send(self, count: int) -> None:
        for _ in range(count):
            record = stored(Topic.RESULT, result(f"t-{self._sent}"))
            self.broker.append(RESULT, self._sent % 2, record.value, at_ms=record.timestamp_ms)
            self._sent += 1

    def start(self) -> tuple[FakeLog, LakeSink]:
        log = FakeLog(self.broker, group="lake", slot="0", reads=[RESULT])
        scribe = Scribe(Identity(LAKE, "0", "run", "1"), NAMING, lambda entry: b"entry")
        writer = LakeWriter(self.bucket, reader().decode, NAMING, LAKE)
        sink = LakeSink(log, scribe, writer, self.bucket, flush_seconds=1e9)
        self.read(log, sink)
        return log, sink

    def read(self, log: FakeLog, sink: LakeSink) -> None:
        generation = -1
        for _ in range(3):
            batch = log.poll(0)
            if log.generation != generation:
                generation = log.generation
                sink.reset()
            sink.handle(batch)

    def rows(self) -> Counter[str]:
        bodies = self.bucket.objects.values()
        return Counter(row["TRANSACTION_ID"] for body in bodies for row in fastavro.reader(io.BytesIO(body)))


@pytest.fixture
def site() -> Site:
    return Site()


def all_once(count: int) -> dict[str, int]:
    return {f"t-{n}": 1 for n in range(count)}


def test_a_flush_stores_each_row_once(site: Site) -> None:
    site.send(10)
    _, sink = site.start()
    sink.flush()
    assert site.rows() == all_once(10)
    assert sink.totals == {"stored": 10}


def test_a_crash_after_the_put_leaves_each_row_once(site: Site) -> None:
    """The heir replays the planned range though more has come: same name, same bytes, no second copy."""
    site.send(10)
    log, sink = site.start()
    first_put = site.bucket.put

    def put_then_die(key: str, body: bytes, *, content_type: str = "") -> None:
        first_put(key, body)
        site.broker.is_down = True

    site.bucket.put = put_then_die  # type: ignore[method-assign]
    with pytest.raises(BrokerUnavailable):
        sink.flush()
    site.broker.is_down = False
    site.bucket.put = first_put  # type: ignore[method-assign]
    before = dict(site.bucket.objects)
    assert before
    log.close()
    site.send(7)
    _, heir = site.start()
    heir.flush()
    assert {key: site.bucket.objects[key] for key in before} == before
    assert site.rows() == all_once(17)


def test_a_late_put_of_a_fenced_slot_changes_nothing(site: Site) -> None:
    site.send(10)
    _, zombie = site.start()
    late: list[tuple[str, bytes]] = []
    put = site.bucket.put
    site.bucket.put = lambda key, body, **_: late.append((key, body))  # type: ignore[method-assign]
    zombie._plan([zombie._buffers[p].range(p, end) for p, b in zombie._buffers.items() if (end := b.end)])
    for partition, buffer in zombie._buffers.items():
        zombie._writer.write(buffer.range(partition, buffer.planned or 0))
    site.bucket.put = put  # type: ignore[method-assign]
    site.send(7)
    _, heir = site.start()
    heir.flush()
    before = dict(site.bucket.objects)
    for key, body in late:
        put(key, body)
    assert len(late) == 2
    assert site.bucket.objects == before
    assert site.rows() == all_once(17)


def test_the_sink_is_ready_when_the_store_is(site: Site) -> None:
    _, sink = site.start()
    assert sink.ready()
    site.bucket.is_down = True
    assert not sink.ready()
