"""A rule that looks back finds, from its first line on, what it would have kept; and no slot's death changes it."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fraud_platform.core import ledger
from fraud_platform.core.log import Partition
from fraud_platform.monitoring import accounts as module
from fraud_platform.rules.engine import Engine
from fraud_platform.runtime.worker import State
from fraud_platform.topology import Topic
from tests.builders import NOON
from tests.fakes.log import FakeBroker
from tests.monitoring import rig
from tests.monitoring.lines import CHUNK, feed, lines, parts, state_of, written
from tests.monitoring.rig import Slot, put

DAY = 24 * 60
HEAD = rig.RULES[: rig.RULES.index("  - {id: third")]
THIRD = rig.RULES[rig.RULES.index("  - {id: third") :]
TOTAL = (
    "  - {id: total, criterion: WINDOW_AGGREGATE, action: REVIEW,"
    " parameters: {function: SUM, field: amount, window: 48h, at_least: 1000}}\n"
)
OLD, NEW = rig.engine(HEAD), rig.engine(HEAD + THIRD + TOTAL)
START = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Published:
    """The rule sets of a test: what was published last."""

    def __init__(self, first: Engine) -> None:
        self.newest = first

    def __call__(self) -> Engine:
        return self.newest


def story(
    seed: int, switch: int, disturb: Callable[[int, Slot, Callable[[], Slot]], Slot], *, reread: int = 10_000
) -> FakeBroker:
    """The lines of a seed; before part `switch` the new set is published, and has time. `disturb` may kill slots."""
    where, rules = rig.broker(), Published(OLD)

    def another() -> Slot:
        return Slot(where, rules=rules, reread=reread)

    slot = another().step(3)
    for number, part in enumerate(parts(lines(seed))):
        if number == switch:
            rules.newest = NEW
            slot = disturb(-1, slot, another).step(120 // min(reread, 120) + 4)
        feed(where, part)
        slot = disturb(number, slot.step(), another).step(4)
    assert ledger.faults(rig.entries(where)) == []
    return where


def calm(number: int, slot: Slot, another: Callable[[], Slot]) -> Slot:
    return slot


def decided_by(where: FakeBroker, rules: Engine) -> dict[str, dict[str, Any]]:
    version = rules.rule_set.version
    return {name: found for name, found in rig.decisions(where).items() if found["rule_set_version"] == version}


@pytest.mark.parametrize("seed", range(5))
def test_a_new_window_rule_decides_as_if_it_had_been_there_from_the_first_line(seed: int) -> None:
    where = story(seed, 3, calm)
    always = rig.broker()
    slot = Slot(always, rules=lambda: NEW).step(3)
    for part in parts(lines(seed)):
        feed(always, part)
        slot.step(2)
    after = decided_by(where, NEW)
    assert len(after) > CHUNK
    assert after == {name: found for name, found in rig.decisions(always).items() if name in after}
    assert any("third" in rig.hits(where)[name] for name in after)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("reread", [7, 10_000])
@pytest.mark.parametrize("renewed", [1, 1_000])
@pytest.mark.parametrize("kills", [{-1}, {2}, {3}, {3, 4}, {-1, 0, 1, 2, 3, 4, 5}])
def test_a_slot_that_dies_before_while_or_after_records_are_rewritten_is_followed_by_the_same_decisions(
    monkeypatch: pytest.MonkeyPatch, seed: int, reread: int, renewed: int, kills: set[int]
) -> None:
    monkeypatch.setattr(module, "MOST_RENEWED", renewed)

    def deadly(number: int, slot: Slot, another: Callable[[], Slot]) -> Slot:
        if number not in kills:
            return slot
        slot.die()
        return another().step(3 + 240 // min(reread, 240))

    calmly, deadly_story = story(seed, 3, calm, reread=reread), story(seed, 3, deadly, reread=reread)
    assert written(deadly_story) == written(calmly)
    assert state_of(deadly_story) == state_of(calmly)


def known(count: int = 6) -> tuple[FakeBroker, Published, Slot]:
    """Accounts with two lines each on the first partition, judged by the old rules."""
    where, rules = rig.broker(), Published(OLD)
    for n in range(count):
        for at in (0, 1):
            put(where, f"a-{n}-{at}", at, account=rig.account_on(0, n), withdrawalAmount="600")
    return where, rules, Slot(where, rules=rules, reread=5).step(4)


def test_while_windows_are_filled_the_rules_before_go_on_and_the_log_says_how_far_it_is(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    where, rules, slot = known()
    rules.newest = NEW
    put(where, "b", 2, account=rig.account_on(0))
    slot.step()
    assert list(decided_by(where, OLD))[-1] == "b"
    assert (slot.seen[-1].rules, slot.seen[-1].coming) == (OLD.rule_set.version, f"{NEW.rule_set.version} (35 %)")
    slot.step(4)
    assert (slot.seen[-1].rules, slot.seen[-1].coming) == (NEW.rule_set.version, "")
    put(where, "c", 3, account=rig.account_on(0))
    slot.step()
    assert rig.hits(where)["c"] == ["third", "total"]
    assert State.PAUSED not in {each.state for each in slot.seen}
    told = [each.getMessage() for each in caplog.records if "being filled" in each.getMessage()]
    assert told[0].startswith(f"Windows of rule set {NEW.rule_set.version} are being filled from past lines: ")
    assert told[-1].endswith(" 100 %.")


def test_lines_that_come_meanwhile_are_in_the_windows_too() -> None:
    where, rules, slot = known()
    rules.newest = NEW
    for n in range(12):
        put(where, f"b-{n}", 2 + n, account=rig.account_on(0), withdrawalAmount="1")
        slot.step()
    after = decided_by(where, NEW)
    assert 0 < len(after) < 12
    for name, found in after.items():
        assert {hit["rule_id"]: hit["observed"] for hit in found["hits"]}["third"] == str(int(name[2:]) + 3)


def test_a_slot_that_starts_with_rules_its_accounts_are_not_ready_for_fills_first_and_tells_so() -> None:
    where, rules, slot = known()
    slot.die()
    rules.newest = NEW
    put(where, "c", 3, account=rig.account_on(0))
    slot = Slot(where, rules=rules, reread=5).step(3)
    assert "c" not in rig.decisions(where)
    slot.step(6)
    assert rig.hits(where)["c"] == ["third", "total"]
    assert any("are being filled" in each.paused_because for each in slot.seen)


def test_records_are_rewritten_while_no_line_comes_and_then_no_start_reads_history_again() -> None:
    where, rules, slot = known()
    rules.newest = NEW
    slot.step(8).die()
    assert len(slot.rereader.begun) == 1
    slot = Slot(where, rules=rules).step(4)
    assert slot.rereader.begun == []
    put(where, "c", 3, account=rig.account_on(0))
    slot.step()
    assert rig.hits(where)["c"] == ["third", "total"]
    assert len(where.records(Topic.LEDGER)) < 8  # and nothing is written for ever


def test_rewriting_makes_no_account_younger() -> None:
    where, rules, slot = known(1)
    rules.newest = NEW
    slot.step(8)
    key = rig.canonical_key(rig.account_on(0), "10")
    times = [record.timestamp_ms for record in where.records(Topic.MONITORING_STATE) if record.key == key]
    assert times == [NOON + 60_000] * 2


def test_the_first_start_and_a_set_without_new_windows_read_no_history() -> None:
    where, rules, slot = known()
    assert slot.rereader.begun == []
    rules.newest = rig.engine(HEAD.replace("10000", "500"))
    put(where, "b", 2, account=rig.account_on(0))
    slot.step()
    assert rig.hits(where)["b"] == []
    put(where, "c", 3, account=rig.account_on(0), withdrawalAmount="500")
    slot.step()
    assert rig.hits(where)["c"] == ["large"]
    assert slot.rereader.begun == []


def test_another_set_that_needs_no_more_takes_over_what_is_being_rewritten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_RENEWED", 1)
    where, rules, slot = known()
    rules.newest = NEW
    slot.step(4)
    rules.newest = rig.engine(HEAD + THIRD.replace("at_least: 3", "at_least: 2"))
    put(where, "c", 3, account=rig.account_on(0, 5))
    slot.step()
    assert rig.hits(where)["c"] == ["third"]
    slot.die()
    put(where, "d", 3, account=rig.account_on(0, 4))
    slot = Slot(where, rules=rules).step(12)
    assert rig.hits(where)["d"] == ["third"]
    assert len(slot.rereader.begun) == 1


def test_a_window_that_went_meanwhile_and_comes_back_is_filled_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_RENEWED", 1)
    where, rules, slot = known(12)
    rules.newest = NEW
    slot.step(8)
    rules.newest = rig.engine(HEAD + THIRD)
    put(where, "c", 2, account=rig.account_on(0, 11), withdrawalAmount="700")
    slot.step()
    assert slot.accounts.is_behind
    rules.newest = rig.engine(HEAD + THIRD + TOTAL)
    slot.step(8)
    put(where, "d", 3, account=rig.account_on(0, 11), withdrawalAmount="0")
    slot.step()
    assert [(hit["rule_id"], hit["observed"]) for hit in rig.decisions(where)["d"]["hits"]] == [
        ("third", "4"), ("total", "1900"),
    ]  # fmt: skip


def test_a_rollback_meanwhile_gives_it_up() -> None:
    where, rules, slot = known()
    rules.newest = NEW
    slot.step()
    rules.newest = OLD
    slot.step(6)
    put(where, "c", 3, account=rig.account_on(0))
    slot.step()
    assert decided_by(where, NEW) == {}
    assert slot.rereader.closed


def test_only_lines_that_the_windows_can_reach_are_read_and_what_lies_before_is_told_to_be_missing() -> None:
    where, rules = rig.broker(), Published(OLD)
    for n in range(40):
        put(where, f"a-{n}", n * DAY, account=rig.account_on(0))
    slot = Slot(where, rules=rules).step(4)
    rules.newest = rig.engine(HEAD + THIRD + TOTAL, since=START + timedelta(days=39, hours=1))
    slot.step(6)
    assert slot.rereader.given == [35, 36, 37, 38, 39]  # 48 h, 24 h lateness and two days before the publication
    for name, days in (("b", 39.01), ("c", 38.05), ("d", 38.02)):
        put(where, name, days * DAY, account=rig.account_on(0), withdrawalAmount="1000")
        slot.step()
    found = [rig.decisions(where)[name]["hits"][-1] for name in "bcd"]
    assert [(hit["rule_id"], hit["observed"], hit["late"]) for hit in found] == [
        ("total", "1025", False), ("total", "1025", False), ("total", "1025", True),
    ]  # fmt: skip


def test_what_retention_has_taken_is_told_to_be_missing() -> None:
    where, rules, slot = known()
    partition = Partition(Topic.STATEMENTS, 0)
    where.truncate(partition, 2)
    rules.newest = NEW
    slot.step(8)
    put(where, "c", 3, account=rig.account_on(0, 0))
    put(where, "d", 3, account=rig.account_on(0, 5))
    slot.step()
    for name in ("c", "d"):
        reasons = {each["rule_id"]: each["reason"] for each in rig.decisions(where)[name]["not_evaluable"]}
        assert reasons["third"] == "part of the account's history in this window is not kept"


def test_a_broker_that_is_away_while_windows_are_filled_is_waited_for() -> None:
    where, rules, slot = known()
    rules.newest = NEW
    slot.step()
    where.is_down = True
    slot.step(3)
    where.is_down = False
    slot.step(12)
    put(where, "c", 3, account=rig.account_on(0))
    slot.step()
    assert rig.hits(where)["c"] == ["third", "total"]
    assert len(slot.rereader.begun) == 1
