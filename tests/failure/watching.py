"""Waiting for what must come by itself, with a deadline that a busy machine can keep."""

import time
from collections.abc import Callable

from confluent_kafka import KafkaException

PATIENCE_S = 120
LOOK_S = 0.1


def seconds_until(
    condition: Callable[[], bool], complaint: Callable[[], str], *, within_s: float = PATIENCE_S
) -> float:
    """How long it takes until `condition` holds; a broker that does not answer yet counts as no."""
    begun = time.monotonic()
    while not _holds(condition):
        assert time.monotonic() - begun < within_s, complaint()
        time.sleep(LOOK_S)
    return time.monotonic() - begun


def _holds(condition: Callable[[], bool]) -> bool:
    try:
        return condition()
    except KafkaException:
        return False
