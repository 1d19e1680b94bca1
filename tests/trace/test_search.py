"""Where is looked, in which order, and where not."""

from collections.abc import Iterable, Mapping, Sequence

from fraud_platform.errors import StoreUnavailable
from fraud_platform.topology import DAY_MS, RETENTION_MS, Stage, Topic
from fraud_platform.trace.search import Sources, search
from fraud_platform.trace.seen import Document, Place, Seen

NOW = 1_767_268_800_000
HOUR_MS = 3_600_000


class FakeSources(Sources):
    """Records in memory; `asked` tells what was read."""

    def __init__(self, *records: Seen, documents: Sequence[Document] | None = ()) -> None:
        self._records = records
        self._documents = documents
        self.asked: list[tuple[str, Topic]] = []

    def documents(self) -> Sequence[Document]:
        if self._documents is None:
            raise StoreUnavailable("MongoDB does not answer.")
        return self._documents

    def at(self, place: Place) -> Seen | None:
        self.asked.append(("at", place[0]))
        return next((each for each in self._records if each.place == place), None)

    def near(self, topic: Topic, at_ms: int) -> Iterable[Seen]:
        self.asked.append(("near", topic))
        return [each for each in self._records if each.topic is topic and each.at_ms == at_ms]

    def between(self, topic: Topic, start_ms: int, end_ms: int | None) -> Iterable[Seen]:
        self.asked.append(("between", topic))
        until = NOW if end_ms is None else end_ms
        return [each for each in self._records if each.topic is topic and start_ms <= each.at_ms < until]

    def committed(self, stage: Stage) -> Mapping[tuple[Topic, int], int]:
        return {(topic, 0): 5 for topic in stage.reads}


def seen(topic: Topic, ago_ms: int, offset: int = 1) -> Seen:
    return Seen(topic, 0, offset, NOW - ago_ms)


INPUT, ROUTED = seen(Topic.BANK_TRANSACTIONS, 2 * DAY_MS), seen(Topic.UNIDENTIFIED, 2 * DAY_MS)
DECIDED = seen(Topic.DECISIONS, 2 * DAY_MS)


def found(sources: FakeSources, *, whole: bool = False) -> set[Place]:
    return {each.place for each in search(sources, now_ms=NOW, whole=whole).seen}


def test_what_mongodb_knows_leads_to_the_rest_by_its_time() -> None:
    sources = FakeSources(INPUT, ROUTED, DECIDED, documents=[Document(Topic.DECISIONS, 0, 1)])
    assert found(sources) == {INPUT.place, ROUTED.place, DECIDED.place}
    assert ("between", Topic.BANK_TRANSACTIONS) not in sources.asked


def test_what_it_does_not_know_is_found_from_the_inputs_however_old() -> None:
    for ago in (1, DAY_MS - 1, RETENTION_MS - 1):
        record = seen(Topic.BANK_TRANSACTIONS, ago)
        assert found(FakeSources(record)) == {record.place}


def test_the_last_hour_is_read_first_and_no_further_where_it_is_enough() -> None:
    sources = FakeSources(seen(Topic.STATEMENTS, HOUR_MS // 2), seen(Topic.STATEMENTS, 2 * HOUR_MS, offset=0))
    assert found(sources) == {(Topic.STATEMENTS, 0, 1)}
    assert sources.asked.count(("between", Topic.STATEMENTS)) == 1


def test_copies_from_other_times_are_found_when_all_is_read() -> None:
    sources = FakeSources(seen(Topic.STATEMENTS, HOUR_MS // 2), seen(Topic.STATEMENTS, 2 * HOUR_MS, offset=0))
    assert found(sources, whole=True) == {(Topic.STATEMENTS, 0, 1), (Topic.STATEMENTS, 0, 0)}


def test_dead_letters_that_were_written_later_are_found() -> None:
    letter = seen(Topic.DEAD_LETTERS, DAY_MS)
    assert letter.place in found(FakeSources(INPUT, ROUTED, letter))


def test_a_row_that_its_topic_does_not_hold_any_more_is_looked_for_all_the_same() -> None:
    finds = search(FakeSources(documents=[Document(Topic.RESULT, 0, 1)]), now_ms=NOW)
    assert finds.seen == ()
    assert finds.documents is not None


def test_without_mongodb_the_topics_answer() -> None:
    finds = search(FakeSources(INPUT, ROUTED, documents=None), now_ms=NOW)
    assert finds.documents is None
    assert len(finds.seen) == 2


def test_only_stages_that_could_have_read_it_are_asked_for_their_place() -> None:
    finds = search(FakeSources(seen(Topic.BANK_TRANSACTIONS, 1)), now_ms=NOW)
    assert finds.committed.keys() == {"ingestion"}
