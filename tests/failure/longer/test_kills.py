"""Kills and zombies in numbers, at every point of a transaction and at random."""

import time

import pytest

from tests.failure.arena import arena
from tests.failure.catching import lag
from tests.failure.evidence import READS
from tests.failure.longer.conftest import kept_its_word
from tests.failure.plan import EVERY_POINT, KILL, OUTLIVE, Stop, Stops
from tests.failure.watching import seconds_until

pytestmark = [pytest.mark.services, pytest.mark.long, pytest.mark.timeout(3000)]

DEAD_FOR_ALL_S = 25.0
"""Longer than a transaction and a session last together."""


def times(count: int, stops: Stops) -> Stops:
    """Every kill of these, `count` times over."""
    return {stage: [stop for stop in of_stage if stop.then == KILL] * count for stage, of_stage in stops.items()}


def test_kills_at_every_point_and_at_random_lose_and_repeat_nothing(folder, sized, note) -> None:
    stops, at_random = times(sized(5), EVERY_POINT), sized(20)
    with arena(folder, records=sized(100_000), rate=80, stops=stops, more_slots=["validation.1"], reserve=1.2) as site:
        kills, _ = site.storm.strike_at(stops)
        kills += site.storm.kill_at_random(at_random)
    note(
        records=site.verdict.sent, kills_at_points=len(kills) - at_random, kills_at_random=at_random,
        least_uncommitted=min(kill.uncommitted for kill in kills), faults=len(site.verdict.faults),
    )  # fmt: skip
    kept_its_word(site.verdict, kills)


@pytest.mark.parametrize(("stage", "point"), [("lake", "after_s3_put"), ("documents", "after_mongo_write")])
def test_a_sink_killed_between_its_write_and_its_commit_stores_each_row_once(folder, sized, note, stage, point) -> None:
    stops = {stage: [Stop(point, 10)] * sized(20)}
    with arena(folder, records=sized(10_000), rate=60, stops=stops) as site:
        kills, _ = site.storm.strike_at(stops)
    report = site.verdict.report
    note(records=site.verdict.sent, kills=len(kills), objects_rows=report["s3"], documents=report["mongodb"])
    kept_its_word(site.verdict, kills)


@pytest.mark.parametrize("point", ["after_consume", "before_commit", "after_send_offsets"])
def test_a_validator_stage_asleep_in_its_transaction_is_fenced_when_it_wakes_up(folder, sized, note, point) -> None:
    stops = {"validation": [Stop(point, 8, OUTLIVE, DEAD_FOR_ALL_S)] * sized(4)}
    with arena(folder, records=sized(8_000), rate=60, stops=stops) as site:
        _, zombies = site.storm.strike_at(stops)
    note(records=site.verdict.sent, zombies=len(zombies), exit_codes={zombie.exit_code for zombie in zombies})
    kept_its_word(site.verdict)
    assert {zombie.exit_code for zombie in zombies} == {1}


def test_a_documents_writer_that_outlives_its_takeover_changes_nothing(folder, sized, note) -> None:
    stops = {"documents": [Stop("after_mongo_write", 8, OUTLIVE)] * sized(10)}
    with arena(folder, records=sized(8_000), rate=60, stops=stops) as site:
        _, zombies = site.storm.strike_at(stops)
    note(records=site.verdict.sent, zombies=len(zombies), exit_codes={zombie.exit_code for zombie in zombies})
    kept_its_word(site.verdict)


def test_readers_move_on_soon_after_a_kill_within_a_transaction(folder, sized, note) -> None:
    stops = {"ingestion": [Stop("after_send_offsets", 8)] * sized(5)}
    pauses = []
    with arena(folder, records=sized(6_000), rate=60, stops=stops) as site:
        kills = []
        for stop in stops["ingestion"]:
            done, _ = site.storm.strike_at({"ingestion": [stop]})
            kills += done
            pauses.append(site.storm.wait_for_progress(["projection"])["projection"])
    note(records=site.verdict.sent, kills=len(kills), seconds_until_the_next_stage_moves=pauses)
    kept_its_word(site.verdict, kills)


def test_poison_is_kept_once_while_its_neighbours_pass_through_kills(folder, sized, note) -> None:
    stops = {"ingestion": [Stop("before_commit", 8)] * sized(5), "validation": [Stop("after_produce", 8)] * sized(5)}
    with arena(folder, records=sized(8_000), rate=80, stops=stops) as site:
        kills, _ = site.storm.strike_at(stops)
    report = site.verdict.report
    note(records=site.verdict.sent, kills=len(kills), dead_letters=report["topics"]["dead-letters"])
    kept_its_word(site.verdict, kills)
    assert report["fates"]["dead letter of ingestion"] + report["fates"]["dead letter of validation"] > 0


def test_a_stage_that_has_nothing_to_do_stays_in_its_group_and_shows_no_lag(folder, sized, note) -> None:
    idle_s = sized(600)
    with arena(folder, records=300, rate=0) as site:
        site.traffic.finish()
        site.storm.wait_until_all_is_read()
        seconds_until(lambda: not any(lag(site.where, stage) for stage in READS), lambda: "a lag stays")
        before = site.slots.cpu_seconds()
        time.sleep(idle_s)
        cpu = {stage: spent - before[stage] for stage, spent in site.slots.cpu_seconds().items()}
        lags = {stage: lag(site.where, stage) for stage in READS}
    note(idle_seconds=idle_s, lag=lags, share_of_a_core={stage: round(s / idle_s, 3) for stage, s in cpu.items()})
    kept_its_word(site.verdict)
    assert lags == dict.fromkeys(READS, 0)
