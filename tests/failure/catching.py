"""Catches a consumer with input that it has not committed, and kills it just then."""

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence

from tests.failure.evidence import READS
from tests.failure.plain import Topics, Where, committed_offsets

Offsets = dict[tuple[str, int], int]


def committed(where: Where, stage: str) -> Offsets:
    """The group's offsets by topic and partition."""
    found = {topic: committed_offsets(where, f"fraud-platform.{stage}", topic) for topic in READS[stage]}
    return {(topic, number): at for topic, offsets in found.items() for number, at in offsets.items()}


def uncommitted(where: Where, stage: str) -> int:
    """Readable records of the stage's inputs at or above the group's offsets; markers do not count."""
    at = committed(where, stage)
    with Topics(where) as topics:
        return sum(
            len(
                topics.read(
                    topic, {number: offset for (name, number), offset in at.items() if name == topic}, wait=False
                )
            )
            for topic in READS[stage]
        )


def lag(where: Where, stage: str) -> int:
    """What the stage has left to read, counted by offsets as monitoring tools do: markers count."""
    at = committed(where, stage)
    with Topics(where) as topics:
        ends = {(topic, number): end for topic in READS[stage] for number, end in topics.ends(topic).items()}
    return sum(end - at.get(place, 0) for place, end in ends.items())


@contextlib.contextmanager
def frozen(pids: Sequence[int]) -> Iterator[None]:
    """The processes stand still inside the block, the first one first; those still there go on after it.

    Only the first one must be there: another may have ended a moment ago.
    """
    first, *others = pids
    try:
        os.kill(first, signal.SIGSTOP)
        for pid in others:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def kill_in_the_middle(
    where: Where, stage: str, *, victim: Callable[[], int], others: Callable[[int], Sequence[int]],
    dice: random.Random, patience_s: float,
) -> int:  # fmt: skip
    """kill -9 at a random moment at which the victim demonstrably has input that is not committed.

    The victim is frozen first, then all who could add to its input while we look; with nothing open
    everybody goes on and another moment is tried. Returns how many records were open.
    """
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        time.sleep(dice.uniform(0.05, 0.6))
        pid = victim()
        with frozen([pid, *others(pid)]):
            count = uncommitted(where, stage)
            if count:
                os.kill(pid, signal.SIGKILL)
                return count
    raise AssertionError(f"{stage} is never caught with uncommitted input")
