"""The validator fails now and then, for minutes."""

import contextlib
import time

import pytest

from tests.failure.arena import SEED, arena
from tests.failure.evidence import READS
from tests.failure.flaky_validator import flaky_validator
from tests.failure.longer.conftest import kept_its_word

pytestmark = [
    pytest.mark.services, pytest.mark.long, pytest.mark.timeout(3000), pytest.mark.xdist_group("storms-2"),
]  # fmt: skip

FLAKY_S = 300
FEW_CALLS = 1.3


def test_a_validator_that_fails_every_fifth_time_is_asked_little_more(folder, sized, note) -> None:
    flaky = []
    with contextlib.ExitStack() as opened:

        def through_it(_, address):
            service, server = opened.enter_context(flaky_validator(address, share=0.2, seed=SEED))
            flaky.append(service)
            return {"validation": {"FRAUD_VALIDATOR_URL": server.url}}

        with arena(folder, records=sized(20_000), rate=60, own=through_it) as site:
            site.storm.wait_for_progress()
            time.sleep(sized(FLAKY_S))
    (service,) = flaky
    report = site.verdict.report
    judged = report["topics"]["unidentified-transactions"]
    calls = round(service.asked / judged, 2)
    note(records=site.verdict.sent, judged=judged, asked=service.asked, questions_per_record=calls)
    kept_its_word(site.verdict)
    assert calls <= FEW_CALLS
    assert set(READS) == set(report["transactions_with_records"])
