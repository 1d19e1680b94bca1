"""Brings what lies in the inputs through the stages, one drain after the other."""

from collections.abc import Collection

from fraud_platform.runtime.drain import drain
from fraud_platform.settings import Settings
from fraud_platform.topology import STAGES
from tests.failure.evidence import READS


def drain_all(settings: Settings, *, but: Collection[str] = ()) -> None:
    """In flow order; monitoring twice, since what it sends again lies behind the end of its first drain."""
    for name in READS:
        if name not in but:
            for _ in range(2 if name == "monitoring" else 1):
                drain(settings, STAGES[name])
