"""The validator goes away, or answers what nobody can use."""

import contextlib
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.failure.arena import Arena, arena
from tests.failure.door import FAULTS, Door, Fault, busy, cut, door_before, silent
from tests.failure.evidence import DEAD
from tests.failure.longer.conftest import kept_its_word
from tests.failure.plain import Topics
from tests.failure.watching import seconds_until

pytestmark = [pytest.mark.services, pytest.mark.long, pytest.mark.timeout(3000)]

PAUSED_S, BACK_S, PROBE_S = 3, 10, 5
MEMORY_MB = 20
GROUP = "fraud-platform.validation"


@contextmanager
def behind_a_door(folder: Path, *, records: int) -> Iterator[tuple[Arena, Door]]:
    """A platform whose validation asks through a door that the test can shut."""
    doors = list[Door]()
    with contextlib.ExitStack() as opened:

        def through_it(_, address: str) -> Mapping[str, Mapping[str, str]]:
            door, server = opened.enter_context(door_before(address))
            doors.append(door)
            return {"validation": {"FRAUD_VALIDATOR_URL": server.url}}

        with arena(folder, records=records, rate=60, own=through_it, reserve=6) as site:
            site.storm.wait_for_progress()
            yield site, doors[0]


def pauses(folder: Path) -> int:
    return (folder / "logs" / "validation.log").read_text().count("paused: ")


def seconds_until_paused(folder: Path, door: Door, fault: Fault) -> float:
    """From the first question in vain until the partitions are paused, which the stage says in its log."""
    before = pauses(folder)
    door.shut(fault)
    seconds_until(lambda: pauses(folder) > before, lambda: "the stage asks on and does not pause")
    return round(time.monotonic() - door.knocks[0], 1)


def rebalances(site: Arena) -> int:
    """What the broker says about validation's group since its start."""
    log = site.stack.folder.log("kafka").read_text()
    return log.count(f"Preparing to rebalance group {site.where.prefix}{GROUP} ")


def dead_letters_of_validation(site: Arena) -> int:
    with Topics(site.where) as topics:
        return sum(row.headers["stage"] == "validation" for row in topics.read(DEAD))


class Memory:
    """By how much the peak of validation's process is above what it held at first."""

    def __init__(self, site: Arena) -> None:
        self._process = Path(f"/proc/{site.slots.processes['validation'].pid}")
        (self._process / "clear_refs").write_text("5")  # the kernel's way to begin a new peak
        self._before_mb = self._mb("VmRSS:")

    def _mb(self, name: str) -> float:
        (line,) = [line for line in (self._process / "status").read_text().splitlines() if line.startswith(name)]
        return int(line.split()[1]) / 1024

    @property
    def rise_mb(self) -> float:
        return round(self._mb("VmHWM:") - self._before_mb, 1)


@pytest.mark.parametrize("fault", [cut, busy, silent], ids=lambda fault: fault.__name__)
def test_a_validator_that_is_away_costs_time_and_nothing_else(folder, sized, note, fault) -> None:
    away_s = sized(100)
    with behind_a_door(folder, records=sized(10_000)) as (site, door):
        before = rebalances(site)
        paused_after = seconds_until_paused(folder, door, fault)
        letters = dead_letters_of_validation(site)
        time.sleep(2)  # what was on its way when the breaker opened
        already = len(door.knocks)
        time.sleep(away_s)
        asked, letters_since = len(door.knocks) - already, dead_letters_of_validation(site) - letters
        door.open()
        back = site.storm.wait_for_progress(["validation"])["validation"]
        rebalanced = rebalances(site) - before
    note(
        records=site.verdict.sent, away_s=away_s, seconds_until_paused=paused_after, asked_while_away=asked,
        rebalances=rebalanced, seconds_until_the_next_result=back,
    )  # fmt: skip
    kept_its_word(site.verdict)
    assert before > 0  # the broker does say it
    assert (rebalanced, letters_since) == (0, 0)
    assert asked <= away_s / PROBE_S + 1
    assert paused_after <= PAUSED_S
    assert back <= BACK_S


def test_an_answer_that_nobody_can_use_is_a_validator_that_is_away(folder, sized, note) -> None:
    paused, back, rise = dict[str, float](), dict[str, float](), dict[str, float]()
    with behind_a_door(folder, records=max(4_000, sized(12_000))) as (site, door):
        for name, fault in FAULTS.items():
            memory = Memory(site)
            paused[name] = seconds_until_paused(folder, door, fault)
            letters = dead_letters_of_validation(site)
            time.sleep(sized(12))
            rise[name] = memory.rise_mb
            assert dead_letters_of_validation(site) == letters, name
            door.open()
            back[name] = site.storm.wait_for_progress(["validation"])["validation"]
            site.storm.wait_for_progress()
    note(records=site.verdict.sent, seconds_until_paused=paused, seconds_until_the_next_result=back, memory_mb=rise)
    kept_its_word(site.verdict)
    assert max(paused.values()) <= PAUSED_S
    assert max(rise.values()) <= MEMORY_MB
