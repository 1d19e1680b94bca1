"""By which rule set those judge who run now: asked after a publication, until all have switched."""

import time
from collections.abc import Callable, Mapping

import msgspec

from fraud_platform.adapters.validator_rules import judges_by
from fraud_platform.local.folder import Folder
from fraud_platform.settings import Settings
from fraud_platform.topology import MONITORING

WAIT_S = 15.0
LOOK_S = 0.5
VALIDATOR = "the validator"


class Switch(msgspec.Struct, frozen=True):
    """The version of each who could be asked, by their names, `seconds` after the question; and who is `late`."""

    judges: Mapping[str, str]
    late: Mapping[str, str]
    seconds: float


def judges(settings: Settings) -> dict[str, str]:
    """The rule-set version of the validator and of each slot of monitoring under Dagster.

    Who does not answer, and a validator of another maker, is left out.
    """
    version = judges_by(settings)
    return {**({VALIDATOR: version} if version else {}), **_slots(settings)}


def wait_for_judges(
    settings: Settings, version: str, *, within_s: float = WAIT_S,
    ask: Callable[[Settings], Mapping[str, str]] = judges,
    clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep,
) -> Switch:  # fmt: skip
    """Ask until all judge by this version, or the time is over."""
    begun = clock()
    while True:
        found = ask(settings)
        late = {name: other for name, other in found.items() if other != version}
        if not late or clock() - begun >= within_s:
            return Switch(found, late, clock() - begun)
        sleep(LOOK_S)


def _slots(settings: Settings) -> Mapping[str, str]:
    if not Folder(settings.data_dir).dagster_home.exists():
        return {}
    from fraud_platform.orchestration import control

    return control.stage_state(settings, MONITORING).judges_by
