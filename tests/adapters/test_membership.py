"""A process that was out of its group asks who has its slot before it joins again."""

import pytest

from fraud_platform.adapters.membership import Membership
from fraud_platform.errors import BrokerUnavailable, Fenced

SESSION_S = 12.0


class Group:
    """What the group says, and the time."""

    def __init__(self) -> None:
        self.present: list[str] = []
        self.now = 0.0
        self.asked = 0
        self.membership = Membership(self._ask, session_s=SESSION_S, clock=lambda: self.now)

    def _ask(self) -> list[str]:
        self.asked += 1
        return self.present


@pytest.fixture
def group() -> Group:
    return Group()


def test_a_new_process_takes_the_slot_whoever_has_it(group: Group) -> None:
    group.present = ["slot-old"]
    group.membership.joining()
    group.membership.require()
    assert group.asked == 0


@pytest.mark.parametrize("present", [[], ["slot-1"]], ids=["nobody", "itself"])
def test_a_member_that_was_away_comes_back_when_nobody_else_has_its_place(group: Group, present: list[str]) -> None:
    group.membership.joined("slot-1")
    group.present = present
    group.membership.require()
    assert group.asked == 1


def test_every_earlier_name_of_its_own_is_its_own(group: Group) -> None:
    for name in ("slot-1", "slot-2"):
        group.membership.joining()
        group.membership.joined(name)
    group.present = ["slot-1"]
    group.membership.require()


def test_a_member_that_was_displaced_while_it_was_away_leaves(group: Group) -> None:
    group.membership.joining()
    group.membership.joined("slot-1")
    group.present = ["slot-2"]
    with pytest.raises(Fenced, match="took over"):
        group.membership.require()


def test_a_name_that_may_be_its_own_is_waited_for_until_its_session_is_over(group: Group) -> None:
    group.membership.joined("slot-1")
    group.membership.joining()  # the answer with the new name never came
    group.present = ["slot-2"]
    for group.now in (0.0, SESSION_S):
        with pytest.raises(BrokerUnavailable, match="may be gone"):
            group.membership.require()
    group.present = []
    group.membership.require()


def test_a_name_that_somebody_keeps_alive_is_another_process(group: Group) -> None:
    group.membership.joined("slot-1")
    group.membership.joining()
    group.present = ["slot-2"]
    with pytest.raises(BrokerUnavailable):
        group.membership.require()
    group.now = SESSION_S + 1
    with pytest.raises(Fenced):
        group.membership.require()


def test_the_wait_begins_anew_for_another_name(group: Group) -> None:
    group.membership.joined("slot-1")
    group.membership.joining()
    for group.now, group.present in ((0.0, ["slot-2"]), (SESSION_S + 1, ["slot-3"])):
        with pytest.raises(BrokerUnavailable):
            group.membership.require()
