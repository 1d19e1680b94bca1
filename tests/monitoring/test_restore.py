"""Whatever happens to a slot, its decisions are those of an undisturbed run."""

import itertools

import pytest

from fraud_platform.core import ledger
from fraud_platform.errors import BrokerUnavailable, ConfigurationError
from fraud_platform.monitoring import accounts as module
from fraud_platform.runtime.worker import State
from fraud_platform.topology import Topic
from tests.builders import NOON
from tests.fakes.log import FakeBroker, FakeLog
from tests.monitoring import rig
from tests.monitoring.lines import LINES, feed, lines, parts, state_of, written
from tests.monitoring.rig import Slot, put


def undisturbed(seed: int) -> FakeBroker:
    where = rig.broker()
    slot = Slot(where).step(3)
    for part in parts(lines(seed)):
        feed(where, part)
        slot.step(2)
    return where


@pytest.mark.parametrize("seed", range(5))
def test_a_killed_slot_is_followed_by_the_same_decisions(seed: int) -> None:
    where = rig.broker()
    slot = Slot(where).step(3)
    for part in parts(lines(seed)):
        feed(where, part)
        slot.step(1)
        slot.die()
        slot = Slot(where).step(8)
    assert written(where) == written(undisturbed(seed))
    assert state_of(where) == state_of(undisturbed(seed))
    assert ledger.faults(rig.entries(where)) == []


@pytest.mark.parametrize("seed", range(5))
def test_a_slot_that_dies_between_deciding_and_committing_changes_nothing(seed: int) -> None:
    where = rig.broker()
    slot = Slot(where).step(3)
    for part in parts(lines(seed)):
        feed(where, part)
        where.abort_next_commit = True
        slot.step(1)
        slot.die()
        where.abort_next_commit = False
        slot = Slot(where).step(8)
    assert written(where) == written(undisturbed(seed))


@pytest.mark.parametrize("seed", range(5))
def test_an_aborted_transaction_leaves_nothing_in_memory(seed: int) -> None:
    where = rig.broker()
    slot = Slot(where).step(3)
    for part in parts(lines(seed)):
        feed(where, part)
        where.abort_next_commit = True
        slot.step(8)
    assert written(where) == written(undisturbed(seed))
    assert slot.changelog.begun == [[0, 1]]


@pytest.mark.parametrize("seed", range(5))
def test_a_commit_whose_reply_is_lost_is_known_by_its_offset_and_read_back(seed: int) -> None:
    where = rig.broker()
    slot = Slot(where).step(3)
    for part in parts(lines(seed)):
        feed(where, part)
        where.fail_next_commit_after_it_happened = True
        slot.step(8)
    assert written(where) == written(undisturbed(seed))
    assert len(slot.changelog.begun) > 1


@pytest.mark.parametrize("seed", range(5))
def test_slots_that_come_and_go_decide_the_same(seed: int) -> None:
    where = rig.broker()
    first, second = Slot(where, "0").step(3), None
    for number, part in enumerate(parts(lines(seed))):
        if number % 2 == 0:
            second = Slot(where, "1")
        feed(where, part)
        for slot in itertools.chain.from_iterable([(first, second)] * 8):
            if slot is not None:
                slot.step()
        if number % 2 and second is not None:
            second.die()
            second = None
            first.step(8)
    assert written(where) == written(undisturbed(seed))


@pytest.mark.parametrize("max_records", [1, 3, 50])
@pytest.mark.parametrize("live", [0, 2, 100])
def test_neither_batches_nor_what_is_unpacked_have_part_in_a_decision(max_records: int, live: int) -> None:
    where = rig.broker()
    feed(where, lines(1))
    Slot(where, max_records=max_records, live=live).step(LINES + 10)
    assert written(where) == written(undisturbed(1))


def test_only_partitions_that_were_away_are_read_back() -> None:
    where = rig.broker()
    feed(where, lines(1))
    slot = Slot(where).step(4)
    other = FakeLog(where, group=rig.GROUP, slot="1", reads=[Topic.STATEMENTS.value])
    slot.step(4)
    other.close()
    slot.step(4)
    assert slot.changelog.begun == [[0, 1], [1]]
    put(where, "again", 30, account="A1")
    slot.step(2)
    assert "again" in rig.decisions(where)


def test_between_two_assignments_nothing_is_forgotten() -> None:
    where = rig.broker()
    feed(where, lines(1))
    slot = Slot(where).step(4)
    slot.accounts.own({})
    slot.log.recover()
    put(where, "again", 30, account="A1")
    slot.step(4)
    assert "again" in rig.decisions(where)
    assert slot.changelog.begun == [[0, 1]]


