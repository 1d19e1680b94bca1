"""What is kept of accounts, and for how long."""

from fraud_platform.monitoring.marker import is_marker
from fraud_platform.topology import DAY_MS, Topic
from tests.builders import NOON
from tests.fakes.log import FakeBroker
from tests.monitoring import rig
from tests.monitoring.rig import Slot, put

DAY = 24 * 60
KEPT_DAYS = 30 + 2  # the input's retention, and the longest window (24 h) with the lateness


def records(where: FakeBroker, account: str) -> list[bytes | None]:
    """What was written of the account, oldest first."""
    key = rig.canonical_key(account, "10")
    return [record.value for record in where.records(Topic.MONITORING_STATE) if record.key == key]


def test_one_record_per_account_and_transaction() -> None:
    where = rig.broker()
    for n in range(5):
        put(where, f"a-{n}", n, account="A1")
    put(where, "b", 0, account="A2")
    Slot(where).step(4)
    assert len(records(where, "A1")) == len(records(where, "A2")) == 1


def test_an_account_s_record_lies_on_the_partition_of_its_lines() -> None:
    where = rig.broker()
    for number in range(rig.COUNT):
        put(where, f"t-{number}", account=rig.account_on(number))
    Slot(where).step(4)
    found = {record.key: record.partition for record in where.records(Topic.MONITORING_STATE)}
    wanted = {record.key: record.partition for record in where.records(Topic.STATEMENTS)}
    assert {key: partition for key, partition in found.items() if not is_marker(key or b"")} == wanted
    assert sorted(found.values()) == [0, 0, 1, 1]  # and one marker each


def test_a_repetition_writes_no_record() -> None:
    where = rig.broker()
    put(where, "a")
    slot = Slot(where).step(4)
    put(where, "a")
    slot.step(2)
    assert len(records(where, "A1")) == 1


def test_an_account_without_lines_is_forgotten_once_none_can_matter_any_more() -> None:
    where = rig.broker()
    quiet, busy = rig.account_on(0, 0), rig.account_on(0, 1)
    put(where, "a", 0, account=quiet)
    slot = Slot(where).step(4)
    put(where, "b", KEPT_DAYS * DAY - 1, account=busy)
    slot.step(2)
    assert len(records(where, quiet)) == 1
    put(where, "c", KEPT_DAYS * DAY + 1, account=busy)
    slot.step(2)
    assert records(where, quiet)[1:] == [None]
    put(where, "d", KEPT_DAYS * DAY + 2, account=busy)
    slot.step(2)
    assert len(records(where, quiet)) == 2
    slot.die()
    for one in (slot, Slot(where).step(4)):
        assert list(one.accounts._shelves[0].kept) == [rig.canonical_key(busy, "10")]


def test_old_lines_are_no_reason_to_forget_their_account() -> None:
    """A file of last year is judged like a stream: the partition's clock is Kafka's, the windows are the account's."""
    where = rig.broker()
    for number in range(3):
        for hour in (0, 5, 10):
            put(where, f"{hour}-{number}", (number - 400) * DAY + hour * 60, account="A1", at_ms=NOON)
    slot = Slot(where, max_records=1).step(14)
    assert None not in records(where, "A1")
    put(where, "c", -397 * DAY + 700, account="A1", at_ms=NOON + 20 * DAY_MS)
    slot.step(2)
    assert rig.hits(where)["10-2"] == ["third"]
    assert rig.hits(where)["c"] == []


def test_whether_an_account_is_forgotten_does_not_depend_on_batches() -> None:
    def judged(max_records: int) -> dict[str, list[str]]:
        where = rig.broker()
        quiet, busy = rig.account_on(0, 0), rig.account_on(0, 1)
        put(where, "a", 0, account=quiet)
        put(where, "b", 1, account=quiet)
        put(where, "c", 2, account=busy, at_ms=NOON + KEPT_DAYS * DAY_MS + 180_000)
        put(where, "d", 3, account=quiet, at_ms=NOON)
        Slot(where, max_records=max_records).step(10)
        return rig.hits(where)

    assert judged(1) == judged(5000) == {"a": [], "b": [], "c": [], "d": []}


def test_what_a_rule_set_no_longer_asks_for_leaves_the_record_with_its_next_line() -> None:
    where, active = rig.broker(), [rig.engine()]
    slot = Slot(where, rules=lambda: active[0])
    put(where, "a", 0)
    slot.step(4)
    active[0] = rig.engine(rig.RULES[: rig.RULES.index("  - {id: quick")])
    put(where, "b", 1)
    slot.step(2)
    first, second = records(where, "A1")
    assert len(second or b"") < len(first or b"")


def test_the_unpacked_accounts_are_bounded() -> None:
    where = rig.broker()
    for number in range(50):
        put(where, f"t-{number}", account=f"A{number}")
    slot = Slot(where, live=10 * len(rig.engine().layout.windows)).step(4)
    shelves = slot.accounts._shelves.values()
    assert sum(len(shelf.live) for shelf in shelves) == 10
    assert sum(len(shelf.kept) for shelf in shelves) == 50


def test_a_slot_lets_go_of_its_changelog() -> None:
    slot = Slot(rig.broker()).step(2)
    slot.handler.close()
    assert slot.changelog.closed
