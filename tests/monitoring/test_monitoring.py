"""What becomes of a statement line, over the fake broker."""

import pytest

from fraud_platform.core import ledger
from fraud_platform.topology import Topic
from tests.builders import NOON
from tests.fakes.log import FakeBroker
from tests.monitoring import rig
from tests.monitoring.rig import Slot, put

DAY_MS = 24 * 3_600_000


def run(where: FakeBroker) -> Slot:
    return Slot(where).step(6)


def outcomes(where: FakeBroker) -> dict[str, int]:
    return dict(ledger.outcomes(rig.entries(where)))


def test_every_decision_is_kept_and_only_hits_reach_the_result_topic() -> None:
    where = rig.broker()
    put(where, "small")
    put(where, "large", 5, withdrawalAmount="12,000.50")
    run(where)
    assert rig.hits(where) == {"small": [], "large": ["large"]}
    assert [row["transactionId"] for row in rig.monitored(where)] == ["large"]
    assert outcomes(where) == {"accepted.clear": 1, "accepted.hit": 1}


def test_a_result_row_holds_the_line_and_only_the_criteria_that_hit() -> None:
    where = rig.broker()
    put(where, "s-1", withdrawalAmount="12,000.50", transactionDetails="NEFT", balanceAmount="-3")
    run(where)
    (row,) = rig.monitored(where)
    assert row["withdrawalAmount"] == "12000.50"
    assert (row["accountNumber"], row["bankId"], row["transactionDetails"]) == ("A1", "10", "NEFT")
    assert row["balanceAmount"] == "-3"
    assert (row["hitStatus"], row["monitorAction"]) == (["HIT"], "REVIEW")
    assert row["monitoringCriteriaType"] == ["HIGH_TRANSACTION_AMOUNT"]
    assert [hit["rule_id"] for hit in row["hits"]] == ["large"]


def test_a_decision_says_stage_time_rules_and_version() -> None:
    where = rig.broker()
    put(where, "s-1")
    run(where)
    found = rig.decisions(where)["s-1"]
    assert (found["stage"], found["action"]) == ("monitoring", "ALLOW")
    assert found["decided_at"] == "2026-01-01 12:00:00+00:00"
    assert found["rule_set_version"] == rig.engine().rule_set.version


def test_the_gravest_action_holds_and_each_criterion_is_named_once() -> None:
    where = rig.broker()
    for n in range(3):
        put(where, f"s-{n}", n / 100, withdrawalAmount="10000")
    run(where)
    assert rig.hits(where)["s-2"] == ["large", "quick", "third"]
    row = rig.monitored(where)[-1]
    assert row["monitorAction"] == "BLOCK"
    assert row["monitoringCriteriaType"] == ["HIGH_TRANSACTION_AMOUNT", "SMALL_INTERVAL", "WINDOW_AGGREGATE"]


def test_accounts_have_nothing_to_do_with_each_other() -> None:
    where = rig.broker()
    put(where, "a", 0, account="A1")
    put(where, "b", 0.01, account="A2")
    put(where, "c", 0.02, account="A1")
    run(where)
    assert rig.hits(where) == {"a": [], "b": [], "c": ["quick"]}


def test_the_same_account_number_at_another_bank_is_another_account() -> None:
    where = rig.broker()
    put(where, "a")
    number = rig.murmur2(rig.canonical_key("A1", "11"), rig.COUNT)
    value = rig.raw_line("b", accountNumber="A1", bankId="11", transactionTimestamp=rig.at(0.01))
    where.append(Topic.STATEMENTS, number, value, at_ms=NOON)
    run(where)
    assert rig.hits(where) == {"a": [], "b": []}


def test_a_repeated_transaction_is_judged_once_and_counted() -> None:
    where = rig.broker()
    for _ in range(3):
        put(where, "s-1", withdrawalAmount="10000")
    run(where)
    assert outcomes(where) == {"accepted.hit": 1, "discarded.duplicate": 2}
    assert len(rig.monitored(where)) == len(where.records(Topic.DECISIONS)) == 1


def test_a_late_line_is_judged_and_the_ledger_says_so_whatever_became_of_it() -> None:
    where = rig.broker()
    put(where, "s-1", 3 * 24 * 60)
    put(where, "s-2", 2 * 24 * 60)
    put(where, "s-3", 2 * 24 * 60 - 1)
    put(where, "s-4", 0, withdrawalAmount="10000")
    run(where)
    assert outcomes(where) == {"accepted.clear": 2, "accepted.clear:late": 1, "accepted.hit:late": 1}


