"""Whatever way a client of Kafka's raises an error, it is the same error."""

import pytest
from confluent_kafka import KafkaError, KafkaException

from fraud_platform.adapters.kafka_errors import RAISED, error_of, is_fenced

FENCED = KafkaError(KafkaError._FENCED)


def system_error(cause: BaseException | None) -> SystemError:
    """As Python makes it of a C function that returns a value although it has raised."""
    error = SystemError("<method 'flush'> returned a result with an exception set")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "raised", [FENCED, KafkaException(FENCED), system_error(FENCED), system_error(KafkaException(FENCED))]
)
def test_the_error_is_found_in_whatever_the_client_raises(raised: Exception) -> None:
    try:  # `pytest.raises` does not know that a bare KafkaError can be raised
        raise raised
    except RAISED as caught:
        found = error_of(caught)
    assert found is FENCED
    assert is_fenced(found)


@pytest.mark.parametrize("cause", [None, ValueError("something else")])
def test_a_system_error_of_another_kind_stays_one(cause: Exception | None) -> None:
    with pytest.raises(SystemError, match="flush"):
        error_of(system_error(cause))
