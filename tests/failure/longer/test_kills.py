"""Kills and zombies in numbers, at every point of a transaction and at random."""

import pytest

from tests.failure.arena import arena
from tests.failure.longer.conftest import kept_its_word
from tests.failure.plan import EVERY_POINT, KILL, OUTLIVE, Stop, Stops

pytestmark = [
    pytest.mark.services, pytest.mark.long, pytest.mark.timeout(3000), pytest.mark.xdist_group("storms-1"),
]  # fmt: skip

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


@pytest.mark.parametrize("point", ["after_consume", "before_commit", "after_send_offsets"])
def test_a_validator_stage_asleep_in_its_transaction_is_fenced_when_it_wakes_up(folder, sized, note, point) -> None:
    stops = {"validation": [Stop(point, 8, OUTLIVE, DEAD_FOR_ALL_S)] * sized(4)}
    with arena(folder, records=sized(8_000), rate=60, stops=stops) as site:
        _, zombies = site.storm.strike_at(stops)
    note(records=site.verdict.sent, zombies=len(zombies), exit_codes={zombie.exit_code for zombie in zombies})
    kept_its_word(site.verdict)
    assert {zombie.exit_code for zombie in zombies} == {1}


def test_poison_is_kept_once_while_its_neighbours_pass_through_kills(folder, sized, note) -> None:
    stops = {"ingestion": [Stop("before_commit", 8)] * sized(5), "validation": [Stop("after_produce", 8)] * sized(5)}
    with arena(folder, records=sized(8_000), rate=80, stops=stops) as site:
        kills, _ = site.storm.strike_at(stops)
    report = site.verdict.report
    note(records=site.verdict.sent, kills=len(kills), dead_letters=report["topics"]["dead-letters"])
    kept_its_word(site.verdict, kills)
    assert report["fates"]["dead letter of ingestion"] + report["fates"]["dead letter of validation"] > 0
