"""What is wrong with one id: the topic's versions of it against what a store holds."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import msgspec

from fraud_platform.books.finding import STORES, Finding, shown
from fraud_platform.books.rows import Row, differing

Offsets = Mapping[int, int]
"""Per partition."""
MISSING, EXTRA, DOUBLED, OUTDATED, ALTERED = "missing", "extra", "doubled", "outdated", "altered"


class Due(msgspec.Struct, frozen=True):
    """What a store must hold: the topic's records in `[begins, ends)`, for every partition of the topic.

    Rows before it may have gone from the topic, those between `ends` and `tops`, the topic's end after the store was
    read, are on their way. Of an id's versions in hours before `compacted_before` only the newest must be in the topic.
    """

    begins: Offsets
    ends: Offsets
    tops: Offsets = {}
    compacted_before: str = ""

    def holds(self, row: Row) -> bool:
        """Whether the row lies in it."""
        return self.begins.get(row.partition, 0) <= row.offset < self.ends.get(row.partition, 0)

    def is_old(self, row: Row) -> bool:
        """Whether the row must be compared as the newest of its id only."""
        return row.hour < self.compacted_before

    def is_on_its_way(self, row: Row) -> bool:
        """Whether the row was written since; without `tops` every row behind the end was."""
        end = self.ends.get(row.partition)
        return end is not None and end <= row.offset < self.tops.get(row.partition, row.offset + 1)

    def explains(self, row: Row, versions: Collection[Row]) -> bool:
        """Whether there is a reason why the topic lacks the row."""
        if 0 <= row.offset < self.begins.get(row.partition, 0) or self.is_on_its_way(row):
            return True
        return self.is_old(row) and any(version.position > row.position for version in versions)


def judge_lake(
    store: str, row_id: str, versions: Sequence[Row], stored: Sequence[Row], due: Due, *,
    without: frozenset[str] = frozenset(), excused: Callable[[Row], bool] = lambda _: False,
) -> list[Finding]:  # fmt: skip
    """The lake holds every version exactly once. `without` = fields that cannot be compared."""
    expected = {row.position: row for row in versions if due.holds(row)}
    there: dict[tuple[int, int], list[Row]] = {}
    for row in stored:
        there.setdefault(row.position, []).append(row)
    found: list[Finding] = []
    for position, row in sorted(expected.items()):
        rows = there.pop(position, [])
        if not rows and not excused(row):
            found.append(_finding(store, row_id, MISSING, row))
        if len(rows) > 1:
            found.append(_finding(store, row_id, DOUBLED, row, f", {len(rows)} times there"))
        found += _altered(store, row_id, row, rows, without)
    for _, rows in sorted(there.items()):
        if not due.explains(rows[0], versions):
            found.append(_finding(store, row_id, EXTRA, rows[0]))
    return found


def judge_documents(
    store: str, row_id: str, versions: Sequence[Row], stored: Sequence[Row], due: Due, *,
    excused: Callable[[Row], bool] = lambda _: False,
) -> list[Finding]:  # fmt: skip
    """MongoDB holds the newest version exactly once, under the id as its name."""
    known = [row for row in versions if due.holds(row) and not excused(row)]
    newest = max(known, key=lambda row: row.position, default=None)
    own = [row for row in stored if row.name == row_id]
    kind = DOUBLED if own or newest else EXTRA
    found = [
        _finding(store, row_id, kind, row, ", under another _id")
        for row in stored
        if row.name != row_id and row.id == row_id
    ]
    if newest is None:
        named = [row for row in own if row.id in ("", row_id)]  # others are told under the id of their fields
        found += [_finding(store, row_id, EXTRA, row) for row in named if not due.explains(row, versions)]
    elif not own:
        found.append(_finding(store, row_id, MISSING, newest))
    else:
        found += _compare(store, row_id, newest, own[0], due)
    return found


def judge_unfound(store: str, row_id: str, position: tuple[int, int], due: Due) -> list[Finding]:
    """A row that was seen by the way and that its id does not find, as when that is null: no topic has it."""
    row = Row(row_id, *position, "", {})
    return [] if due.explains(row, ()) else [_finding(store, row_id, EXTRA, row, ", not found by its id")]


def _compare(store: str, row_id: str, newest: Row, there: Row, due: Due) -> list[Finding]:
    if there.position == newest.position:
        return _altered(store, row_id, newest, [there], frozenset())
    if there.position < newest.position:
        where = f", the topic's newest is {newest.partition}/{newest.offset}"
        return [_finding(store, row_id, OUTDATED, there, where)]
    if due.is_on_its_way(there):
        return []
    what = f"{ALTERED} (the topic has no such version)"
    return [Finding(STORES, store, what=what, id=shown(row_id, there.position), field="kafka_offset")]


def _altered(
    store: str, row_id: str, row: Row, stored: Iterable[Row], without: frozenset[str]
) -> list[Finding]:  # fmt: skip
    names = {name for each in stored for name in differing(row.fields, each.fields, without)}
    names |= {"id"} if any(each.id != row_id for each in stored) else set()
    names |= {"dt, hr"} if any(each.hour not in ("", row.hour) for each in stored) else set()
    return [
        Finding(
            STORES, store, what=f"{ALTERED} ({row.partition}/{row.offset})", id=shown(row_id, row.position), field=name
        )
        for name in sorted(names)
    ]


def _finding(store: str, row_id: str, kind: str, row: Row, more: str = "") -> Finding:
    where = f"{row.partition}/{row.offset}" + (f" in {row.hour}" if row.hour else "")
    return Finding(STORES, store, what=f"{kind} ({where}{more})", id=shown(row_id, row.position))
