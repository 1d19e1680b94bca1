"""Each kind of damage is named by id, store and field, whether ids are compared or sums first."""

from collections.abc import Callable, Iterator

import msgspec
import pytest

from fraud_platform.books import reconcile
from fraud_platform.books.reconcile import Reconciled, Reconciliation
from fraud_platform.books.rows import Row
from fraud_platform.books.suspects import Part, Suspects
from tests.books.stores import HOUR, NEXT, OLD, FakeDocuments, FakeLake, FakeTopic, index, later_version, row

ALL, SUMS = 1000, 20
"""Limits under which the hundred rows count as few, and as many."""


class Stores:
    def __init__(self, rows: list[Row]) -> None:
        self.topic, self.lake, self.documents = FakeTopic(rows), FakeLake(rows), FakeDocuments(rows)

    def compare(self, limit: int = ALL) -> tuple[Reconciled, Reconciled]:
        found = Reconciliation(self.topic, self.topic.cut(), self.lake, self.documents, full_at_most=limit)
        return found.lake(), found.documents()

    def said(self, limit: int) -> list[str]:
        return [finding.sentence() for each in self.compare(limit) for finding in each.findings]


@pytest.fixture
def stores() -> Stores:
    """A hundred transfers; one of them came twice, its newer version with another status."""
    rows = [row(n) for n in range(100)]
    return Stores([*rows, later_version(rows[5], 90, status="reversed")])


modes = pytest.mark.parametrize("limit", [ALL, SUMS], ids=["by id", "by sums"])


@modes
def test_stores_that_hold_what_the_topic_holds_balance(stores: Stores, limit: int) -> None:
    assert stores.said(limit) == []


def test_a_report_says_how_the_stores_were_compared(stores: Stores) -> None:
    assert {each.how for each in stores.compare(ALL)} == {"by id"}
    assert [each.how for each in stores.compare(SUMS)] == [
        "by sums; 0 hours differ",
        "by sums; 0 groups of ids differ",
    ]


def lose_an_object(stores: Stores) -> None:
    """Partition 2's rows of the first hour."""
    stores.lake.all = [r for r in stores.lake.all if (r.partition, r.hour) != (2, HOUR) or r.id > "t-2"]


def lose_a_lake_row(stores: Stores) -> None:
    del stores.lake.all[7]


def double_a_lake_row(stores: Stores) -> None:
    stores.lake.all.append(stores.lake.all[7])


def alter_a_lake_row(stores: Stores) -> None:
    fields = {**stores.lake.all[7].fields, "amount": "money:99"}
    stores.lake.all[7] = msgspec.structs.replace(stores.lake.all[7], fields=fields)


def add_a_lake_row(stores: Stores) -> None:
    stores.lake.all.append(msgspec.structs.replace(row(3), id="t-forged", offset=20))


def rename_a_lake_row(stores: Stores) -> None:
    stores.lake.all[7] = msgspec.structs.replace(stores.lake.all[7], id="t-other")


def move_a_lake_row_to_another_hour(stores: Stores) -> None:
    stores.lake.all[7] = msgspec.structs.replace(stores.lake.all[7], hour=NEXT)


def lose_a_document(stores: Stores) -> None:
    del stores.documents.all[7]


def alter_a_document(stores: Stores) -> None:
    fields = {"transaction_id": "t-7", "amount": "12.5", "added": 1}
    stores.documents.all[7] = msgspec.structs.replace(stores.documents.all[7], fields=fields)


def add_a_lake_row_from_beyond(stores: Stores) -> None:
    stores.lake.all.append(msgspec.structs.replace(row(3), id="t-forged", offset=10**9))


def add_a_lake_row_without_an_id(stores: Stores) -> None:
    stores.lake.all.append(msgspec.structs.replace(row(3), id="", offset=20))


def add_a_lake_row_of_a_strange_id(stores: Stores) -> None:
    stores.lake.all.append(msgspec.structs.replace(row(3), id="900 12\n3456", offset=20))


def lose_a_curated_row(stores: Stores) -> None:
    stores.lake.curated = [*stores.lake.all[:7], *stores.lake.all[8:]]


