"""The ledger against the topics: ranges without gaps, balanced entries, and counts that an outsider can confirm."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator

from tests.failure.checks import difference
from tests.failure.evidence import (
    DEAD,
    DECISIONS,
    FRAUDULENT,
    LEDGER,
    MONITORED,
    READS,
    RESULT,
    STORED,
    UNIDENTIFIED,
    USERS,
    Evidence,
    Fate,
    Value,
)
from tests.failure.lines import STATEMENTS
from tests.failure.monitored import Lot

_HIT = {RESULT: 1, USERS: 2}
WRITES: dict[tuple[str, str], dict[str, int]] = {
    ("ingestion", "accepted.fraudulent"): {FRAUDULENT: 1},
    ("ingestion", "accepted.unidentified"): {UNIDENTIFIED: 1},
    ("ingestion", "discarded.evaluation"): {},
    ("projection", "accepted.projected"): _HIT,
    ("validation", "accepted.fraudulent"): {**_HIT, DECISIONS: 1},
    ("validation", "discarded.legitimate"): {DECISIONS: 1},
    ("monitoring", "accepted.hit"): {MONITORED: 1, DECISIONS: 1},
    ("monitoring", "accepted.clear"): {DECISIONS: 1},
    ("monitoring", "discarded.duplicate"): {},
    ("monitoring", "rekeyed"): {STATEMENTS: 1},
    ("lake", "stored"): {},
    ("documents", "stored"): {},
    ("documents", "superseded"): {},
    **{(stage, "dead-lettered"): {DEAD: 1} for stage in READS},
}
"""What one record with an outcome writes, as the platform publishes it."""


def balanced(e: Evidence) -> Iterator[str]:
    """In each entry the outcomes add up to the records read."""
    for entry in e.values[LEDGER]:
        read, accounted = sum(i["count"] for i in entry["inputs"]), sum(entry["outcomes"].values())
        if read != accounted:
            yield f"ledger {entry['stage']}: {read} records read, {accounted} accounted for"


def contiguous(e: Evidence) -> Iterator[str]:
    """Per stage and partition the ranges begin at the start, leave no gap, and end at the committed offset."""
    ends: dict[tuple[str, str, int], int] = {}
    for stage, topic, i in _ranges(e):
        place = (stage, topic, i["partition"])
        if i["from"] != ends.get(place, 0) or i["to"] < i["from"]:
            yield f"ledger {stage}: {topic}/{i['partition']} goes on at {i['from']} after {ends.get(place, 0)}"
        ends[place] = i["to"]
    for place in sorted(ends.keys() | e.committed.keys()):
        if ends.get(place, 0) != e.committed.get(place, 0):
            stage, topic, number = place
            yield (
                f"ledger {stage}: {topic}/{number} ends at {ends.get(place, 0)},"
                f" the group at {e.committed.get(place, 0)}"
            )


def counted(e: Evidence) -> Iterator[str]:
    """Each range holds as many records as its entry says."""
    offsets: dict[tuple[str, int], list[int]] = {}
    for topic, rows in e.rows.items():
        for row in rows:
            offsets.setdefault((topic, row.partition), []).append(row.offset)
    for stage, topic, i in _ranges(e):
        there = offsets.get((topic, i["partition"]), [])
        count = bisect_left(there, i["to"]) - bisect_left(there, i["from"])
        if count != i["count"]:
            span = f"{topic}/{i['partition']} [{i['from']}, {i['to']})"
            yield f"ledger {stage}: {span} holds {count} records, the entry says {i['count']}"


def written(e: Evidence) -> Iterator[str]:
    """What the outcomes say was written is what the topics hold."""
    expected: Counter[str] = Counter()
    for (stage, outcome), count in outcomes(e).items():
        for topic, per_record in WRITES[stage, outcome.partition(":")[0]].items():
            expected[topic] += count * per_record
    for topic in (FRAUDULENT, UNIDENTIFIED, *STORED, DEAD):
        if expected[topic] != len(e.rows[topic]):
            yield f"ledger: {expected[topic]} records written to {topic}, the topic holds {len(e.rows[topic])}"


def accounted(e: Evidence) -> Iterator[str]:
    """The stages' outcomes are those that the inputs ask for."""
    fates, lots = Counter(e.fates), Counter(line.lot for line in e.lines)
    verdicts = Counter(value["evaluation"] for _, value in e.sources(Fate.DISCARDED))
    stored = sum(len(e.rows[topic]) for topic in STORED)
    expected = {
        "ingestion accepted.fraudulent": fates[Fate.FRAUDULENT],
        "ingestion accepted.unidentified": sum(fates[f] for f in (Fate.FLAGGED, Fate.ALLOWED, Fate.UNANSWERABLE)),
        "ingestion discarded.evaluation:legitimate": verdicts["legitimate"],
        "ingestion discarded.evaluation:other": verdicts.total() - verdicts["legitimate"],
        "ingestion dead-lettered": fates[Fate.REJECTED],
        "projection accepted.projected": fates[Fate.FRAUDULENT],
        "validation accepted.fraudulent": fates[Fate.FLAGGED],
        "validation discarded.legitimate": fates[Fate.ALLOWED],
        "validation dead-lettered": fates[Fate.UNANSWERABLE],
        "monitoring accepted.hit": lots[Lot.HIT],
        "monitoring accepted.clear": lots[Lot.CLEAR],
        "monitoring discarded.duplicate": lots[Lot.REPEATED],
        "monitoring rekeyed": lots[Lot.AWAY],
        "monitoring dead-lettered": lots[Lot.REJECTED],
        "lake stored": stored,
        "documents stored or superseded": stored,
    }
    found: Counter[str] = Counter()
    for (stage, outcome), count in outcomes(e).items():
        both = stage == "documents" and outcome in ("stored", "superseded")
        found["documents stored or superseded" if both else f"{stage} {outcome}"] += count
    yield from difference("ledger", Counter(expected).elements(), found.elements())


def outcomes(e: Evidence) -> Counter[tuple[str, str]]:
    """Records per (stage, outcome)."""
    total: Counter[tuple[str, str]] = Counter()
    for entry in e.values[LEDGER]:
        total.update({(entry["stage"], name): count for name, count in entry["outcomes"].items()})
    return total


def _ranges(e: Evidence) -> Iterator[tuple[str, str, Value]]:
    """(stage, topic without prefix, range) of each entry in the order of its stage."""
    for entry in e.values[LEDGER]:
        for i in entry["inputs"]:
            yield entry["stage"], i["topic"].removeprefix(e.prefix), i


CHECKS = (balanced, contiguous, counted, written, accounted)
