"""The short way to a checked transfer says the same as the long way, or nothing."""

import io
import json
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud_platform.adapters.avro import body_encoder, part_encoder, topic_schema
from fraud_platform.adapters.avro_encoder import compile_encoder
from fraud_platform.core import known_parties
from fraud_platform.core.known_parties import ACCOUNT, ENCODED, EVALUATION, Envelope, KnownParties
from fraud_platform.core.outcome import Rejected
from fraud_platform.core.transaction import Party, Transaction, parse_transaction, party_to_avro, to_avro
from fraud_platform.topology import Topic
from tests.builders import party, raw, transfer

TOPIC = Topic.UNIDENTIFIED
LONG = body_encoder(topic_schema(TOPIC))
ASSEMBLE = compile_encoder(topic_schema(TOPIC), encoded=ENCODED, in_order=True)
PARTY = part_encoder(TOPIC, "sender_details")


class Known(KnownParties):
    """Counts how often a party had to be encoded."""

    def __init__(self) -> None:
        self.encoded = 0
        super().__init__(self._count)

    def _count(self, party: Party) -> bytes:
        self.encoded += 1
        return PARTY(party_to_avro(party, party.ssn))


def the_long_way(value: bytes) -> bytes | None:
    parsed = parse_transaction(value)
    if isinstance(parsed, Rejected):
        return None
    return LONG(to_avro(parsed, sender_ssn=parsed.sender_details.ssn, receiver_ssn=parsed.receiver_details.ssn))


def the_short_way(value: bytes | None, known: Known | None = None) -> bytes | None:
    found = (known or Known()).transfer(value)
    return None if found is None else ASSEMBLE(found)


def without_nulls(**changes: Any) -> bytes:
    value = transfer() | changes
    for details in ("sender_details", "receiver_details"):
        value[details] = {name: each for name, each in value[details].items() if each is not None}
    return json.dumps({name: each for name, each in value.items() if each is not None}, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"status": None, "sender_bank": None},
        {"sender_details": party("u", website=["a", "b"], name="Zoë 🙂")},
        {"sender_details": {"id": 7}, "receiver_details": {"id": "v", "bank_account": 3}},
        {"amount": 0},
    ],
)
def test_both_ways_lead_to_the_same_bytes(changes: dict[str, Any]) -> None:
    value = without_nulls(**changes)
    assert the_short_way(value) == the_long_way(value) is not None


def test_a_party_is_encoded_once() -> None:
    known = Known()
    for number in range(5):
        assert the_short_way(without_nulls(transaction_id=f"t-{number}"), known)
    assert known.encoded == 2


def test_the_oldest_party_is_forgotten_when_too_many_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_parties, "MOST_KNOWN", 3)
    known = Known()
    for number in range(10):
        the_short_way(without_nulls(sender_details={"id": f"u-{number}"}), known)
    assert len(known._known) == 3


def test_long_details_are_not_kept() -> None:
    known = Known()
    value = without_nulls(sender_details={"id": "u", "name": "x" * 5000})
    assert the_short_way(value, known) == the_long_way(value)
    assert len(known._known) == 1


def spoiled() -> dict[str, bytes | None]:
    good = without_nulls()
    return {
        "tombstone": None,
        "empty": b"",
        "cut": good[:-1],
        "bad UTF-8 in an ignored field": good[:-1] + b',"x":"\xff"}',
        "a repeated key": good[:-1] + b',"amount":1}',
        "a repeated key of a party": good.replace(b'"id":', b'"id": "other", "id":', 1),
        "an ignored field": good[:-1] + b',"x":[[[]]]}',
        "an escape": good.replace(b"transaction_id", b"transaction\\u005fid", 1),
        "a bad amount": without_nulls(amount=-1),
        "an amount as text": without_nulls(amount="12.5"),
        "an amount as text that Python alone reads": without_nulls(amount="1_000"),
        "a bad date": without_nulls(transfer_date="yesterday"),
        "a bad birthdate": without_nulls(receiver_details={"id": "u", "birthdate": "spring"}),
        "an empty party id": without_nulls(sender_details={"id": ""}),
        "an empty id": without_nulls(transaction_id=""),
        "an empty verdict": without_nulls(evaluation=""),
        "a party of a wrong type": json.dumps(transfer() | {"sender_details": 7}).encode(),
        "too large": without_nulls(status="x" * 2**20),
    }


@pytest.mark.parametrize("name", spoiled())
def test_whatever_is_unusual_goes_the_long_way(name: str) -> None:
    known = Known()
    assert the_short_way(without_nulls(), known)
    assert the_short_way(spoiled()[name], known) is None


@given(st.integers(0, 700), st.binary(min_size=1, max_size=3))
def test_no_change_of_bytes_makes_the_ways_differ(at: int, noise: bytes) -> None:
    value = without_nulls()
    changed = value[:at] + noise + value[at + len(noise) :]
    known = Known()
    the_short_way(value, known)
    short = the_short_way(changed, known)
    assert short is None or short == the_long_way(changed)


def test_both_ways_read_the_same_fields() -> None:
    assert Envelope.__struct_fields__ == Transaction.__struct_fields__


def test_the_values_stand_where_their_names_say() -> None:
    found = Known().transfer(without_nulls(sender_bank_account="ACC-9", evaluation="unidentified"))
    assert found is not None
    assert (found[ACCOUNT], found[EVALUATION]) == ("ACC-9", "unidentified")


def test_the_short_way_reads_back_as_the_transfer() -> None:
    value = the_short_way(without_nulls())
    assert value is not None
    schema = fastavro.parse_schema(topic_schema(TOPIC))
    found: Any = fastavro.schemaless_reader(io.BytesIO(value), schema, None)
    parsed = parse_transaction(raw())
    assert isinstance(parsed, Transaction)
    assert found["sender_details"]["id"] == parsed.sender_details.id