def double_a_curated_row(stores: Stores) -> None:
    stores.lake.curated = [*stores.lake.all, stores.lake.all[7]]


def alter_a_curated_row(stores: Stores) -> None:
    changed = msgspec.structs.replace(stores.lake.all[7], fields={**stores.lake.all[7].fields, "amount": "money:99"})
    stores.lake.curated = [*stores.lake.all[:7], changed, *stores.lake.all[8:]]


def add_a_curated_row(stores: Stores) -> None:
    stores.lake.curated = [*stores.lake.all, msgspec.structs.replace(row(3), id="t-forged", offset=20)]


def lose_a_landed_row_that_is_curated(stores: Stores) -> None:
    stores.lake.curated = list(stores.lake.all)
    lose_a_lake_row(stores)


def add_a_document(stores: Stores) -> None:
    stores.documents.all.append(Row("t-forged", 1, 3, "", {"amount": "money:1"}, "t-forged"))


def add_a_document_without_a_position(stores: Stores) -> None:
    stores.documents.all.append(Row("t-forged", -1, -1, "", {}, "t-forged"))


def add_a_document_from_beyond(stores: Stores) -> None:
    stores.documents.all.append(Row("t-forged", 1, 10**9, "", {}, "t-forged"))


def double_a_document(stores: Stores) -> None:
    stores.documents.all.append(msgspec.structs.replace(stores.documents.all[7], name="650000000000000000000001"))


def keep_an_old_version(stores: Stores) -> None:
    at = index(stores.documents.all, "t-5")
    stores.documents.all[at] = msgspec.structs.replace(row(5), hour="", name="t-5")


def rename_a_document(stores: Stores) -> None:
    stores.documents.all[7] = msgspec.structs.replace(stores.documents.all[7], name="x-7")


def alter_an_id_within_a_document(stores: Stores) -> None:
    stores.documents.all[7] = msgspec.structs.replace(stores.documents.all[7], id="t-zzz")


def alter_both(stores: Stores) -> None:
    """Alike, so that they agree with each other."""
    for rows in (stores.lake.all, stores.documents.all):
        rows[7] = msgspec.structs.replace(rows[7], fields={**rows[7].fields, "amount": "money:99"})


DAMAGE: dict[Callable[[Stores], None], list[str]] = {
    lose_a_lake_row: ["s3/results t-7: missing (3/1 in dt=2026-01-01/hr=00)"],
    double_a_lake_row: ["s3/results t-7: doubled (3/1 in dt=2026-01-01/hr=00, 2 times there)"],
    alter_a_lake_row: ["s3/results t-7: altered (3/1), field amount"],
    add_a_lake_row: ["s3/results t-forged: extra (3/20 in dt=2026-01-01/hr=00)"],
    add_a_lake_row_from_beyond: ["s3/results t-forged: extra (3/1000000000 in dt=2026-01-01/hr=00)"],
    add_a_lake_row_without_an_id: ["s3/results 3/20#1271cf25: extra (3/20, not found by its id)"],
    add_a_lake_row_of_a_strange_id: ["s3/results 3/20#d61c4dd1: extra (3/20 in dt=2026-01-01/hr=00)"],
    lose_a_curated_row: ["s3/results t-7: missing (3/1 in dt=2026-01-01/hr=00) in the curated copy"],
    double_a_curated_row: ["s3/results t-7: doubled (3/1 in dt=2026-01-01/hr=00, 2 times there) in the curated copy"],
    alter_a_curated_row: ["s3/results t-7: altered (3/1) in the curated copy, field amount"],
    add_a_curated_row: ["s3/results t-forged: extra (3/20 in dt=2026-01-01/hr=00) in the curated copy"],
    lose_a_landed_row_that_is_curated: ["s3/results t-7: missing (3/1 in dt=2026-01-01/hr=00)"],
    rename_a_lake_row: [
        "s3/results t-7: missing (3/1 in dt=2026-01-01/hr=00)",
        "s3/results t-other: extra (3/1 in dt=2026-01-01/hr=00)",
    ],
    move_a_lake_row_to_another_hour: ["s3/results t-7: altered (3/1), field dt, hr"],
    lose_a_document: ["mongodb/transactions t-7: missing (3/1 in dt=2026-01-01/hr=00)"],
    alter_a_document: [
        "mongodb/transactions t-7: altered (3/1), field added",
        "mongodb/transactions t-7: altered (3/1), field amount",
        "mongodb/transactions t-7: altered (3/1), field status",
    ],
    add_a_document: ["mongodb/transactions t-forged: extra (1/3)"],
    add_a_document_without_a_position: ["mongodb/transactions t-forged: extra (-1/-1)"],
    add_a_document_from_beyond: ["mongodb/transactions t-forged: extra (1/1000000000)"],
    double_a_document: ["mongodb/transactions t-7: doubled (3/1, under another _id)"],
    keep_an_old_version: ["mongodb/transactions t-5: outdated (1/1, the topic's newest is 1/90)"],
    rename_a_document: [
        "mongodb/transactions t-7: doubled (3/1, under another _id)",
        "mongodb/transactions t-7: missing (3/1 in dt=2026-01-01/hr=00)",
    ],
    alter_an_id_within_a_document: [
        "mongodb/transactions t-7: altered (3/1), field id",
        "mongodb/transactions t-zzz: extra (3/1, under another _id)",
    ],
    alter_both: [
        "s3/results t-7: altered (3/1), field amount",
        "mongodb/transactions t-7: altered (3/1), field amount",
    ],
}


