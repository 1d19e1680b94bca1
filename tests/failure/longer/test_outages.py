"""What the platform needs goes away, lies, or comes and goes."""

import time

import pytest

from tests.failure.arena import arena
from tests.failure.longer.conftest import kept_its_word

pytestmark = [
    pytest.mark.services, pytest.mark.long, pytest.mark.timeout(3000), pytest.mark.xdist_group("storms-2"),
]  # fmt: skip

BROKER_DOWN_S = (3, 7, 11, 15, 20)
BROKER_BACK_S = 300.0
GUESTS = ("ingestion.1", "ingestion.2")
SESSION_AND_TRANSACTION_S = 20


def test_every_stage_goes_on_by_itself_after_each_crash_of_the_broker(folder, sized, note) -> None:
    downs = BROKER_DOWN_S[: sized(len(BROKER_DOWN_S))]
    back = {}
    with arena(folder, records=sized(20_000), rate=80) as site:
        for down_s in downs:
            site.storm.wait_for_progress()
            with site.stack.held_down("kafka"):
                time.sleep(down_s)
            site.stack.wait_ready(timeout_s=BROKER_BACK_S)
            back[down_s] = max(site.storm.wait_for_progress().values())
    note(records=site.verdict.sent, crashes=len(downs), seconds_until_all_stages_commit_by_seconds_down=back)
    kept_its_word(site.verdict)


def test_slots_that_come_and_go_all_the_time_lose_and_repeat_nothing(folder, sized, note) -> None:
    rounds = sized(8)
    with arena(folder, records=sized(20_000), rate=80) as site:
        codes = [site.storm.come_and_go(GUESTS) for _ in range(rounds)]
    pause = site.verdict.report["longest_pause_s"]["ingestion"]
    note(records=site.verdict.sent, protocol="classic, eager", rebalances=4 * rounds, longest_pause_s=pause)
    kept_its_word(site.verdict)
    assert codes == [dict.fromkeys(GUESTS, 0)] * rounds
    assert pause < SESSION_AND_TRANSACTION_S
