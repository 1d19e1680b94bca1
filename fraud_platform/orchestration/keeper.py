"""What a keeper does about what it sees: pure, so that tables can test it.

Kafka's group membership is the lease: a slot works when its run is in progress and its member is in the
group. The demo banks consume nothing; there the run's heartbeat takes the member's place.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from dagster import DagsterRunStatus as Status

from fraud_platform.orchestration import tags

MEMBER_GRACE_S = 12.0
"""Kafka forgets a dead member after 10 s, the session timeout; one that rejoins is missing for moments."""
HEARTBEAT_GRACE_S = 30.0
STARTING_GRACE_S = 60.0
UNSTARTED_GRACE_S = 120.0
SUCCESSOR_LEAD_S = 25.0
"""Two looks and a start: so long before a run leaves, its successor waits in Dagster's queue for the slot."""
HAUNTING_S = 15.0
"""A dead member of our own may be seen this long; a member seen later belongs to somebody else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotRun:
    """One stored run of a slot; times are Unix seconds."""

    run_id: str
    slot: str
    status: Status
    created_at: float
    updated_at: float
    started_at: float | None = None
    ended_at: float | None = None
    heartbeat_at: float = 0.0
    working_since: float = 0.0
    process: str = ""
    code: str = ""
    leaves_at: float = 0.0
    rules: str = ""
    rules_coming: str = ""
    ended_by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """Ask for a run of the slot. Its key holds the run before it: one request per gap, however often seen."""

    slot: str
    after: str | None

    @property
    def run_key(self) -> str:
        """Differs after each run of the slot."""
        return f"{self.slot}:{self.after or 'first'}"


@dataclass(frozen=True, slots=True)
class End:
    """Close the books of a run whose process is gone, with this status."""

    run_id: str
    status: Status
    why: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """Ask a run to leave, and why."""

    run_id: str
    why: str


@dataclass(frozen=True, slots=True)
class SwitchOff:
    """Stop keeping this stage: a person has to look, or wants it down. `leaving` = runs that have to go as well."""

    why: str
    leaving: tuple[str, ...] = ()


Action = Launch | End | Cancel | SwitchOff


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a keeper sees at one moment.

    `members` is None while Kafka does not answer: then nothing is known, and no run is ended for its silence.
    `gone` names the runs whose process is known to have ended; a machine knows that of its own processes only.
    `code` is the keeper's own code and `code_since` when it was loaded: what was started earlier may run older code.
    `uses_heartbeat` marks a stage without a group. `seen` is the keeper's memory: run id -> last seen alive.
    `last_ended` need not name the runs of slots whose run was started long ago.
    `switched_on_at` is when the keeper was last switched on; what ended before counts for nothing.
    """

    now: float
    slots: Sequence[str]
    in_progress: Sequence[SlotRun]
    last_ended: Mapping[str, SlotRun]
    members: Collection[str] | None
    seen: Mapping[str, float]
    gone: Collection[str] = ()
    switched_on_at: float = 0.0
    uses_heartbeat: bool = False
    code: str = ""
    code_since: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do, what to say, and what to remember until the next look."""

    actions: Sequence[Action]
    notes: Sequence[str]
    seen: Mapping[str, float]


def decide(view: View) -> Decision:
    """Compare the wanted slots with the runs and the group's members."""
    seen = {run.run_id: _last_sign(run, view) for run in view.in_progress}
    ends = {run.run_id: end for run in view.in_progress if (end := _silence(run, view, seen[run.run_id]))}
    surplus = [
        Cancel(run.run_id, f"nobody wants {run.slot} any more")
        for run in view.in_progress
        if run.slot not in view.slots and run.run_id not in ends and run.status is not Status.CANCELING
    ]
    wishes = [_fill(slot, view, ends) for slot in view.slots]
    successions = [action for slot in view.slots for action in _succeed(slot, view, ends)]
    notes = [wish for wish in wishes if isinstance(wish, str)]
    off = next((wish for wish in wishes if isinstance(wish, SwitchOff)), None)
    actions: list[Action] = [*ends.values(), *surplus]
    actions += [off] if off else [*successions, *(wish for wish in wishes if isinstance(wish, Launch))]
    return Decision(actions=actions, notes=notes, seen=seen)


def _last_sign(run: SlotRun, view: View) -> float:
    """When the run was last known to be alive."""
    present = not view.uses_heartbeat and (view.members is None or run.slot in view.members)
    signs = (view.seen.get(run.run_id, 0.0), run.started_at or 0.0, run.heartbeat_at)
    return view.now if present else max(signs)


