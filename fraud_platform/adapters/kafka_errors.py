"""Kafka's errors as ours; the texts are librdkafka's names for them, which hold no data."""

from typing import NoReturn

from confluent_kafka import KafkaError, KafkaException

from fraud_platform.errors import BrokerUnavailable, ConfigurationError, Fenced

_FENCED = {
    KafkaError._FENCED,  # noqa: SLF001 - librdkafka's local error codes are named like this
    KafkaError._FATAL,  # noqa: SLF001 - what a consumer says after the broker fenced it
    KafkaError.FENCED_INSTANCE_ID,
    KafkaError.INVALID_PRODUCER_EPOCH,
    90,  # PRODUCER_FENCED, which the Python client does not name
}
_FORBIDDEN = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
}

RAISED = (KafkaException, KafkaError, SystemError)
"""What a call of the client may raise: a fatal error comes bare, out of whichever call hears of it first.

Out of a call that returns a count all the same, such as a flush, Python makes a SystemError of it.
"""


def error_of(raised: Exception) -> KafkaError:
    """The error in one of `RAISED`; a SystemError that has none is raised again."""
    if isinstance(raised, SystemError):
        if not isinstance(raised.__cause__, RAISED):
            raise raised
        return error_of(raised.__cause__)
    return raised if isinstance(raised, KafkaError) else raised.args[0]


def is_final(error: KafkaError) -> bool:
    """Whether waiting cannot help."""
    return is_fenced(error) or error.code() in _FORBIDDEN


def is_fenced(error: KafkaError) -> bool:
    """Whether the broker or the client itself says that this client's time is over."""
    return bool(error.fatal()) or error.code() in _FENCED


def is_forbidden(error: KafkaError) -> bool:
    """Whether our principal may not do what it asked for."""
    return error.code() in _FORBIDDEN and error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART


def raise_for(error: KafkaError, doing: str) -> NoReturn:
    """Raise `error` as one of ours; `doing` completes "Kafka could not ...".

    Raises:
        Fenced: another process owns the slot.
        ConfigurationError: our principal may not, or a topic is missing.
        BrokerUnavailable: anything else; waiting may help.
    """
    code = error.code()
    if code in _FENCED:
        raise Fenced(f"Another process took over this slot ({error.name()}).")
    if code in _FORBIDDEN:
        raise ConfigurationError(
            f"Kafka refuses to {doing} ({error.name()}); check that the topics exist and what our principal may do."
        )
    if error.fatal():
        raise Fenced(f"Kafka ended this member for good ({error.name()}).")
    raise BrokerUnavailable(f"Kafka could not {doing} ({error.name()}).")