def test_a_line_whose_id_may_be_forgotten_is_judged_again_and_the_ledger_says_so() -> None:
    where = rig.broker()
    for n in range(80):
        put(where, f"s-{n}", 24 * 60 * n)
    put(where, "s-1", 24 * 60)
    run(where)
    assert outcomes(where) == {"accepted.clear": 80, "accepted.clear:late:may-repeat": 1}
    assert ledger.written(rig.entries(where))[Topic.DECISIONS] == 81


@pytest.mark.parametrize("value", [b"{", None])
def test_what_is_no_line_becomes_a_dead_letter(value: bytes | None) -> None:
    where = rig.broker()
    where.append(Topic.STATEMENTS, 0, value)
    run(where)
    (letter,) = where.records(Topic.DEAD_LETTERS)
    assert letter.value == value
    assert outcomes(where) == {"dead-lettered": 1}
    assert where.records(Topic.MONITORING_STATE) == []


def test_a_line_from_the_far_future_becomes_a_dead_letter_and_leaves_no_trace() -> None:
    where = rig.broker()
    put(where, "future", 2 * 24 * 60, at_ms=NOON)
    put(where, "now", 0)
    run(where)
    assert rig.hits(where) == {"now": []}
    assert outcomes(where) == {"accepted.clear": 1, "dead-lettered": 1}


def test_a_line_on_a_foreign_partition_is_sent_where_it_belongs_and_judged_there_once() -> None:
    where, account = rig.broker(), rig.account_on(1)
    put(where, "here", 0, account=account)
    put(where, "astray", 0.05, account=account, on=0)
    run(where)
    assert rig.hits(where) == {"here": [], "astray": ["quick"]}
    assert outcomes(where) == {"accepted.clear": 1, "accepted.hit": 1, "rekeyed": 1}
    assert [r.key for r in where.records(Topic.STATEMENTS) if r.partition == 1] == [
        rig.canonical_key(account, "10")
    ] * 2


def test_a_line_that_is_sent_again_keeps_its_bytes_and_its_time() -> None:
    where, account = rig.broker(), rig.account_on(1)
    put(where, "astray", 0, account=account, on=0)
    run(where)
    first, second = where.records(Topic.STATEMENTS)
    assert (first.value, first.timestamp_ms) == (second.value, second.timestamp_ms)


def test_outputs_carry_the_time_of_their_line() -> None:
    where = rig.broker()
    put(where, "s-1", 7, withdrawalAmount="10000")
    run(where)
    times = {record.timestamp_ms for topic in (Topic.MONITORED, Topic.DECISIONS) for record in where.records(topic)}
    assert times == {NOON + 7 * 60_000}


def test_a_decision_is_keyed_by_its_transaction_and_a_row_by_its_account() -> None:
    where = rig.broker()
    put(where, "s-1", withdrawalAmount="10000")
    run(where)
    assert [record.key for record in where.records(Topic.DECISIONS)] == [b"s-1"]
    assert [record.key for record in where.records(Topic.MONITORED)] == [rig.canonical_key("A1", "10")]


def test_the_ledger_balances_over_every_outcome() -> None:
    where, account = rig.broker(), rig.account_on(1)
    where.append(Topic.STATEMENTS, 0, b"{")
    for minutes in (0, 0, 1):
        put(where, f"s-{minutes}", minutes, account=account)
    put(where, "astray", 2, account=account, on=0)
    run(where)
    assert ledger.faults(rig.entries(where)) == []
    written = ledger.written(rig.entries(where))
    assert written[Topic.DECISIONS] == len(where.records(Topic.DECISIONS)) == 3
    assert written[Topic.STATEMENTS] == 1


def test_a_line_whose_output_the_broker_refuses_is_a_dead_letter_and_its_account_never_saw_it() -> None:
    where = rig.broker()
    where.max_value_bytes = 2_000
    put(where, "a", 0, withdrawalAmount="10000")
    put(where, "huge", 1, withdrawalAmount="10000", transactionDetails="x" * 3_000)
    put(where, "b", 2)
    put(where, "c", 3)
    where.refuses = lambda o: o.topic == Topic.MONITORED and len(o.value or b"") > 2_000  # type: ignore[method-assign]
    run(where)
    assert outcomes(where) == {"accepted.hit": 2, "accepted.clear": 1, "dead-lettered": 1}
    assert rig.hits(where) == {"a": ["large"], "b": [], "c": ["third"]}