def _silence(run: SlotRun, view: View, last_sign: float) -> End | None:
    """The end of a run that has given no sign of life for too long."""
    limits = {
        Status.NOT_STARTED: (run.created_at, UNSTARTED_GRACE_S),
        Status.STARTING: (run.updated_at, STARTING_GRACE_S),
        Status.STARTED: (last_sign, _grace(view)),
        Status.CANCELING: (max(last_sign, run.updated_at), _grace(view)),
    }
    ended = Status.CANCELED if run.status is Status.CANCELING else Status.FAILURE
    if run.run_id in view.gone:
        return End(run.run_id, ended, f"the process of {run.slot} is gone")
    since, grace = limits.get(run.status, (view.now, 0.0))
    if view.now - since <= grace or (view.members is None and not view.uses_heartbeat):
        return None
    return End(run.run_id, ended, f"{run.slot} gave no sign of life for {view.now - since:.0f} s")


def _grace(view: View) -> float:
    return HEARTBEAT_GRACE_S if view.uses_heartbeat else MEMBER_GRACE_S


def _fill(slot: str, view: View, ends: Mapping[str, End]) -> Launch | SwitchOff | str | None:
    """What a slot without a live run needs; a string says why it must wait."""
    mine = [run for run in view.in_progress if run.slot == slot]
    last = view.last_ended.get(slot)
    if live := [run for run in mine if run.run_id not in ends]:
        return _overtaken(slot, live, last, view) if last else None
    if mine:
        newest = mine[-1]
        is_unwanted = _is_operators(ends[newest.run_id].status, newest)
        return _cancelled(slot) if is_unwanted else Launch(slot=slot, after=newest.run_id)
    return (last and _reason_to_stop(slot, last, view)) or _launch_or_wait(slot, last, view)


def _succeed(slot: str, view: View, ends: Mapping[str, End]) -> list[Action]:
    """What brings a successor for a run that is due to leave, or that runs older code than this code server.

    The successor waits in Dagster's queue until the slot is free: a gap as long as its start, without a look between.
    """
    mine = [run for run in view.in_progress if run.slot == slot]
    at_work = [run for run in mine if run.status is Status.STARTED and run.run_id not in ends]
    if len(at_work) != 1:
        return []
    (run,) = at_work
    successor = [] if len(mine) > 1 else [Launch(slot=slot, after=run.run_id)]  # another that waits is one already
    # Only what was started before this code server: a file that is changed later is no news before its next start.
    if run.code and run.code != view.code and run.created_at < view.code_since:
        return [Cancel(run.run_id, f"{slot} runs the code of before"), *successor]
    return [*successor] if run.leaves_at and view.now >= run.leaves_at - SUCCESSOR_LEAD_S else []


def _reason_to_stop(slot: str, last: SlotRun, view: View) -> SwitchOff | None:
    """Why a slot must not be filled again, if it ended so since the keeper was switched on."""
    if _end_of(last) < view.switched_on_at:
        return None
    if last.status is Status.FAILURE and last.ended_by == tags.CONFIGURATION:
        return SwitchOff(f"{slot} cannot work: {last.reason.rstrip('.')}")
    return _cancelled(slot) if _is_operators(last.status, last) else None


def _end_of(run: SlotRun) -> float:
    return run.ended_at or run.updated_at


def _overtaken(slot: str, live: Sequence[SlotRun], last: SlotRun, view: View) -> SwitchOff | None:
    """An operator's cancel counts for successors that waited meanwhile: created during the run that was cancelled."""
    if not all(last.created_at < run.created_at < _end_of(last) for run in live):
        return None
    off = _reason_to_stop(slot, last, view)
    return replace(off, leaving=tuple(run.run_id for run in live)) if off else None


def _is_operators(status: Status, run: SlotRun) -> bool:
    return status is Status.CANCELED and run.ended_by not in (tags.KEEPER, tags.PLATFORM)


def _launch_or_wait(slot: str, last: SlotRun | None, view: View) -> Launch | str:
    ended_at = _end_of(last) if last else 0.0
    is_foreign = view.now - ended_at > HAUNTING_S or (last is not None and last.ended_by == tags.FENCED)
    if is_foreign and slot in (view.members or ()):
        return f"{slot} is held by a process that no run here stands for"
    return Launch(slot=slot, after=last.run_id if last else None)


def _cancelled(slot: str) -> SwitchOff:
    return SwitchOff(f"{slot} was cancelled by an operator; switch this sensor on to start it again")
