"""A stage process that waits long for its validator: `python -m tests.failure.patient STAGE --slot N`.

The platform's own gives up on a batch after five seconds, long before Kafka asks where the consumer is.
"""

import sys

from fraud_platform.adapters.validator import ValidatorClient
from fraud_platform.runtime.__main__ import main

PATIENCE_S = 60.0


class Patient(ValidatorClient):
    @classmethod
    def from_settings(cls, settings):
        patience = {"budget_s": PATIENCE_S, "first_answer_s": PATIENCE_S, "read_timeout_s": PATIENCE_S}
        return cls(settings.require("FRAUD_VALIDATOR_URL"), **patience)


def run() -> int:
    """As the platform's own program."""
    from fraud_platform.validation import stage

    stage.ValidatorClient = Patient
    return main()


if __name__ == "__main__":
    sys.exit(run())
