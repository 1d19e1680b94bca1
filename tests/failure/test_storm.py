"""Everything that may befall a platform, within two minutes of live traffic, and an outsider's verdict on the rest."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

import pytest

from tests.failure.arena import SEED, Arena, Verdict, arena
from tests.failure.evidence import READS
from tests.failure.plan import EVERY_POINT, KILL
from tests.failure.slots import KILLED
from tests.failure.storm import Kill, Zombie, at_least

pytestmark = [pytest.mark.services, pytest.mark.failure, pytest.mark.timeout(600)]

RECORDS, RATE = 5_000, 60
RESERVE = 10
"""The storm takes two minutes when the machine is idle; the traffic must outlast it on a busy one."""
AT_RANDOM = 2
OUTAGE_S = 20
GUESTS = ("ingestion.1", "documents.1")


@dataclass
class Trial:
    """What was done, what followed, and the verifier's report."""

    kills: list[Kill] = field(default_factory=list)
    zombies: list[Zombie] = field(default_factory=list)
    guests: dict[str, int] = field(default_factory=dict)
    broker_back: dict[str, float] = field(default_factory=dict)
    validator_back: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    verdict: Verdict = field(default_factory=Verdict)


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    done = Trial()
    folder = tmp_path_factory.mktemp("storm")
    with arena(folder, records=RECORDS, rate=RATE, stops=EVERY_POINT, reserve=RESERVE) as site:
        done.verdict = site.verdict
        for step in (kill_at_every_point, take_the_validator_away, kill_at_random, kill_the_broker):
            began = time.monotonic()
            step(site, done)
            assert site.traffic.is_flowing, "the traffic ended before the storm"
            done.seconds[step.__name__] = round(time.monotonic() - began, 1)
    print(json.dumps(asdict(done), indent=1))
    return done


Step = Callable[[Arena, Trial], None]


def kill_at_every_point(site: Arena, done: Trial) -> None:
    done.kills, done.zombies = site.storm.strike_at(EVERY_POINT)


def take_the_validator_away(site: Arena, done: Trial) -> None:
    """Slots come and go meanwhile."""
    site.validator.down()
    with at_least(OUTAGE_S):
        done.guests = site.storm.come_and_go(GUESTS)
    site.validator.up()
    done.validator_back = site.storm.wait_for_progress(["validation"])


def kill_at_random(site: Arena, done: Trial) -> None:
    done.kills += site.storm.kill_at_random(AT_RANDOM)


def kill_the_broker(site: Arena, done: Trial) -> None:
    site.storm.wait_for_progress()
    site.stack.wait_restarted("kafka", site.stack.kill("kafka"))
    done.broker_back = site.storm.wait_for_progress()


def test_every_kill_hit_uncommitted_input(trial: Trial) -> None:
    planned = [(stage, stop.point) for stage, stops in EVERY_POINT.items() for stop in stops if stop.then == KILL]
    assert sorted((kill.stage, kill.point) for kill in trial.kills if kill.point != "random") == sorted(planned)
    assert len(trial.kills) == len(planned) + AT_RANDOM >= 10
    assert all(kill.uncommitted > 0 for kill in trial.kills)


def test_no_process_died_of_anything_else(trial: Trial) -> None:
    assert trial.verdict.unexpected == [(kill.stage, KILLED) for kill in trial.kills]


def test_a_zombie_that_goes_on_after_its_successor_is_fenced_and_leaves(trial: Trial) -> None:
    (zombie,) = trial.zombies
    assert (zombie.stage, zombie.point, zombie.exit_code) == ("lake", "after_plan", 1)
    assert zombie.uncommitted > 0


def test_slots_that_come_and_go_do_their_share_and_leave_cleanly(trial: Trial) -> None:
    assert trial.guests == dict.fromkeys(GUESTS, 0)


def test_the_stages_go_on_by_themselves_once_validator_and_broker_are_back(trial: Trial) -> None:
    assert set(trial.validator_back) == {"validation"}
    assert set(trial.broker_back) == set(READS)


def test_the_traffic_was_spread_over_many_transactions(trial: Trial) -> None:
    busy = trial.verdict.report["transactions_with_records"]
    assert trial.verdict.sent >= RECORDS
    assert busy["ingestion"] >= 50
    assert all(busy[stage] >= 5 for stage in READS)


def test_every_input_has_its_outcome_exactly_once_everywhere(trial: Trial) -> None:
    assert trial.verdict.faults == [], f"repeat with FRAUD_FAILURE_SEED={SEED}"
    assert trial.verdict.exit_code == 0
    assert sum(trial.verdict.report["fates"].values()) == trial.verdict.sent


def test_a_reader_who_looked_on_all_the_time_saw_each_result_once(trial: Trial) -> None:
    assert trial.verdict.seen_otherwise == 0


def test_a_stop_that_is_asked_for_ends_cleanly_in_time(trial: Trial) -> None:
    assert trial.verdict.exits == dict.fromkeys(READS, 0)
    assert trial.verdict.stop_seconds < 15
