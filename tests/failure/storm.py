"""What befalls the stage processes of a trial: kills, zombies, slots that come and go, outages."""

import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tests.failure.catching import committed, kill_in_the_middle, uncommitted
from tests.failure.evidence import LEDGER, READS
from tests.failure.plain import Topics, Where
from tests.failure.plan import KILL, Stop, Stops
from tests.failure.slots import Slots, is_stopped
from tests.failure.traffic import Traffic
from tests.failure.watching import PATIENCE_S, seconds_until


@dataclass(frozen=True)
class Kill:
    """One proved kill: records of the input that lay behind the group's offsets just then."""

    stage: str
    point: str
    uncommitted: int
    at_s: float


@dataclass(frozen=True)
class Zombie:
    """A process that went on after another had taken over its slot: records it had in hand, and how it ended."""

    stage: str
    point: str
    uncommitted: int
    exit_code: int


class Storm:
    """Strikes, and waits for what must follow by itself."""

    def __init__(self, where: Where, slots: Slots, traffic: Traffic, dice: random.Random) -> None:
        self._where = where
        self._slots = slots
        self._traffic = traffic
        self._dice = dice
        self._began = time.monotonic()

    def strike_at(self, stops: Stops) -> tuple[list[Kill], list[Zombie]]:
        """Wait for each process that stops itself by `stops`, in whatever order they come, and do what is due."""
        left = {stage: list(of_stage) for stage, of_stage in stops.items()}
        kills, zombies = list[Kill](), list[Zombie]()
        while any(left.values()):
            stage = self._next_stopped([stage for stage, of_stage in left.items() if of_stage])
            stop = left[stage].pop(0)
            if stop.then == KILL:
                kills.append(self._kill(stage, stop.point))
            else:
                zombies.append(self._outlive(stage, stop))
        return kills, zombies

    def _next_stopped(self, stages: Sequence[str]) -> str:
        found: list[str] = []

        def look() -> bool:
            # One that waits for input may wait for another that stands still as well: that one is next then.
            stopped = (stage for stage in stages if is_stopped(self._slots.processes[stage].pid))
            found.extend(stage for stage in stopped if uncommitted(self._where, stage))
            return bool(found)

        seconds_until(look, lambda: f"none of {stages} comes to its point with input\n{self._slots.log()}")
        return found[0]

    def _kill(self, stage: str, point: str) -> Kill:
        victim = self._slots.processes[stage]
        count = uncommitted(self._where, stage)
        victim.kill()
        self._slots.wait_for_successor(stage, victim.pid)
        return Kill(stage, point, count, self._now())

    def _now(self) -> float:
        return round(time.monotonic() - self._began, 1)

    def _outlive(self, stage: str, stop: Stop) -> Zombie:
        """Let another process take the slot and get on, then wake the first one up."""
        count, before = uncommitted(self._where, stage), committed(self._where, stage)
        zombie = self._slots.displace(stage, armed=False)  # one that slept as well would have nothing to defend
        with at_least(stop.asleep_s):
            seconds_until(lambda: committed(self._where, stage) != before, lambda: f"{stage} is not taken over")
        zombie.send_signal(signal.SIGCONT)
        code = zombie.wait(PATIENCE_S)
        self._slots.arm(stage, PATIENCE_S)
        return Zombie(stage, stop.point, count, code)

    def race(self, stage: str) -> Zombie:
        """Let a process that stands still with records in hand, and its successor with the same, go on at once."""
        self._next_stopped([stage])
        count, zombie = uncommitted(self._where, stage), self._slots.displace(stage)
        successor = self._slots.processes[stage]
        seconds_until(lambda: is_stopped(successor.pid), lambda: f"{stage} is not taken over\n{self._slots.log()}")
        for process in (successor, zombie):
            process.send_signal(signal.SIGCONT)
        return Zombie(stage, "in a race", count, zombie.wait(PATIENCE_S))

    def kill(self, stage: str) -> Kill:
        """kill -9 now, whatever it does."""
        return self._kill(stage, "now")

    def kill_at_random(self, count: int) -> list[Kill]:
        """kill -9 at moments of chance, of different stages as long as there are any."""
        victims = [*self._dice.sample(list(READS), len(READS)), *self._dice.choices(list(READS), k=count)]
        return [self._kill_at_random(stage) for stage in victims[:count]]

    def _kill_at_random(self, stage: str) -> Kill:
        self.wait_for_progress([stage])
        victim = self._slots.processes[stage].pid
        count = kill_in_the_middle(
            self._where,
            stage,
            victim=lambda: victim,
            others=lambda _: [self._traffic.pid, *(pid for pid in self._slots.pids if pid != victim)],
            dice=self._dice,
            patience_s=PATIENCE_S,
        )
        self._slots.wait_for_successor(stage, victim)
        return Kill(stage, "random", count, self._now())

    def wait_for_progress(self, stages: Sequence[str] = tuple(READS)) -> dict[str, float]:
        """Seconds from now until each stage has committed more, so that it is at work and not starting."""
        begun, before = time.monotonic(), dict[str, object]()
        took: dict[str, float] = {}

        def look() -> bool:
            for stage in stages:
                now = committed(self._where, stage)
                if now != before.setdefault(stage, now):
                    took.setdefault(stage, round(time.monotonic() - begun, 1))
            return len(took) == len(stages)

        seconds_until(look, lambda: f"{set(stages) - set(took)} commit nothing\n{self._slots.log()}")
        return took

    def come_and_go(self, names: Sequence[str]) -> dict[str, int]:
        """Add slots, wait until each has done some of the work, remove them; their exit codes."""
        before = {name: self._work(name) for name in names}
        for name in names:
            self._slots.add(name)
        for name in names:
            seconds_until(
                lambda name=name: self._work(name) > before[name], lambda name=name: f"{name} gets nothing to do"
            )
        return {name: self._slots.remove(name, PATIENCE_S) for name in names}

    def wait_for_work(self, name: str) -> float:
        """Seconds from now until this slot, `stage.slot`, has done more of the work."""
        before = self._work(name)
        return seconds_until(lambda: self._work(name) > before, lambda: f"{name} does nothing\n{self._slots.log()}")

    def _work(self, name: str) -> int:
        stage, _, slot = name.partition(".")
        with Topics(self._where) as topics:
            entries = (topics.decode(row.value) for row in topics.read(LEDGER, wait=False))
            return sum((e["stage"], e["slot"]) == (stage, slot) and bool(e["outcomes"]) for e in entries)

    def wait_until_all_is_read(self) -> None:
        """Until no stage, looked at in flow order, has input left, twice in a row: nothing is on its way."""
        quiet = 0

        def look() -> bool:
            nonlocal quiet
            quiet = 0 if any(uncommitted(self._where, stage) for stage in READS) else quiet + 1
            return quiet > 1

        seconds_until(look, lambda: f"the stages do not come to rest\n{self._slots.log()}", within_s=2 * PATIENCE_S)


@contextmanager
def at_least(seconds: float, *, sleep: Callable[[float], None] = time.sleep) -> Iterator[None]:
    """Stay in the block so long."""
    end = time.monotonic() + seconds
    yield
    sleep(max(0.0, end - time.monotonic()))
