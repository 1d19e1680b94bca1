"""A platform in memory: topics with markers, groups, a ledger; and the store of the books."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from fraud_platform.books.page import Line
from fraud_platform.books.sources import BookStore, Flow, Place, Saved
from fraud_platform.core.ledger import Entry, InputRange
from fraud_platform.topology import STAGES, Stage, Topic
from tests.books.entries import START

MARKER = None


class FakeStore(BookStore):
    """Keeps copies by version."""

    def __init__(self) -> None:
        self.notes: dict[str, Saved] = {}
        self.asked = 0
        self.questions = 0

    def get(self, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        self.asked += len(ids)
        self.questions += 1
        return {name: self.notes[name].content for name in ids if name in self.notes}

    def put(self, notes: Sequence[Saved]) -> None:
        for note in notes:
            if note.id not in self.notes or note.version > self.notes[note.id].version:
                self.notes[note.id] = note

    def clear(self, prefix: str) -> None:
        self.notes = {name: note for name, note in self.notes.items() if not name.startswith(prefix)}


class FakeFlow(Flow):
    """One partition per topic, two for the ledger; a transaction leaves a marker wherever it writes."""

    def __init__(self) -> None:
        self.name = "ledger-1"
        self.topics: dict[Topic, list[object]] = {topic: [] for topic in Topic}
        self.begins: dict[Topic, int] = {}
        self.lines: dict[int, list[Entry | None]] = {0: [], 1: []}
        self.ledger_begins = {0: 0, 1: 0}
        self.offsets: dict[str, dict[Place, int]] = {}
        self.minutes = 0.0
        self.read_lines = 0
        self.counted = 0
        self.open_for = 0
        self.questions = 0

    # What the platform does

    def send(self, topic: Topic, records: int) -> None:
        self.topics[topic] += [object()] * records

    def run(self, name: str, **outcomes: int) -> None:
        """One transaction: the stage reads all that is there; what is not named gets its first outcome."""
        stage = STAGES[name]
        inputs, read = [], 0
        for topic in stage.reads:
            begin, end = self.offsets.get(name, {}).get((topic, 0), 0), len(self.topics[topic])
            count = sum(each is not MARKER for each in self.topics[topic][begin:])
            inputs.append(InputRange(topic.value, 0, begin, end, count))
            read += count
        named = {key.replace("__", "."): count for key, count in outcomes.items()}
        rest = read - sum(named.values())
        first = next(iter(stage.outcomes))
        named[first] = named.get(first, 0) + rest
        for outcome, count in named.items():
            for topic, n in stage.outcomes[outcome].items():
                self.topics[topic] += [object()] * (n * count)
        for topic in {t for outcome in named for t in stage.outcomes[outcome]}:
            self.topics[topic].append(MARKER)
        self.enter(Entry(name, "0", "r", "1", self.now, tuple(inputs), {k: v for k, v in named.items() if v}))

    def enter(self, entry: Entry) -> None:
        """Write an entry and what it commits."""
        lines = self.lines[len(entry.stage) % 2]
        lines += [entry, MARKER]
        self.offsets.setdefault(entry.stage, {}).update({(Topic(i.topic), i.partition): i.end for i in entry.inputs})

    @property
    def now(self) -> datetime:
        return START + timedelta(minutes=self.minutes)

    # What the books ask

    def ledger_id(self) -> str:
        return self.name

    def bounds(self, topics: Collection[Topic]) -> dict[Topic, dict[int, tuple[int, int]]]:
        self.questions += 1
        return {topic: self._bounds(topic) for topic in topics}

    def _bounds(self, topic: Topic) -> dict[int, tuple[int, int]]:
        if topic is Topic.LEDGER:
            return {number: (self.ledger_begins[number], len(lines)) for number, lines in self.lines.items()}
        return {0: (self.begins.get(topic, 0), len(self.topics[topic]))}

    def ledger(self, starts: Mapping[int, int], ends: Mapping[int, int]) -> Iterator[Line]:
        for number, start in starts.items():
            for offset in range(start, ends[number]):
                found = self.lines[number][offset]
                if found is not MARKER:
                    self.read_lines += 1
                    yield Line(number, offset, found.committed_at, found)

    def count(self, topic: Topic, starts: Mapping[int, int], ends: Mapping[int, int]) -> dict[int, int]:
        found = {p: sum(each is not MARKER for each in self.topics[topic][starts[p] : ends[p]]) for p in starts}
        self.counted += sum(found.values())
        return found

    def is_open(self) -> bool:
        return self.open_for > 0

    def committed(self, stage: Stage) -> dict[Place, int]:
        return dict(self.offsets.get(stage.name, {}))


def whole_flow(transfers: int = 10) -> FakeFlow:
    """Every stage has read everything: of ten transfers three fraudulent, one bad, one of six unidentified is a hit."""
    flow = FakeFlow()
    flow.send(Topic.BANK_TRANSACTIONS, transfers)
    flow.run("ingestion", accepted__unidentified=6, **{"dead-lettered": 1})
    flow.run("projection")
    flow.run("validation", discarded__legitimate=5)
    flow.run("lake")
    flow.run("documents", superseded=2)
    return flow


def monitored_flow() -> FakeFlow:
    """`whole_flow`, and five statement lines: three hits, one of them from a foreign partition, and a repetition."""
    flow = whole_flow()
    flow.send(Topic.STATEMENTS, 5)
    flow.run("monitoring", discarded__duplicate=1, accepted__clear=1, rekeyed=1)
    flow.run("monitoring")
    flow.run("lake")
    flow.run("documents")
    return flow