@modes
@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
def test_damage_is_named_exactly(stores: Stores, damage: Callable[[Stores], None], limit: int) -> None:
    damage(stores)
    assert stores.said(limit) == DAMAGE[damage]


@modes
def test_a_lost_object_names_each_of_its_rows(stores: Stores, limit: int) -> None:
    lost = {r.id for r in stores.lake.all}
    lose_an_object(stores)
    lost -= {r.id for r in stores.lake.all}
    lake, documents = stores.compare(limit)
    assert {finding.id for finding in lake.findings} == lost
    assert documents.findings == ()


@modes
def test_what_a_sink_has_not_reached_yet_is_not_missed(stores: Stores, limit: int) -> None:
    lose_a_lake_row(stores)
    lose_a_document(stores)
    stores.topic.due = {"lake": {3: 1}, "documents": {3: 1}}
    stores.topic.later = {3: 60}
    assert stores.said(limit) == []


@modes
def test_what_was_written_while_we_looked_is_not_extra(stores: Stores, limit: int) -> None:
    new = msgspec.structs.replace(row(99), id="t-new", offset=200)
    newer = later_version(row(8), 201)
    for each in (new, newer):
        stores.lake.all.append(each)
    at = index(stores.documents.all, "t-8")
    stores.documents.all[at] = msgspec.structs.replace(newer, hour="", name="t-8")
    stores.documents.all.append(msgspec.structs.replace(new, hour="", name="t-new"))
    stores.topic.later = {0: 202, 3: 202}
    assert stores.said(limit) == []


@modes
def test_dead_letters_of_a_sink_are_excused(stores: Stores, limit: int) -> None:
    lose_a_lake_row(stores)
    lose_a_document(stores)
    stores.topic.letters = {"lake": {(3, 1)}, "documents": {(3, 1)}}
    assert stores.said(limit) == []


@modes
def test_compaction_may_take_old_versions_from_the_topic_alone(limit: int) -> None:
    """The lake keeps them; nothing else may be missing or extra."""
    old = [msgspec.structs.replace(row(n), hour=OLD) for n in range(40)]
    newer = [later_version(each, 100 + n) for n, each in enumerate(old[:20])]
    stores = Stores([*old, *newer])
    stores.topic.all = [*old[20:], *newer]
    stores.topic.compacted_before = HOUR
    assert stores.said(limit) == []


