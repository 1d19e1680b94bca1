"""What must be true of the evidence; each check returns one sentence per fault."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from tests.failure import monitored
from tests.failure.evidence import (
    DEAD,
    DECISIONS,
    FRAUDULENT,
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
from tests.failure.lines import BANK, STATEMENTS
from tests.failure.monitored import Lot
from tests.failure.plain import Position, Row

POSITION = ("kafka_partition", "kafka_offset", "kafka_timestamp")


def difference(what: str, expected: Iterable[str], found: Iterable[str]) -> Iterator[str]:
    """Where two multisets differ, item by item."""
    wanted, there = Counter(expected), Counter(found)
    for item in sorted(wanted | there):
        if wanted[item] != there[item]:
            yield f"{what}: {item} is there {there[item]} times, expected {wanted[item]}"


def inputs_arrived(e: Evidence) -> Iterator[str]:
    """The platform was given exactly the inputs; nobody has touched them, and it added only what it sent again."""
    again = [line.row.value for line in e.lines if line.lot is Lot.AWAY]
    for topic, own in ((BANK, []), (STATEMENTS, again)):
        given = [*(line.value for line in e.inputs if line.topic == topic), *own]
        yield from difference(topic, map(repr, given), (repr(row.value) for row in e.rows[topic]))


def routed(e: Evidence) -> Iterator[str]:
    """Each transfer is on its topic once per time that it was sent, under its source's time and key."""
    for topic, fates in (
        (FRAUDULENT, [Fate.FRAUDULENT]),
        (UNIDENTIFIED, [Fate.FLAGGED, Fate.ALLOWED, Fate.UNANSWERABLE]),
    ):
        sent = (
            f"{value['transaction_id']} of {row.timestamp_ms} under {value['sender_bank_account']}"
            for row, value in e.sources(*fates)
        )
        found = (
            f"{value['transaction_id']} of {row.timestamp_ms} under {(row.key or b'').decode()}"
            for row, value in e.decoded(topic)
        )
        yield from difference(topic, sent, found)


def projected(e: Evidence) -> Iterator[str]:
    """One result row and two users for each fraudulent transfer, from the stage that found it."""
    by = {Fate.FRAUDULENT: "projection", Fate.FLAGGED: "validation"}
    sent = [(f"of {row.timestamp_ms} by {by[fate]}", value) for fate in by for row, value in e.sources(fate)]
    results = [f"{value['transaction_id']} {rest}" for rest, value in sent]
    users = [
        f"{value[party]['id']} {value[party]['name']} {rest}"
        for rest, value in sent
        for party in ("sender_details", "receiver_details")
    ]
    found = (f"{v['TRANSACTION_ID']} of {row.timestamp_ms} by {v['SOURCE_PROCESS']}" for row, v in e.decoded(RESULT))
    yield from difference(RESULT, results, found)
    found = (f"{v['ID']} {v['NAME']} of {row.timestamp_ms} by {v['SOURCE_PROCESS']}" for row, v in e.decoded(USERS))
    yield from difference(USERS, users, found)


def decided(e: Evidence) -> Iterator[str]:
    """One decision for each transfer that the validator judged."""
    expected = [
        f"{value['transaction_id']} of {row.timestamp_ms} {verdict}"
        for fate, verdict in ((Fate.FLAGGED, "against"), (Fate.ALLOWED, "for"))
        for row, value in e.sources(fate)
    ]
    found = (
        f"{value['transaction_id']} of {row.timestamp_ms} {'for' if value['action'] == 'ALLOW' else 'against'}"
        for row, value in e.decoded(DECISIONS)
        if value["stage"] == "validation"
    )
    yield from difference(DECISIONS, expected, found)


def monitored_once(e: Evidence) -> Iterator[str]:
    """Each statement line is judged once, by all that its account did before, and each hit has its row."""
    yield from (f"{STATEMENTS}: {fault}" for fault in monitored.not_sent_again(e.lines))
    found = (
        f"{value['transaction_id']} of {row.timestamp_ms}: {value['action']}"
        for row, value in e.decoded(DECISIONS)
        if value["stage"] == "monitoring"
    )
    yield from difference(DECISIONS, monitored.decisions(e.lines), found)
    found = (
        f"{value['transactionId']} of {row.timestamp_ms}: {value['monitorAction']}"
        f" by {', '.join(sorted(value['monitoringCriteriaType']))}"
        for row, value in e.decoded(MONITORED)
    )
    yield from difference(MONITORED, monitored.hits(e.lines), found)


