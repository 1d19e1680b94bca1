from typing import Any

import msgspec
import pytest

from fraud_platform.core.projection import SourceProcess, result_row, user_row
from fraud_platform.core.results import ResultWriter
from fraud_platform.topology import PROJECTION, VALIDATION, Naming, Topic
from tests.builders import NOON, party, transfer

NAMING = Naming("p-")


def writer() -> ResultWriter:
    """Values as JSON behind the name of their topic, so that a mixed-up encoder shows."""
    return ResultWriter(NAMING, lambda topic: lambda value: topic.encode() + b" " + msgspec.json.encode(value))


def encoded(topic: Topic, value: dict[str, Any]) -> bytes:
    return topic.encode() + b" " + msgspec.json.encode(value)


@pytest.mark.parametrize("source", ["projection", "validation"])
def test_a_transfer_becomes_one_result_and_its_two_users(source: SourceProcess) -> None:
    value = transfer()
    result, sender, receiver = writer().outputs(value, source, NOON)
    assert result.value == encoded(Topic.RESULT, result_row(value, source))
    assert sender.value == encoded(Topic.USERS, user_row(value["sender_details"], source))
    assert receiver.value == encoded(Topic.USERS, user_row(value["receiver_details"], source))


def test_each_row_is_keyed_by_its_id_on_its_topic_with_the_time_of_the_transfer() -> None:
    outputs = writer().outputs(transfer("t-ü", receiver_details=party("u-9")), "projection", NOON)
    assert [(o.topic, o.key, o.timestamp_ms) for o in outputs] == [
        ("p-fraudulent-transactions-result", "t-ü".encode(), NOON),
        ("p-users", b"u-1", NOON),
        ("p-users", b"u-9", NOON),
    ]
    assert not any(o.headers for o in outputs)


@pytest.mark.parametrize("stage", [PROJECTION, VALIDATION])
def test_as_many_rows_are_written_as_the_topology_states(stage: Any) -> None:
    stated = stage.written_by("accepted.projected" if stage is PROJECTION else "accepted.fraudulent")
    written = [output.topic for output in writer().outputs(transfer(), stage.name, NOON)]
    for topic in (Topic.RESULT, Topic.USERS):
        assert written.count(NAMING.topic(topic)) == stated[topic]
