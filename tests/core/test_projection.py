import io
from decimal import Decimal
from typing import Any

import fastavro
import pytest

from fraud_platform.adapters.registry import load_schema
from fraud_platform.core.projection import SourceProcess, result_row, user_row
from fraud_platform.core.transaction import Transaction, parse_transaction, to_avro
from tests.builders import party, raw


def transaction(**changes: Any) -> dict[str, Any]:
    parsed = parse_transaction(raw(**changes))
    assert isinstance(parsed, Transaction)
    return to_avro(parsed, sender_ssn="tok_s", receiver_ssn="tok_r")


def through(schema: str, value: dict[str, Any]) -> Any:
    """The value after it was written and read by its schema."""
    parsed = fastavro.parse_schema(load_schema(schema))
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, parsed, value, strict=True)
    return fastavro.schemaless_reader(io.BytesIO(buffer.getvalue()), parsed, None)


@pytest.mark.parametrize("source", ["projection", "validation"])
def test_the_result_row_has_the_names_that_the_published_queries_use(source: SourceProcess) -> None:
    row = result_row(transaction(), source)
    assert through("result", row) == row == {
        "TRANSACTION_ID": "t-1",
        "SENDER_BANK_ACCOUNT": "ACC-1",
        "SENDER_ID": "u-1",
        "RECEIVER_BANK_ACCOUNT": "ACC-2",
        "RECEIVER_ID": "u-2",
        "AMOUNT": Decimal("12.5"),
        "STATUS": "completed",
        "EVALUATION": "fraudulent",
        "TRANSFER_DATE": "2026-01-01T12:00:00+00:00",
        "SENDER_BANK": "First Bank",
        "SOURCE_PROCESS": source,
    }  # fmt: skip


def test_a_transfer_that_the_validator_found_is_fraudulent_too() -> None:
    assert result_row(transaction(evaluation="unidentified"), "validation")["EVALUATION"] == "fraudulent"


@pytest.mark.parametrize("source", ["projection", "validation"])
def test_sender_and_receiver_become_users(source: SourceProcess) -> None:
    value = transaction(receiver_details=party("u-2", name="Bob"))
    sender, receiver = (user_row(value[side], source) for side in ("sender_details", "receiver_details"))
    assert (sender["ID"], sender["NAME"], sender["SSN"]) == ("u-1", "Ada Example", "tok_s")
    assert (receiver["ID"], receiver["NAME"], receiver["SSN"]) == ("u-2", "Bob", "tok_r")
    assert sender["SOURCE_PROCESS"] == receiver["SOURCE_PROCESS"] == source


def test_every_field_of_a_person_arrives() -> None:
    sender = user_row(transaction()["sender_details"], "projection")
    expected = {name.upper(): value for name, value in party("u-1", ssn="tok_s").items()}
    assert through("user", sender) == sender == expected | {"SOURCE_PROCESS": "projection"}


def test_missing_details_stay_missing() -> None:
    sender = user_row(transaction(sender_details={"id": "u-1"})["sender_details"], "projection")
    assert {name for name, value in sender.items() if value is not None} == {"ID", "SSN", "SOURCE_PROCESS"}
    assert through("user", sender) == sender
