"""Projection over real Kafka and registry, fed by ingestion."""

from decimal import Decimal

import pytest

from fraud_platform.runtime.drain import drain
from fraud_platform.settings import Settings
from fraud_platform.topology import INGESTION, PROJECTION, Topic
from tests.builders import party, raw
from tests.stages.flow import HOUR_AGO, ledger_of, rows, send, values

pytestmark = pytest.mark.services


def test_a_fraudulent_transfer_becomes_one_result_and_two_users(settings: Settings) -> None:
    send(settings, Topic.BANK_TRANSACTIONS, [("ACC-1", raw("t-1", amount="99.10"))], at_ms=HOUR_AGO)
    drain(settings, INGESTION)
    report = drain(settings, PROJECTION)
    assert (report.read, dict(report.outcomes)) == (1, {"accepted.projected": 1})
    assert report.written == {"fraudulent-transactions-result": 1, "users": 2}
    assert values(settings, Topic.RESULT) == [
        {
            "TRANSACTION_ID": "t-1",
            "SENDER_BANK_ACCOUNT": "ACC-1",
            "SENDER_ID": "u-1",
            "RECEIVER_BANK_ACCOUNT": "ACC-2",
            "RECEIVER_ID": "u-2",
            "AMOUNT": Decimal("99.10"),
            "STATUS": "completed",
            "EVALUATION": "fraudulent",
            "TRANSFER_DATE": "2026-01-01T12:00:00+00:00",
            "SENDER_BANK": "First Bank",
            "SOURCE_PROCESS": "projection",
        }
    ]
    (transfer,) = values(settings, Topic.FRAUDULENT)
    users = {user["ID"]: user for user in values(settings, Topic.USERS)}
    for side in ("sender_details", "receiver_details"):
        details = {name.upper(): value for name, value in transfer[side].items()}
        assert users[details["ID"]] == details | {"SOURCE_PROCESS": "projection"}


def test_rows_are_keyed_by_their_ids_and_carry_the_time_of_the_transfer(settings: Settings) -> None:
    send(settings, Topic.BANK_TRANSACTIONS, [("ACC-1", raw("t-1"))], at_ms=HOUR_AGO)
    drain(settings, INGESTION)
    drain(settings, PROJECTION)
    assert [(row.key, row.timestamp_ms) for row in rows(settings, Topic.RESULT)] == [(b"t-1", HOUR_AGO)]
    users = [(row.key, row.timestamp_ms) for row in rows(settings, Topic.USERS)]
    assert sorted(users) == [(b"u-1", HOUR_AGO), (b"u-2", HOUR_AGO)]


def test_a_transfer_to_oneself_still_writes_two_users(settings: Settings) -> None:
    send(settings, Topic.BANK_TRANSACTIONS, [("ACC-1", raw("t-1", receiver_details=party("u-1", name="Later")))])
    drain(settings, INGESTION)
    drain(settings, PROJECTION)
    assert [user["NAME"] for user in values(settings, Topic.USERS)] == ["Ada Example", "Later"]


def test_a_repeated_id_is_kept_in_order(settings: Settings) -> None:
    send(settings, Topic.BANK_TRANSACTIONS, [("ACC-1", raw("t-1", status=status)) for status in ("sent", "reversed")])
    drain(settings, INGESTION)
    drain(settings, PROJECTION)
    assert [value["STATUS"] for value in values(settings, Topic.RESULT)] == ["sent", "reversed"]


def test_what_is_no_avro_is_dead_lettered_alone(settings: Settings) -> None:
    send(settings, Topic.BANK_TRANSACTIONS, [("ACC-1", raw("t-1"))])
    drain(settings, INGESTION)
    bad = [b"{}", b"\x00\x7f\xff\xff\xffrubbish", None]
    send(settings, Topic.FRAUDULENT, [("ACC-1", value) for value in bad])
    assert dict(drain(settings, PROJECTION).outcomes) == {"accepted.projected": 1, "dead-lettered": 3}
    letters = rows(settings, Topic.DEAD_LETTERS)
    assert {letter.value: letter.headers["error_type"] for letter in letters} == dict(
        zip(bad, ["invalid-avro", "unknown-schema", "tombstone"], strict=True)
    )
    assert {letter.headers["stage"] for letter in letters} == {"projection"}


def test_the_markers_of_ingestion_leave_no_lag_and_the_ledger_balances(settings: Settings) -> None:
    send(settings, Topic.BANK_TRANSACTIONS, [(f"A{n}", raw(f"{n}", sender_bank_account=f"A{n}")) for n in range(50)])
    drain(settings, INGESTION)
    drain(settings, PROJECTION)
    entries = ledger_of(settings, PROJECTION)
    assert sum(i["count"] for entry in entries for i in entry["inputs"]) == 50
    assert sum(sum(entry["outcomes"].values()) for entry in entries) == 50
    last = {i["partition"]: i["to"] for entry in entries for i in entry["inputs"]}
    behind = {row.partition: row.offset + 1 for row in rows(settings, Topic.FRAUDULENT)}
    assert all(last[partition] == end + 1 for partition, end in behind.items())  # one marker each
    again = drain(settings, PROJECTION)
    assert (again.read, len(rows(settings, Topic.RESULT)), len(rows(settings, Topic.USERS))) == (0, 50, 100)