def test_a_long_restore_is_a_pause_that_tells_how_far_it_is_and_keeps_polling() -> None:
    where = rig.broker()
    feed(where, lines(1))
    Slot(where).step(4).die()
    slot = Slot(where, per_read=1)
    polls, poll = [], slot.log.poll
    slot.log.poll = lambda timeout_s: (polls.append(timeout_s), poll(timeout_s))[1]  # type: ignore[method-assign]
    put(where, "after", 30, account="A1")
    slot.step(40)
    assert "after" in rig.decisions(where)
    assert len(polls) == 40
    told = {progress.paused_because for progress in slot.seen if progress.state is State.PAUSED}
    assert len(told) >= 3
    assert all("is being read back" in each for each in told)


def test_nothing_is_judged_before_everything_is_read_back() -> None:
    where = rig.broker()
    put(where, "a", 0)
    Slot(where).step(4).die()
    put(where, "b", 0.05)
    slot = Slot(where)
    slot.changelog.stable = {0: 0, 1: 0}
    slot.step(20)
    assert "b" not in rig.decisions(where)
    slot.changelog.stable = {}
    slot.step(6)
    assert rig.hits(where)["b"] == ["quick"]


def test_a_drain_has_patience_with_a_restore_and_none_with_a_broker_that_is_away() -> None:
    where = rig.broker()
    feed(where, lines(1))
    Slot(where).step(4).die()
    Slot(where, per_read=1, patience_s=8).step(60).die()
    slot = Slot(where, per_read=1, patience_s=8).step(2)
    where.is_down = True
    with pytest.raises(BrokerUnavailable):
        slot.step(20)


def test_a_rule_set_may_change_between_two_transactions_and_restarts_change_nothing() -> None:
    other = rig.RULES.replace("at_least: 3}", "at_least: 2}").replace("24h", "48h")
    engines = [rig.engine(), rig.engine(other), rig.engine()]

    def judged(*, restart: bool) -> FakeBroker:
        where, active = rig.broker(), [engines[0]]
        slot = Slot(where, rules=lambda: active[0]).step(3)
        for number, part in enumerate(parts(lines(2))):
            active[0] = engines[number % 3]
            feed(where, part)
            slot.step(2)
            if restart:
                slot.die()
                slot = Slot(where, rules=lambda: active[0]).step(8)
        return where

    assert written(judged(restart=True)) == written(judged(restart=False))


def test_a_transaction_sees_one_rule_set() -> None:
    where = rig.broker()
    engines = itertools.cycle([rig.engine(), rig.engine(rig.RULES.replace("10s", "20s"))])
    slot = Slot(where, rules=lambda: next(engines)).step(3)
    for _ in range(2):
        for number in range(1_200):
            put(where, f"t-{number}-{len(rig.entries(where))}", number)
        slot.step()
    found = [decision["rule_set_version"] for decision in rig.decisions(where).values()]
    assert len(found) == 2_400
    assert len(set(found[:1_200])) == len(set(found[1_200:])) == 1


def test_what_does_not_end_in_time_is_tried_again_in_smaller_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    where, refused = rig.broker(), []
    commit = FakeLog.commit

    def late(self, outputs, positions):
        outputs = list(outputs)
        if len(outputs) > 40:
            refused.append(len(outputs))
            where.abort_next_commit = True
        commit(self, outputs, positions)

    monkeypatch.setattr(FakeLog, "commit", late)
    feed(where, lines(1))
    slot = Slot(where)
    slot.accounts._most_records = 64
    slot.step(30)
    assert 2 <= len(refused) <= 5
    assert written(where) == written(undisturbed(1))
    assert ledger.faults(rig.entries(where)) == []


def test_portions_shrink_with_the_bytes_of_accounts_and_grow_again(monkeypatch: pytest.MonkeyPatch) -> None:
    where = rig.broker()
    slot = Slot(where).step(2)
    monkeypatch.setattr(module, "MOST_BYTES", 100)
    for n in range(3):
        put(where, f"a-{n}", n)
        slot.step(2)
    small = slot.accounts.most_records
    assert small < module.MOST_RECORDS
    monkeypatch.setattr(module, "MOST_BYTES", 100_000)
    for n in range(4):
        put(where, f"b-{n}", 10 + n)
        slot.step(2)
    assert slot.accounts.most_records > small
    assert ledger.faults(rig.entries(where)) == []


def test_a_record_of_another_format_is_told_and_nothing_is_guessed() -> None:
    where = rig.broker()
    number = rig.murmur2(rig.canonical_key("A1", "10"), rig.COUNT)
    where.append(Topic.MONITORING_STATE, number, b"\x93\x63\xc0\xc0\x80", key=rig.canonical_key("A1", "10"), at_ms=NOON)
    put(where, "a", 0)
    with pytest.raises(ConfigurationError, match="changelog"):
        Slot(where).step(6)
    assert where.records(Topic.DECISIONS) == []


def test_an_account_record_that_the_broker_refuses_stops_the_stage_with_the_way_out() -> None:
    where = rig.broker()
    where.refuses = lambda o: o.topic == Topic.MONITORING_STATE  # type: ignore[method-assign]
    put(where, "a", 0)
    with pytest.raises(ConfigurationError, match=r"monitoring-state.*max\.message\.bytes"):
        Slot(where).step(6)
