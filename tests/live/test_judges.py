"""Who has switched: asked again until all have, or the time is over."""

from collections.abc import Mapping, Sequence

import pytest

from fraud_platform.live.judges import LOOK_S, Switch, wait_for_judges
from fraud_platform.settings import Settings
from tests.fakes.clock import FakeClock

NOBODY: Mapping[str, str] = {}
HALF = {"the validator": "new", "monitoring.0": "old"}
ALL = {"the validator": "new", "monitoring.0": "new"}


def asked(answers: Sequence[Mapping[str, str]]) -> Switch:
    clock, left = FakeClock(), list(answers)
    return wait_for_judges(
        Settings.from_environment({}), "new", within_s=2.0, clock=clock, sleep=clock.advance,
        ask=lambda _: left.pop(0) if len(left) > 1 else left[0],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ([NOBODY], Switch(NOBODY, {}, 0.0)),
        ([ALL], Switch(ALL, {}, 0.0)),
        ([HALF, HALF, ALL], Switch(ALL, {}, 2 * LOOK_S)),
        ([HALF], Switch(HALF, {"monitoring.0": "old"}, 2.0)),
    ],
    ids=["nobody is there", "all at once", "one comes later", "one never does"],
)
def test_it_waits_for_those_who_can_be_asked_and_names_who_is_late(
    answers: Sequence[Mapping[str, str]], told: Switch
) -> None:
    assert asked(answers) == told
