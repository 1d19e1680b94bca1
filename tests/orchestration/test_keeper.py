"""The keeper's decisions as tables: what it sees on the left, what it does on the right."""

from typing import Any

import pytest
from dagster import DagsterRunStatus as Status

from fraud_platform.orchestration import tags
from fraud_platform.orchestration.keeper import (
    HAUNTING_S,
    HEARTBEAT_GRACE_S,
    MEMBER_GRACE_S,
    SUCCESSOR_LEAD_S,
    Cancel,
    Decision,
    End,
    Launch,
    SlotRun,
    SwitchOff,
    View,
    decide,
)

NOW = 10_000.0
SLOT = "lake.0"


def a_run(run_id: str = "r1", **changes: Any) -> SlotRun:
    given = {"slot": SLOT, "status": Status.STARTED, "created_at": 0.0, "updated_at": 0.0, "started_at": 0.0}
    return SlotRun(run_id=run_id, **(given | changes))


def ended(status: Status, *, ago: float = 5.0, **changes: Any) -> dict[str, SlotRun]:
    return {SLOT: a_run("old", status=status, ended_at=NOW - ago, **changes)}


def look(*in_progress: SlotRun, **changes: Any) -> Decision:
    given: dict[str, Any] = {"slots": [SLOT], "last_ended": {}, "members": frozenset(), "seen": {}}
    return decide(View(now=NOW, in_progress=in_progress, **(given | changes)))


def test_a_slot_that_never_had_a_run_gets_one() -> None:
    decision = look()
    assert decision.actions == [Launch(slot=SLOT, after=None)]
    assert decision.actions[0].run_key == "lake.0:first"


def test_the_run_key_changes_with_the_run_before() -> None:
    (launch,) = look(last_ended=ended(Status.FAILURE)).actions
    assert launch.run_key == "lake.0:old"


def test_each_missing_slot_is_filled() -> None:
    alive = a_run(slot="lake.1")
    decision = look(alive, slots=["lake.0", "lake.1", "lake.2"], members={"lake.1"})
    assert [action.slot for action in decision.actions] == ["lake.0", "lake.2"]


@pytest.mark.parametrize("status", [Status.SUCCESS, Status.FAILURE])
def test_a_slot_whose_run_ended_gets_the_next_one(status: Status) -> None:
    assert look(last_ended=ended(status)).actions == [Launch(slot=SLOT, after="old")]


@pytest.mark.parametrize(
    ("run", "seen_ago", "members", "replaced"),
    [
        # in the group: alive, however long ago it started
        (a_run(), None, {SLOT}, False),
        # never seen: the start is the last sign of life
        (a_run(started_at=NOW - MEMBER_GRACE_S + 1), None, set(), False),
        (a_run(started_at=NOW - MEMBER_GRACE_S - 1), None, set(), True),
        # seen a while ago
        (a_run(), MEMBER_GRACE_S - 1, set(), False),
        (a_run(), MEMBER_GRACE_S + 1, set(), True),
        # not in the group yet, but waiting for a service and saying so
        (a_run(heartbeat_at=NOW - 5), None, set(), False),
        (a_run(heartbeat_at=NOW - 60), None, set(), True),
        # Kafka does not answer: nothing is known
        (a_run(), MEMBER_GRACE_S + 100, None, False),
        # another slot's member says nothing about this one
        (a_run(), MEMBER_GRACE_S + 1, {"lake.1"}, True),
    ],
)
def test_a_started_run_without_a_member_is_replaced_after_a_grace(
    run: SlotRun, seen_ago: float | None, members: set[str] | None, replaced: bool
) -> None:
    seen = {} if seen_ago is None else {run.run_id: NOW - seen_ago}
    actions = look(run, seen=seen, members=members).actions
    if not replaced:
        assert actions == []
        return
    end, launch = actions
    assert (end.run_id, end.status) == ("r1", Status.FAILURE)
    assert launch == Launch(slot=SLOT, after="r1")