@modes
def test_damage_to_a_compacted_topic_s_stores_is_named(limit: int) -> None:
    old = [msgspec.structs.replace(row(n), hour=OLD) for n in range(40)]
    newer = [later_version(each, 100 + n) for n, each in enumerate(old[:20])]
    stores = Stores([*old, *newer])
    stores.topic.all = [*old[20:], *newer]
    stores.topic.compacted_before = HOUR
    del stores.lake.all[30]
    del stores.lake.all[index(stores.lake.all[40:], "t-9") + 40]
    stores.lake.all.append(msgspec.structs.replace(row(3), id="t-forged", offset=20, hour=OLD))
    del stores.documents.all[35]
    assert sorted(stores.said(limit)) == [
        "mongodb/transactions t-35: missing (3/8 in dt=2025-06-01/hr=00)",
        "s3/results t-30: missing (2/7 in dt=2025-06-01/hr=00)",
        "s3/results t-9: missing (1/109 in dt=2026-01-01/hr=01)",
        "s3/results t-forged: extra (3/20 in dt=2025-06-01/hr=00)",
    ]


@modes
def test_of_very_many_differences_some_are_named_and_the_rest_is_counted(
    stores: Stores, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "EXAMINED", 10)
    stores.lake.all.clear()
    lake, _ = stores.compare(limit)
    assert len({finding.id for finding in lake.findings if finding.id}) == 10
    assert lake.findings[-1].what.endswith("more ids differ")
    assert lake.findings[-1].what == "90 more ids differ"


def test_of_far_too_many_differences_not_every_part_is_searched(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "EXAMINED", 10)
    monkeypatch.setattr(reconcile, "ENOUGH", 20)
    stores.lake.all.clear()
    assert stores.compare(SUMS)[0].findings[-1].what == "at least 11 more ids differ"


@modes
def test_a_sink_that_refused_very_many_records_is_excused_for_all_of_them(
    stores: Stores, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "EXAMINED", 10)
    for store in (stores.lake, stores.documents):
        store.all = [each for each in store.all if each.partition != 1]
    refused = {each.position for each in stores.topic.all if each.partition == 1}
    stores.topic.letters = {"lake": refused, "documents": refused}
    assert stores.said(limit) == []


@modes
def test_a_lively_store_is_compared_without_false_alarm(stores: Stores, limit: int) -> None:
    """While it is read, every id gets a newer version in MongoDB, and none in the lake yet."""
    stores.documents.all = [
        msgspec.structs.replace(each, offset=500 + n, fields={"new": 1}) for n, each in enumerate(stores.documents.all)
    ]
    stores.topic.later = dict.fromkeys(range(4), 10_000)
    assert stores.said(limit) == []


def test_large_topics_that_balance_are_read_twice_and_no_id_is_kept(stores: Stores) -> None:
    stores.topic.passes = 0
    stores.compare(SUMS)
    assert stores.topic.passes == 1
    stores.topic.passes = 0
    stores.compare(ALL)
    assert stores.topic.passes == 2


def test_an_hour_of_very_many_rows_is_compared_in_groups_of_ids(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_a_lake_row(stores)
    parts: list[Part] = []
    whole = Suspects.of_all_rows

    def seen(self: Suspects, stored: Callable[..., Iterator[Row]], part: Part) -> set[str]:
        parts.append(part)
        return whole(self, stored, part)

    monkeypatch.setattr(Suspects, "of_all_rows", seen)
    assert stores.said(SUMS) == DAMAGE[lose_a_lake_row]
    (differs,) = [each for each in stores.topic.all if each.id == "t-7"]
    assert {tuple(part.hours or ()) for part in parts} == {(HOUR,)}
    assert len([part for part in parts if part.holds(differs)]) == 1
    assert len(parts) == 3, "59 and 60 rows on both sides, 40 at a time"


def test_fields_that_an_engine_cannot_give_are_left_out(stores: Stores) -> None:
    for n, each in enumerate(stores.lake.all):
        stores.lake.all[n] = msgspec.structs.replace(each, fields={"transaction_id": each.id, "amount": "money:12.5"})
    assert len(stores.compare(ALL)[0].findings) == 101
    stores.lake.without = frozenset({"status"})
    assert [stores.said(limit) for limit in (ALL, SUMS)] == [[], []]
