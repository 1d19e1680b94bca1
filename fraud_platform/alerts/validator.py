"""fraud-validator-api does not answer."""

from fraud_platform.alerts.problem import Problem, Sight
from fraud_platform.alerts.sensor import Scene

INTERVAL_S = 30
HOLD_S = 60.0


def judge(*, answers: bool) -> list[Problem]:
    """The one problem, unless it answers."""
    if answers:
        return []
    return [
        Problem(
            key="validator",
            title="fraud-validator-api does not answer",
            text=(
                "Validation waits, asks again every 5 s, and loses nothing; unidentified transfers stay unjudged."
                " `fraud-platform logs validator` shows the embedded one's log; FRAUD_VALIDATOR_URL names another."
            ),
            hold_s=HOLD_S,
        )
    ]


def look(scene: Scene) -> Sight:
    """Ask it once, for a second; without an address there is nothing to ask."""
    if scene.settings.validator_url is None:
        return Sight()
    from fraud_platform.adapters.validator import ValidatorClient

    client = ValidatorClient.from_settings(scene.settings)
    try:
        return Sight(problems=judge(answers=client.probe()))
    finally:
        client.close()