def dead_lettered(e: Evidence) -> Iterator[str]:
    """Each unusable record once, with its own bytes, from the place that its headers name."""
    expected: dict[str, bytes | None] = {}
    for row, fate in zip(e.rows[BANK], e.fates, strict=True):
        if fate is Fate.REJECTED:
            expected[f"{BANK}/{row.partition}/{row.offset} from ingestion"] = row.value
    for line in e.lines:
        if line.lot is Lot.REJECTED:
            expected[f"{STATEMENTS}/{line.row.partition}/{line.row.offset} from monitoring"] = line.row.value
    endless = {value["transaction_id"] for _, value in e.sources(Fate.UNANSWERABLE)}
    for row, value in e.decoded(UNIDENTIFIED):
        if value["transaction_id"] in endless:
            expected[f"{UNIDENTIFIED}/{row.partition}/{row.offset} from validation"] = row.value
    found = [(_origin(e, row), row.value) for row in e.rows[DEAD]]
    yield from difference(DEAD, list(expected), (origin for origin, _ in found))
    for origin, raw in found:
        if origin in expected and expected[origin] != raw:
            yield f"{DEAD}: {origin} has other bytes than its source"


def in_order(e: Evidence) -> Iterator[str]:
    """The transfers of one account follow each other as the bank sent them."""
    for topic, fates in (
        (FRAUDULENT, [Fate.FRAUDULENT]),
        (UNIDENTIFIED, [Fate.FLAGGED, Fate.ALLOWED, Fate.UNANSWERABLE]),
    ):
        sent, found = _by_account(e.sources(*fates)), _by_account(e.decoded(topic))
        for account, names in sent.items():
            there = list(dict.fromkeys(found.get(account, [])))  # what is there twice is told elsewhere
            if there != [name for name in dict.fromkeys(names) if name in there]:
                yield f"{topic}: account {account} is out of order"


def in_the_lake(e: Evidence) -> Iterator[str]:
    """Every row of the stored topics lies in S3 once, unchanged."""
    for topic in STORED:
        rows = {row.position: (_name(topic, value), value) for row, value in e.decoded(topic)}
        stored = {(each["kafka_partition"], each["kafka_offset"]): each for each in e.lake[topic]}
        names = {at: f"{_name(topic, each)} at {at[0]}/{at[1]}" for at, each in stored.items()}
        names |= {at: f"{name} at {at[0]}/{at[1]}" for at, (name, _) in rows.items()}
        found = (names[each["kafka_partition"], each["kafka_offset"]] for each in e.lake[topic])
        yield from difference(f"S3 {topic}", (names[at] for at in rows), found)
        for at in rows.keys() & stored.keys():
            if rows[at][1] != {name: value for name, value in stored[at].items() if name not in POSITION}:
                yield f"S3 {topic}: {names[at]} differs from the topic"


def in_mongodb(e: Evidence) -> Iterator[str]:
    """One document per id, and it is the newest version."""
    for topic, collection in STORED.items():
        newest: dict[str, tuple[Position, Value]] = {}
        for row, value in e.decoded(topic):
            newest[_name(topic, value)] = max(
                newest.get(_name(topic, value), ((-1, -1), {})), (row.position, value), key=lambda version: version[0]
            )
        documents = e.documents[topic]
        what = f"MongoDB {collection}"
        yield from difference(what, list(newest), (document["_id"] for document in documents))
        for document in documents:
            at, value = newest.get(document["_id"], ((-1, -1), {}))
            stored = {name: each for name, each in document.items() if name not in ("_id", *POSITION)}
            if value and ((document["kafka_partition"], document["kafka_offset"]) != at or stored != value):
                yield f"{what}: {document['_id']} is not the newest version, which lies at {at[0]}/{at[1]}"


def reads_to_the_end(e: Evidence) -> Iterator[str]:
    """No group has left a record behind."""
    for stage, topics in READS.items():
        for topic in topics:
            left = [row for row in e.rows[topic] if row.offset >= e.committed.get((stage, topic, row.partition), 0)]
            if left:
                yield f"{stage}: {len(left)} records of {topic} are not committed"


def _origin(e: Evidence, row: Row) -> str:
    topic = row.headers["topic"].removeprefix(e.prefix)
    return f"{topic}/{row.headers['partition']}/{row.headers['offset']} from {row.headers['stage']}"


def _name(topic: str, value: Mapping[str, Any]) -> str:
    if topic == DECISIONS:
        return f"{value['stage']}:{value['transaction_id']}"
    return str(value[{USERS: "ID", MONITORED: "transactionId"}.get(topic, "TRANSACTION_ID")])


def _by_account(rows: Iterable[tuple[Row, Value]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row, value in rows:
        found.setdefault(value["sender_bank_account"], []).append(f"{value['transaction_id']} of {row.timestamp_ms}")
    return found


CHECKS: tuple[Callable[[Evidence], Iterator[str]], ...] = (
    inputs_arrived, routed, projected, decided, monitored_once, dead_lettered, in_order, in_the_lake, in_mongodb,
    reads_to_the_end,
)  # fmt: skip
