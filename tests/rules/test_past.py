"""Windows filled from past lines are those that a slot would have, had it kept them from the first line."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from fraud_platform.core.outcome import Record
from fraud_platform.core.statement import Statement, canonical_key, parse_statement
from fraud_platform.rules.account import AccountState
from fraud_platform.rules.engine import Engine, Judgement
from fraud_platform.rules.events import event_of_statement
from fraud_platform.rules.past import UNSURE_US, Past, begins_ms, part_of
from tests.builders import raw_line
from tests.rules.building import DAY, HOUR, NOON, SECOND, engine, rule

KEY = canonical_key("A1", "10")
COUNT = rule("WINDOW_AGGREGATE", "function: COUNT, window: 24h, at_least: 3", id="count")
SUM = rule("WINDOW_AGGREGATE", "function: SUM, field: amount, window: 7d, at_least: 1", id="sum")
MEAN = rule("RATIO_TO_HISTORY", "ratio: 2, window: 7d, min_count: 1", id="mean")
BEFORE, AFTER = engine(COUNT), engine(COUNT, SUM, MEAN)
NEW = set(AFTER.layout.ids) - set(BEFORE.layout.ids)


def line(name: str, at: int, *, account: str = "A1", came_ms: int | None = None, amount: int = 10) -> Record:
    """A line of this event time (epoch microseconds), by default in a record of the same time."""
    when = datetime.fromtimestamp(at / SECOND, UTC).isoformat()
    value = raw_line(name, accountNumber=account, transactionTimestamp=when, withdrawalAmount=str(amount))
    return Record("transaction.input", 0, 0, at // 1000 if came_ms is None else came_ms, None, value)


def past(records: list[Record], *, begins: int | None = None, live: int = 100) -> Past:
    table = Past(part_of(AFTER.layout, NEW), begins_ms=begins, live=live)
    for record in records:
        table.take(record)
    return table


def judged(rules: Engine, records: list[Record], state: AccountState) -> list[Judgement]:
    found = []
    for record in records:
        statement = parse_statement(record.value)
        assert isinstance(statement, Statement)
        found.append(rules.judge(event_of_statement(statement), state))
    return found


def switched(records: list[Record], table: Past) -> AccountState:
    """The account after lines that the old rules judged, as the new ones find it."""
    state = BEFORE.layout.new()
    judged(BEFORE, records, state)
    return AFTER.layout.load(BEFORE.layout.dump(state), lambda watermark: table.tracks(KEY, watermark))


def busy(seed: int) -> list[Record]:
    """Out of order, some late, some sent again."""
    draw = Random(seed)
    found: list[Record] = []
    for n in range(400):
        again = found and draw.random() < 0.1
        at = NOON + n * HOUR // 4 - draw.choice([0, 0, 0, 5 * HOUR, 40 * HOUR])
        found.append(draw.choice(found) if again else line(f"t-{n}", at, amount=draw.randrange(10_000)))
    return found


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("live", [0, 100])
def test_with_the_whole_history_nothing_tells_a_new_window_from_one_that_was_always_kept(seed: int, live: int) -> None:
    records = busy(seed)
    whole = AFTER.layout.new()
    judged(AFTER, records[:300], whole)
    filled = switched(records[:300], past(records[:300], live=live))
    assert AFTER.layout.dump(filled) == AFTER.layout.dump(whole)
    assert judged(AFTER, records[300:], filled) == judged(AFTER, records[300:], whole)


def test_what_is_on_time_when_the_rules_are_published_finds_its_windows_whole() -> None:
    published = datetime(2026, 1, 20, 12, tzinfo=UTC)
    now = int(published.timestamp()) * SECOND
    begins = begins_ms(part_of(AFTER.layout, NEW), published)
    assert begins == (now - 7 * DAY - DAY - UNSURE_US) // 1000
    records = [line(f"t-{n}", now - 15 * DAY + n * DAY) for n in range(15)]
    read = [record for record in records if record.timestamp_ms >= begins]
    assert len(read) < len(records)
    state = switched(records, past(read, begins=begins))
    on_time, late = judged(AFTER, [line("now", now), line("late", now - 25 * HOUR)], state)
    assert on_time.decision is not None
    assert late.decision is not None
    assert [(hit.rule_id, hit.observed, hit.late) for hit in on_time.decision.hits] == [("sum", "70", False)]
    assert [each.rule_id for each in late.decision.not_evaluable] == ["count", "mean"]


def test_a_repetition_of_a_line_that_was_not_read_is_not_counted() -> None:
    begins = NOON // 1000
    first = line("again", NOON + DAY - SECOND, came_ms=begins - 1)
    second = line("again", NOON + 2 * DAY - 2 * SECOND, came_ms=begins + 2 * 86_400_000)
    third = line("other", NOON + 2 * DAY + SECOND)
    state = switched([first, second, third], past([second, third], begins=begins))
    whole = AFTER.layout.new()
    judged(AFTER, [first, second, third], whole)
    assert [track.times for track in state.tracks[1:]] == [[NOON + 2 * DAY + SECOND]]
    after = line("next", NOON + 12 * DAY)
    assert judged(AFTER, [after], state) == judged(AFTER, [after], whole)


def test_an_account_that_was_not_read_misses_nothing_after_its_newest_line() -> None:
    begins = NOON // 1000
    early = [line("a", NOON - 20 * DAY, came_ms=begins - 1)]
    table = past([], begins=begins)
    assert {track.floor for track in table.tracks(KEY, NOON - 20 * DAY).values()} == {NOON - 20 * DAY}
    state = switched(early, table)
    (found,) = judged(AFTER, [line("b", NOON - 12 * DAY)], state)
    assert found.decision is not None
    assert [(hit.rule_id, hit.late) for hit in found.decision.hits] == [("sum", False)]
    assert {track.floor for track in table.tracks(KEY, NOON + 90 * DAY).values()} == {NOON + UNSURE_US}


def test_what_the_stage_does_not_judge_is_in_no_window() -> None:
    table = Past(AFTER.layout, begins_ms=None, is_here=lambda key: key == KEY)
    ahead = line("b", NOON + 25 * HOUR, came_ms=NOON // 1000)
    for record in (
        Record("t", 0, 0, 0, None, b"{"),
        Record("t", 0, 0, 0, None, None),
        ahead,
        line("c", NOON, account="A2"),
    ):
        table.take(record)
    for name in ("A1", "A2"):
        assert not any(track.times for track in table.tracks(canonical_key(name, "10"), NOON).values())


def test_what_was_given_belongs_to_the_account_and_the_table_keeps_its_own() -> None:
    table = past([line("a", NOON)])
    first = table.tracks(KEY, NOON)
    for track in first.values():
        track.times.append(NOON + 1)
    table.take(line("b", NOON + 1))
    assert {tuple(track.times) for track in table.tracks(KEY, NOON).values()} == {(NOON, NOON + 1)}


def test_without_a_publication_all_that_there_is_is_read() -> None:
    assert begins_ms(AFTER.layout, None) == begins_ms(part_of(AFTER.layout, ()), datetime.now(UTC)) == 0
    assert begins_ms(AFTER.layout, datetime(1970, 1, 2, tzinfo=UTC) + timedelta(days=1)) == 0