@pytest.mark.parametrize(
    ("status", "age", "ends_as"),
    [
        (Status.QUEUED, 9_999, None),
        (Status.NOT_STARTED, 60, None),
        (Status.NOT_STARTED, 300, Status.FAILURE),
        (Status.STARTING, 30, None),
        (Status.STARTING, 90, Status.FAILURE),
        (Status.CANCELING, 5, None),
        (Status.CANCELING, 90, Status.CANCELED),
    ],
)
def test_a_run_that_hangs_on_its_way_is_cleared(status: Status, age: float, ends_as: Status | None) -> None:
    run = a_run(status=status, created_at=NOW - age, updated_at=NOW - age, started_at=None)
    ends = [action for action in look(run).actions if isinstance(action, End)]
    assert [end.status for end in ends] == ([] if ends_as is None else [ends_as])


def test_a_canceling_run_that_still_drains_is_left_alone() -> None:
    assert look(a_run(status=Status.CANCELING, updated_at=NOW - 100), members={SLOT}).actions == []


@pytest.mark.parametrize("members", [{SLOT}, set(), None])
def test_a_run_whose_process_is_known_to_be_gone_is_replaced_at_once(members: set[str] | None) -> None:
    end, launch = look(a_run(started_at=NOW), members=members, gone={"r1"}).actions
    assert (end.status, launch) == (Status.FAILURE, Launch(slot=SLOT, after="r1"))


def test_a_broker_that_comes_back_finds_no_slot_condemned() -> None:
    down = look(a_run(), members=None, seen={"r1": 0.0})
    back = decide(
        View(
            now=NOW + MEMBER_GRACE_S - 1, slots=[SLOT], in_progress=[a_run()], last_ended={}, members=frozenset(),
            seen=down.seen,
        )
    )  # fmt: skip
    assert back.actions == []


def test_a_run_that_an_operator_cancelled_switches_the_keeper_off() -> None:
    (action,) = look(last_ended=ended(Status.CANCELED)).actions
    assert isinstance(action, SwitchOff)
    assert "cancelled by an operator" in action.why


def test_a_cancelled_run_whose_process_died_switches_the_keeper_off_too() -> None:
    end, off = look(a_run(status=Status.CANCELING)).actions
    assert end.status is Status.CANCELED
    assert isinstance(off, SwitchOff)


@pytest.mark.parametrize("status", [Status.QUEUED, Status.STARTED])
def test_a_successor_that_waited_while_an_operator_cancelled_leaves_too(status: Status) -> None:
    successor = a_run("next", status=status, created_at=NOW - 20, updated_at=NOW, started_at=NOW)
    (off,) = look(successor, last_ended=ended(Status.CANCELED), members={SLOT}).actions
    assert isinstance(off, SwitchOff)
    assert off.leaving == ("next",)


@pytest.mark.parametrize(
    "last",
    [
        ended(Status.CANCELED, ago=5, ended_by=tags.KEEPER),  # a hand-over
        ended(Status.CANCELED, ago=30),  # before the run was created: somebody has switched on again since
        ended(Status.SUCCESS),
        # launched by hand while ours worked, and cancelled in the queue
        ended(Status.CANCELED, created_at=NOW - 10),
    ],
)
def test_a_successor_of_any_other_end_stays(last: dict[str, SlotRun]) -> None:
    successor = a_run("next", created_at=NOW - 20, started_at=NOW)
    assert look(successor, last_ended=last, members={SLOT}).actions == []


@pytest.mark.parametrize("by", [tags.KEEPER, tags.PLATFORM])
def test_a_run_that_the_platform_ended_is_followed_by_the_next(by: str) -> None:
    assert look(last_ended=ended(Status.CANCELED, ended_by=by)).actions == [Launch(slot=SLOT, after="old")]


def test_a_configuration_error_switches_the_keeper_off_and_says_it() -> None:
    last = ended(Status.FAILURE, ended_by=tags.CONFIGURATION, reason="FRAUD_VALIDATOR_URL answers 404.")
    (action,) = look(last_ended=last).actions
    assert action == SwitchOff("lake.0 cannot work: FRAUD_VALIDATOR_URL answers 404")


def test_what_ended_before_the_keeper_was_switched_on_counts_for_nothing() -> None:
    for last in (ended(Status.CANCELED), ended(Status.FAILURE, ended_by=tags.CONFIGURATION, reason="x")):
        assert look(last_ended=last, switched_on_at=NOW - 1).actions == [Launch(slot=SLOT, after="old")]


