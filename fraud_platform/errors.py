"""The errors of the platform, drawn once.

FraudPlatformError
 +- ConfigurationError     wrong before or at start: a person must change something; a rerun cannot help
 +- Retryable              the outside is away or unsure: wait, rewind to the committed offsets, go on
 |   +- BrokerUnavailable
 |   +- RegistryUnavailable
 |   +- ValidatorUnavailable
 |   +- StoreUnavailable
 |   +- ChannelUnavailable a way to alert a person; never holds anything else up
 |   +- Restoring          a stage reads back what it remembers; it pauses itself meanwhile
 +- Fenced                 another process owns this transactional id or group member: leave at once
 +- InputLost              the committed offset is no longer in the topic: pause and tell a person
 +- Defect                 a fault of our own code: says where, never what was being processed

A bad *record* is never an exception: it is a `fraud_platform.core.outcome.Rejected` value.
Messages are one sentence for the user; they never hold a field's value, a key or a password.
"""

import traceback
from pathlib import Path
from typing import Self


class FraudPlatformError(Exception):
    """Any error that the platform raises on purpose."""


class ConfigurationError(FraudPlatformError):
    """Something a person must change: a setting, a permission, a missing library."""


class Retryable(FraudPlatformError):
    """The outside is away or its answer unclear; nothing is lost by waiting and asking again."""


class BrokerUnavailable(Retryable):
    """Kafka did not answer, or a commit's result is unknown."""


class RegistryUnavailable(Retryable):
    """The Schema Registry did not answer."""


class ValidatorUnavailable(Retryable):
    """fraud-validator-api did not answer within its budget, or not with a reply that makes sense."""


class StoreUnavailable(Retryable):
    """MongoDB or S3 did not answer."""


class ChannelUnavailable(Retryable):
    """A webhook or mail server did not take a message.

    `retry_after_s` is how long it asks us to wait, 0 = not said; `is_too_large` = it may take less at once.
    """

    def __init__(self, why: str, retry_after_s: float = 0.0, *, is_too_large: bool = False) -> None:
        super().__init__(why)
        self.retry_after_s = retry_after_s
        self.is_too_large = is_too_large


class Restoring(Retryable):
    """What the stage remembers of its partitions is being read back; each time it is asked it has come further."""


class Fenced(FraudPlatformError):
    """A newer process took over this slot; this one must not write any more."""


class InputLost(FraudPlatformError):
    """The committed offset lies outside the topic (retention, a wiped broker)."""


class Defect(FraudPlatformError):
    """Something nobody foresaw, without its text: libraries quote the values that they trip over."""

    _FRAMES = 3

    @classmethod
    def of(cls, doing: str, error: Exception) -> Self:
        """The defect behind `error`: its kind and the innermost frames, files without their folders' folders."""
        frames = traceback.extract_tb(error.__traceback__)[: -cls._FRAMES - 1 : -1]
        places = [f"{'/'.join(Path(f.filename).parts[-2:])}:{f.lineno} in {f.name}" for f in frames]
        return cls(
            f"{doing} failed on a defect of the platform ({type(error).__name__} at {', from '.join(places)});"
            " nothing is lost, please report this line."
        )