def test_a_keeper_that_switches_off_launches_nothing_and_ends_no_healthy_slot() -> None:
    healthy = a_run("r9", slot="lake.2")
    decision = look(
        healthy, slots=["lake.0", "lake.1", "lake.2"], members={"lake.2"}, last_ended=ended(Status.CANCELED)
    )
    assert [type(action) for action in decision.actions] == [SwitchOff]


def test_a_slot_that_a_foreign_process_holds_is_left_to_it() -> None:
    decision = look(members={SLOT}, last_ended=ended(Status.SUCCESS, ago=HAUNTING_S + 1))
    assert decision.actions == []
    assert "held by a process" in decision.notes[0]


def test_the_ghost_of_a_killed_member_does_not_delay_its_successor() -> None:
    assert look(members={SLOT}, last_ended=ended(Status.FAILURE, ago=HAUNTING_S - 1)).actions != []


def test_a_run_that_was_fenced_off_does_not_fight_back() -> None:
    last = ended(Status.FAILURE, ago=1, ended_by=tags.FENCED)
    assert look(members={SLOT}, last_ended=last).actions == []
    assert look(members=set(), last_ended=last).actions == [Launch(slot=SLOT, after="old")]


def test_a_slot_that_nobody_wants_any_more_is_asked_to_leave() -> None:
    surplus = a_run("r2", slot="lake.1")
    (action,) = look(a_run(), surplus, members={"lake.0", "lake.1"}).actions
    assert action == Cancel("r2", "nobody wants lake.1 any more")


def test_a_run_with_the_code_of_before_a_reload_is_followed_by_one_with_the_new() -> None:
    old = a_run(code="old", created_at=NOW - 60)
    assert look(old, members={SLOT}, code="new", code_since=NOW - 5).actions == [
        Cancel("r1", "lake.0 runs the code of before"),
        Launch(slot=SLOT, after="r1"),
    ]


@pytest.mark.parametrize(
    "run",
    [
        a_run(code="new", created_at=NOW - 60),
        a_run(code="", created_at=NOW - 60),
        # started since the reload: the files have changed again, which is for the next reload to tell
        a_run(code="newer", created_at=NOW - 1),
        a_run(code="old", created_at=NOW - 60, status=Status.CANCELING, updated_at=NOW),
    ],
)
def test_other_code_alone_is_no_reason_to_replace_a_run(run: SlotRun) -> None:
    assert look(run, members={SLOT}, code="new", code_since=NOW - 5).actions == []


def test_old_code_leaves_also_while_another_run_waits_for_the_slot() -> None:
    old, waiting = a_run(code="old", created_at=NOW - 60), a_run("r2", status=Status.QUEUED)
    assert look(old, waiting, members={SLOT}, code="new", code_since=NOW - 5).actions == [
        Cancel("r1", "lake.0 runs the code of before")
    ]


def test_a_run_that_will_leave_has_its_successor_in_the_queue_once() -> None:
    leaving, queued = a_run(leaves_at=NOW + SUCCESSOR_LEAD_S - 1), a_run("r2", status=Status.QUEUED)
    assert look(leaving, members={SLOT}).actions == [Launch(slot=SLOT, after="r1")]
    assert look(leaving, queued, members={SLOT}).actions == []
    assert look(a_run(leaves_at=NOW + SUCCESSOR_LEAD_S + 1), members={SLOT}).actions == []


def test_the_successor_of_a_dead_run_is_asked_for_once() -> None:
    """Its end is written down and the slot filled as always, whatever it had planned."""
    dead = a_run(leaves_at=NOW, code="old", started_at=NOW)
    _, launch = look(dead, members=set(), gone={"r1"}, code="new", code_since=NOW).actions
    assert launch == Launch(slot=SLOT, after="r1")


@pytest.mark.parametrize(("age", "replaced"), [(HEARTBEAT_GRACE_S - 1, False), (HEARTBEAT_GRACE_S + 1, True)])
def test_a_stage_without_a_group_lives_by_its_heartbeat(age: float, replaced: bool) -> None:
    actions = look(a_run(heartbeat_at=NOW - age), uses_heartbeat=True).actions
    assert bool(actions) is replaced


def test_memory_holds_only_runs_in_progress() -> None:
    decision = look(a_run(), members={SLOT}, seen={"gone": 1.0})
    assert decision.seen == {"r1": NOW}
